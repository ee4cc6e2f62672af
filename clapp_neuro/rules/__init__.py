"""Learning rules: one file a method."""
