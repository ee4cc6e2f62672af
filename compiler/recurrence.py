"""Which levels of a program have to be computed together, step by step.

Populations whose spikes only climb can be computed one after the other, each for a whole
presentation. Where a projection stays on its level or goes down, the levels from its target up to
its source wait for one another in every step: a *band*. Bands that overlap are one.
"""

from __future__ import annotations

from collections.abc import Iterator

from compiler.program import Program, ProgramPopulation, Synapses
from compiler.terms import Compartment


def held_back(program: Program, s: Synapses) -> int:
    """Time steps for which an axon delays spikes, beside the one that every message takes."""
    climbs = program.population(s.target).level - program.population(s.source).level
    return s.delay + climbs - 1


def drives(program: Program, s: Synapses) -> bool:
    """Whether a projection brings spikes, or what an input is given in a step, to a soma."""
    return s.compartment is Compartment.SOMA and program.population(s.source).spiking


def bands(program: Program) -> tuple[range, ...]:
    """The bands of levels, from the lowest up; none where nothing is recurrent."""
    spans = sorted(
        (program.population(s.target).level, program.population(s.source).level)
        for s in program.synapses
        if drives(program, s)
        and program.population(s.target).level <= program.population(s.source).level
    )
    found: list[range] = []
    for low, high in spans:
        if found and low < found[-1].stop:
            found[-1] = range(found[-1].start, max(found[-1].stop, high + 1))
        else:
            found.append(range(low, high + 1))
    return tuple(found)


def members(program: Program, band: range) -> Iterator[ProgramPopulation]:
    """The populations of a band, inputs apart, from the lowest level up."""
    inside = (p for p in program.populations if p.level in band and p.soma is not None)
    yield from sorted(inside, key=lambda p: p.level)
