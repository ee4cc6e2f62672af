"""What of a network or program a machine cannot hold: a file for each kind of limit."""
