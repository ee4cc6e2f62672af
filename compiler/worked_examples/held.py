"""All that synapses hold of a weight: the rest in a tag, or the low half of a pair, with it."""

from __future__ import annotations

import numpy as np

from compiler.program import Program


def held(program: Program, name: str, *, tags: bool = True) -> tuple[np.ndarray, float]:
    """(integers int64 in the shape of the weights, the real value of one of them).

    tags: whether what is in the tags counts; it does not where they hold an eligibility.
    KeyError for a name that no synapses have.
    """
    s = program.synapses[program.synapse_row[name]]
    low = program.low.get(name)
    if low is not None:
        fine = (s.weights.astype(np.int64) << low.fine) + low.weights
        return fine, low.unit
    if not tags or s.tags is None:
        return s.weights.astype(np.int64), s.unit
    return s.tag_units * s.weights.astype(np.int64) + s.tags, s.unit / s.tag_units
