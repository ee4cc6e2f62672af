"""Warnings before anything is learned: post values that saturate or stall, weights that wander.

All follow from calibration and from the widths of the target; nothing is refused for them.
"""

from __future__ import annotations

import math

import numpy as np

from compiler.passes.lowering.consolidation import EVERY, Consolidation
from compiler.program import TRACE_MAX
from compiler.report import Note

LEAST_STEPS = 1 / 16  # of what calibration saw at most: below, y is 0 in 15 of 16 fixations
MOST_WANDER = 0.02  # of the weights' root mean square, by rounding in one fixation


def stalls(projection: str, term: str, steps: float, granularity: int) -> list[Note]:
    """Of a term whose largest expected post value is so many steps of `granularity`."""
    if steps * granularity > TRACE_MAX:
        text = (
            f"warning: {term} saturates: post values up to {steps * granularity:.0f} are expected, "
            f"beyond {TRACE_MAX} they are clipped; lower the learning rate"
        )
        return [Note("learning", projection, text)]
    if 0 < steps < LEAST_STEPS:
        text = (
            f"warning: {term} may stall: the largest expected post value is {steps:.1g} of the "
            f"smallest, so that it is rounded to 0 in {1 - steps:.1%} of fixations; raise the "
            "learning rate, or use a target with tags"
        )
        return [Note("learning", projection, text)]
    return []


def wanders(projection: str, weights: np.ndarray, consolidation: Consolidation) -> list[Note]:
    """Where one rounding moves a weight by much of what weights are.

    A tag, or the low synapse of a pair, is rounded in a fraction of a weight unit; a weight itself
    in whole ones, of which a batch makes one in so many fixations: a random walk, in each fixation
    by 1/sqrt(fixations) of it.
    """
    # row by row: the copies of a kernel are many, and their squares would take eight bytes each
    squares = sum(float(np.square(row, dtype=np.float64).sum()) for row in weights)
    rms = (squares / weights.size) ** 0.5 if weights.size else 0.0
    often = (consolidation.every or EVERY) if consolidation.kind == "transfer" else 1
    keeps = consolidation.kind in ("carry", "pair")
    step = 1 / consolidation.units if keeps else 1 / math.sqrt(often)
    if rms == 0 or step / rms <= MOST_WANDER:
        return []
    text = (
        f"warning: weights may wander: one rounding moves a weight by {step / rms:.1%} of their "
        f"root mean square ({rms:.3g} units); use a target with tags, or a lower learning rate"
    )
    return [Note("learning", projection, text)]
