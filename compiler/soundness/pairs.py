"""Pairs of synapses: what makes two sets of them the high and the low half of one weight."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.products import direct, in_slots
from compiler.program import Program, Synapses
from compiler.terms import Compartment, Connection

HIGH = "has weights that the management processor changes, and no low synapses"


def unpaired(program: Program) -> Iterator[str]:
    """What is no pair but claims to be one, in words; names and shapes must be right already."""
    row = program.synapse_row
    low = [s for s in program.synapses if s.paired]
    for s in low:
        if s.into not in row:
            yield f"{s.name} is carried into '{s.into}', which does not exist"
        else:
            yield from _of_pair(s, program.synapses[row[s.into]])
    if len(program.low) < len(low):
        yield "two sets of low synapses are carried into the same high ones"
    for s in program.synapses:
        if (s.compartment is Compartment.UNREAD) != s.paired:
            yield f"{s.name} ends where nobody reads, or is one of a pair, but not both"
        if s.rule is None and s.averaged and s.name not in program.low:
            yield f"{s.name} {HIGH}"


def _of_pair(low: Synapses, high: Synapses) -> Iterator[str]:
    ends = [(s.source, s.target, s.weights.shape) for s in (low, high)]
    if ends[0] != ends[1] or low.connection is not Connection.ALL_TO_ALL:
        yield f"{low.name} and {high.name} do not connect the same neurons, all to all"
    learns = low.rule is not None and direct(low.rule) and in_slots(low)
    if high.rule is not None or not learns:
        yield f"of {low.name} and {high.name} not the low ones alone learn, in slots, in a weight"
    if not low.averaged or low.averaged != high.averaged:
        yield f"{low.name} and {high.name} are not carried after the same number of fixations"
    if low.unit * 2**low.fine != high.unit:
        yield f"the unit of {low.name} is not 2^-{low.fine} of that of {high.name}"
