"""What the command line does, as functions: one file a verb."""
