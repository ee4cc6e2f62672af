"""What engines rely on in populations: somata, post values, averages and sequences."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from compiler.averages import VARIANCE_BITS, fraction_bits
from compiler.program import REGISTERS, Program, ProgramPopulation, Soma
from compiler.terms import CHANNELWISE, Compartment, Quantity, Reset


def unsound_populations(program: Program) -> Iterator[str]:
    """What is wrong with the populations, each fault in words."""
    if len({p.name for p in program.populations}) != len(program.populations):
        yield "two populations have the same name"
    if all(p.soma is not None for p in program.populations):
        yield "there is no input population"
    for population in program.populations:
        yield from _of_soma(population)
        yield from _of_post_values(program, population)
        yield from _of_averages(program, population)
        yield from _of_sequence(program, population)


def _of_post_values(program: Program, population: ProgramPopulation) -> Iterator[str]:
    signals = {*program.modulators, *(g.name for g in program.gates)}
    critics = {g.name: g for g in program.gates if g.points}
    for value in population.post_values:
        if value.register not in REGISTERS:
            yield f"{population.name} writes the register '{value.register}'"
        if value.gate is not None and value.gate not in signals:
            yield f"{population.name} waits for '{value.gate}', which does not exist"
        if value.rectified not in ("", "half", "full"):
            yield f"{population.name} has a gate rectified '{value.rectified}'"
        if value.reward and value.gate not in critics:
            yield f"{population.name} expects a reward of '{value.gate}', which gives none"
        if value.gate in critics and critics[value.gate].population != population.name:
            yield f"{population.name} waits for {value.gate}, which points at others"
        if Quantity.WINNER in value.factors:
            yield f"{population.name} reads who has won, which only a message tells"
        if Quantity.DEVIATION in value.factors and population.averages is None:
            yield f"{population.name} reads a deviation, but keeps no averages"


def _of_soma(population: ProgramPopulation) -> Iterator[str]:
    name, soma = population.name, population.soma
    if math.prod(population.map) != population.size:
        yield f"{name} has {population.size} neurons in a map of {population.map}"
    if not isinstance(soma, Soma):
        return
    if soma.reset not in tuple(Reset):
        yield f"{name} has the reset '{soma.reset}'"
    for what in ("bias", "decay", "threshold", "current_decay", "start"):
        values = getattr(soma, what)
        if isinstance(values, tuple) and values:
            if len(values) not in (1, population.map[0], population.size):
                channels = population.map[0]
                yield f"{name} has {len(values)} values of {what} for {channels} channels"
        elif values == () and what != "bias":
            yield f"{name} has no {what}"


def _of_averages(program: Program, population: ProgramPopulation) -> Iterator[str]:
    kept, name = population.averages, population.name
    if kept is None:
        return
    if population.shape is not None:
        yield f"no engine keeps averages of a map, as {name} would"
    if kept.signal not in program.modulators:
        yield f"{name} averages by '{kept.signal}', which is no modulator"
    room = fraction_bits(program.timetable.steps)
    for what, value, low, high in (
        ("multiplier", kept.multiplier, 0, 2**15),
        ("shift", kept.shift, 1, 31),
        ("fraction", kept.fraction, 1, room),
        ("epsilon", kept.epsilon, 1, 2**VARIANCE_BITS),
    ):
        if not low <= value <= high:
            yield f"the {what} of the averages of {name} is {value}, not between {low} and {high}"
    if kept.multiplier > 1 << kept.shift:
        yield f"the averages of {name} have a share above 1"
    # of counts and of their squares: what is beyond would leave its word of 32 bits
    steps = program.timetable.steps
    for array, largest in ((kept.mean, steps), (kept.variance, steps**2)):
        if array.shape != (population.size,) or array.dtype != np.int32:
            yield f"the averages of {name} do not have the shape ({population.size},) of int32"
        elif array.min(initial=0) < 0 or array.max(initial=0) > largest << kept.fraction:
            yield f"an average of {name} is out of range"


def _of_sequence(program: Program, population: ProgramPopulation) -> Iterator[str]:
    name = population.name
    if not population.sequence:
        return
    if population.soma is not None or population.spikes:
        yield f"{name} is given a sequence, but is no input, or encodes intensities"
    if population.messages:
        yield f"{name} is given a sequence, and sends graded messages besides"
    for s in program.leaving[name]:
        if s.rule is not None:
            yield f"{s.name} learns from {name}, which is given a sequence and has no count"
        if s.connection in CHANNELWISE or s.compartment is not Compartment.SOMA:
            yield f"{s.name} brings a sequence to where spikes or counts are needed"
