"""The commands, one file each, without logic of their own: they read options, call, and show."""
