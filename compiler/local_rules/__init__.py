"""Local learning rules as data for the compiler, one file a rule."""
