"""The untrained network: random weights that stay as they are, the baseline of every method."""

from __future__ import annotations

from clapp_neuro.rules.prediction import matrices
from clapp_neuro.rules.seen import Rule

RULE = Rule(matrices=matrices, learns=False)
