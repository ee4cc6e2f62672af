"""A plastic projection as a pair of synapses, on a machine that has no tags for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from compiler.passes.lowering.consolidation import EVERY, Consolidation
from compiler.program import TAG_UNITS, Synapses
from compiler.report import Note
from compiler.terms import Compartment, Connection


def pair_of(
    learning: Synapses,
    dropped: np.ndarray | None,
    consolidation: Consolidation,
    index: int,
    notes: list[Note],
) -> tuple[Synapses, ...]:
    """The high synapses, which drive the target, and the low ones, which learn.

    learning: both as one, all to all. dropped: what rounding to weights has left, in TAG_UNITS of a
    weight unit. index: of the low synapses' random numbers.
    """
    assert learning.connection is Connection.ALL_TO_ALL, "kernels learn by a carry only"
    assert dropped is not None, "of what learns"
    every = consolidation.every or EVERY
    coarser = TAG_UNITS >> consolidation.fine
    left = (dropped + coarser // 2) // coarser
    text = (
        f"a pair: high synapses drive {learning.target}, low ones learn, in "
        f"1/{consolidation.units} of their unit"
    )
    notes.append(Note("learning", learning.name, text))
    high = replace(learning, rule=None, tags=None, slots=(), averaged=every)
    low = replace(
        learning,
        name=f"{learning.name}.low",
        index=index,
        compartment=Compartment.UNREAD,
        weights=left.astype(np.int8),
        tags=np.zeros(learning.weights.shape, np.int16),
        unit=learning.unit / consolidation.units,
        listens=(),
        delivery_shift=0,
        averaged=every,
        fine=consolidation.fine,
        into=learning.name,
    )
    return high, low
