"""What engines note of a fixation beside its steps: numbers that the times of learning follow from.

When something of learning happens, the program says; how often, the run. Each note is one number a
fixation, of one place in the timetable, so that counts of all notes say what happened in each step.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from compiler.products import direct, in_slots, managed
from compiler.program import Gate, Program, Synapses
from compiler.timing import DOWNWARD

What = Literal[
    "counts",  # of a population: neurons with a nonzero count
    "previous",  # ... with a nonzero count of the fixation before
    "brought",  # of a projection: messages that are no counts
    "said",  # of a comparator: score messages, by the step in which they leave
    "opened",  # ... 1 where its gate is open
    "written",  # of a population: nonzero post values, by value
    "learned",  # of a projection: rows that learned, by slot
    "carried",  # ... weights that a carry moved
    "looked",  # ... synapses that a carry looked at
    "visited",  # ... synapses that a general rule visited, by the source's own tau
]


class Note(NamedTuple):
    """What is noted, of which part of a program, and which one of several."""

    what: What
    name: str
    part: int = 0


def notes(program: Program) -> dict[Note, int]:
    """The column of each note; the parts of one follow one another.

    Counts of all populations come first, in their order, and previous counts next.
    """
    return {note: column for column, note in enumerate(_notes(program))}


def score_steps(gate: Gate) -> int:
    """The steps in which a population tells its comparator scores, one message a neuron in each."""
    return gate.sums * max(1, gate.serial)


def carried(s: Synapses) -> bool:
    """Whether cores move whole units of synapses now and then, in the last step of a fixation."""
    return s.rule is not None and in_slots(s) and not managed(s) and not direct(s.rule)


def _notes(program: Program) -> Iterator[Note]:
    for p in program.populations:
        yield Note("counts", p.name)
    for p in program.populations:
        yield Note("previous", p.name)
    for p in program.populations:
        for part in range(len(p.post_values)):
            yield Note("written", p.name, part)
    for gate in program.gates:
        for part in range(score_steps(gate)):
            yield Note("said", gate.name, part)
        yield Note("opened", gate.name)
    for s in program.synapses:
        if s.connection in DOWNWARD:
            yield Note("brought", s.name)
        if s.rule is None:
            continue
        if not in_slots(s):
            for tau in range(program.timetable.period):
                yield Note("visited", s.name, tau)
            continue
        for part in range(len(s.slots)):
            yield Note("learned", s.name, part)
        if carried(s):
            yield Note("carried", s.name)
            yield Note("looked", s.name)
