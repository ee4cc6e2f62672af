"""Random networks through the real compiler, and engines that must agree on what they do."""
