"""What every engine relies on in a program: names that exist, numbers in range, messages in time.

Compiled code trusts its arrays, and engines execute legal sums of products only. So a program from
a file is looked at here before any engine sees it.
"""

from __future__ import annotations

from collections.abc import Iterator

from compiler.program import Program
from compiler.soundness.anatomy import misplaced
from compiler.soundness.gates import unsound_gates
from compiler.soundness.pairs import unpaired
from compiler.soundness.populations import unsound_populations
from compiler.soundness.ranges import ranges
from compiler.soundness.synapses import unsound_synapses
from compiler.soundness.widths import overflowing
from compiler.timing import untimely


def fault(program: Program) -> str | None:
    """The first thing that no engine could execute, in words, or None."""
    for name, value, low, high in ranges(program):
        if not low <= value <= high:
            return f"{name} is {value}, not between {low} and {high}"
    return next(_faults(program), None)


def _faults(program: Program) -> Iterator[str]:
    yield from unsound_populations(program)
    yield from unsound_gates(program)
    yield from unsound_synapses(program)
    yield from misplaced(program)
    yield from unpaired(program)
    yield from untimely(program)
    yield from overflowing(program)
