"""Compiles networks that learn by local rules onto Loihi-style neuromorphic cores."""
