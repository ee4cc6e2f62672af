"""The untrained network: random weights that stay as they are, the baseline of every method."""

LEARNS = False
