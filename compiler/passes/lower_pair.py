"""A plastic projection as a pair of synapses, on a machine that has no tags for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from clapp_neuro.errors import InputError
from compiler.passes.consolidation import EVERY, Consolidation
from compiler.program import TAG_UNITS, Synapses
from compiler.report import Note
from compiler.terms import Compartment, Connection


def pair_of(
    learning: Synapses, consolidation: Consolidation, index: int, notes: list[Note]
) -> tuple[Synapses, ...]:
    """The high synapses, which drive the target, and the low ones, which learn.

    learning: both as one, with what rounding to weights has dropped in the tags. index: of the low
    synapses' random numbers. Raises InputError for kernels, of which no engine learns pairs.
    """
    assert learning.tags is not None, "what learns has tags"
    if learning.connection is not Connection.ALL_TO_ALL:
        raise InputError(
            f"projection {learning.name}: a pair of synapses learns all to all, not through "
            f"kernels; use a target with tags of {TAG_UNITS.bit_length() + 1} bits, or compile "
            "with learning left out (--static)"
        )
    every = consolidation.every or EVERY
    coarser = TAG_UNITS >> consolidation.fine
    dropped = (learning.tags + coarser // 2) // coarser
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
        weights=dropped.astype(np.int8),
        tags=np.zeros(learning.weights.shape, np.int16),
        unit=learning.unit / consolidation.units,
        listens=(),
        delivery_shift=0,
        averaged=every,
        fine=consolidation.fine,
        into=learning.name,
    )
    return high, low
