"""Lava's own static all-to-all synapses."""

from __future__ import annotations

import numpy as np
from lava.proc.dense.process import Dense
from lava.utils.weightutils import SignMode

from compiler.program import Synapses


def static_synapses(synapses: Synapses) -> Dense:
    """Lava's own static synapses; a mixed-sign weight is even there, so twice the sum is halved."""
    return Dense(
        weights=2 * synapses.weights.astype(np.int32),
        name=synapses.name,
        weight_exp=-1,
        num_message_bits=8,
        sign_mode=SignMode.MIXED,
    )


def score_sum(size: int, classes: int) -> Dense:
    """Synapses of weight 1 from a population onto its comparator, or onto a critic's classes."""
    rows = max(1, classes)
    turns = np.arange(rows)[:, None] == np.arange(size) % rows
    return Dense(weights=turns.astype(np.int32), num_message_bits=24, sign_mode=SignMode.EXCITATORY)
