"""What engines rely on in synapses: shapes, numbers, and rules that they execute."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from compiler.connectivity import kernel_of, weights_shape
from compiler.products import ACCUMULATOR, decimations, general, in_slots, transfers, variables
from compiler.program import (
    ACCUMULATOR_BITS,
    REGISTERS,
    Program,
    Relay,
    Soma,
    SumOfProducts,
    Synapses,
    Tally,
)
from compiler.soundness.legality import illegal
from compiler.terms import CENTRED, Connection

LARGEST_TRANSFER = (1 << ACCUMULATOR >> ACCUMULATOR_BITS) - 1  # of a tag


def unsound_synapses(program: Program) -> Iterator[str]:
    """What is wrong with the synapses, each fault in words."""
    mapped = [p.name for p in program.populations if p.shape is not None]
    mapped += [p.name for p in program.populations if isinstance(p.soma, Relay | Tally)]
    for s in program.synapses:
        if general(s) and mapped:
            yield f"{s.name} learns at any step beside the map {mapped[0]}"
        if general(s):
            yield from _beside_spike_times(program, s)
        yield from _of_synapses(program, s)


def _of_synapses(program: Program, s: Synapses) -> Iterator[str]:
    if not {s.source, s.target} <= {p.name for p in program.populations}:
        yield f"{s.name} connects what does not exist"
        return
    if s.geometry != CENTRED and s.connection is not Connection.CONVOLUTION:
        yield f"{s.name}, {s.connection.value}, has the geometry of a convolution"
        return
    source, target = program.population(s.source), program.population(s.target)
    kernel = kernel_of(s.weights.shape) if s.weights.ndim > 2 else (0, 0)
    shape = weights_shape(s.connection, source.map, target.map, kernel, s.geometry)
    if shape is None:
        yield f"{s.name}, a {s.connection.value}, does not fit the maps that it connects"
        return
    if s.weights.shape != shape or (s.tags is not None and s.tags.shape != shape):
        yield f"{s.name} does not have the shape {shape}"
        return
    if s.weights.dtype != np.int8 or (s.tags is not None and s.tags.dtype != np.int16):
        yield f"{s.name} has the wrong number type"
    if _magnitude(s.weights) > program.weight_max:
        yield f"a weight of {s.name} is out of range"
    if s.tags is not None and _magnitude(s.tags) > program.largest_tag(s):
        yield f"a tag of {s.name} is out of range"
    if not (math.isfinite(s.unit) and s.unit > 0):
        yield f"{s.name} has the unit {s.unit}"
    if (s.rule is None) != (s.tags is None):
        yield f"{s.name} has a rule without tags or the reverse"
    if s.rule is not None:
        broken = illegal(s.rule)
        if broken is not None:
            yield f"no engine executes the rule of {s.name}: {broken}"
            return
        yield from _of_rule(program, s, s.rule)


def _magnitude(array: np.ndarray) -> int:
    """The largest magnitude, with no copy of the array."""
    return max(int(array.max(initial=0)), -int(array.min(initial=0)))


def _of_rule(program: Program, s: Synapses, rule: SumOfProducts) -> Iterator[str]:
    """Post values are written where synapses see them, and carries fall on whole fixations."""
    source, target = program.population(s.source), program.population(s.target)
    traces = {trace.name for trace in rule.traces}
    written = {v.register for v in target.post_values}
    for name in sorted((variables(rule) & set(REGISTERS)) - traces - written):
        yield f"{s.name} reads {name} of {s.target}, which nothing writes"
    if transfers(rule) and program.tag_max > LARGEST_TRANSFER:
        yield (
            f"{s.name} transfers tags of up to {program.tag_max} into weights; the accumulator of "
            f"a learning engine holds {LARGEST_TRANSFER}"
        )
    if in_slots(s):
        if decimations(rule) and 2**rule.carry_exponent % program.timetable.period:
            yield (
                f"a period of {program.timetable.period} steps does not divide the "
                f"2^{rule.carry_exponent} steps between carries of {s.name}"
            )
        carried = program.timetable.last_tau(target.level)
        if decimations(rule) and carried in s.slots:
            yield f"{s.name} learns at tau {carried}, in the step in which its tags are carried"
        return
    for name in sorted(traces & written):
        yield f"{s.target} writes {name}, where {s.name} has a trace"
    last = program.timetable.period - 1 - (target.level - source.level)
    late = [v.step for v in target.post_values if v.step > last]
    if program.timetable.steps - 1 > last or late:
        yield f"{s.name} would learn from the end of a fixation in the next: make it longer"


def _beside_spike_times(program: Program, s: Synapses) -> Iterator[str]:
    """What rules that learn at any step are not executed beside."""
    for p in program.populations:
        if isinstance(p.soma, Soma) and p.soma.plain is None:
            yield f"{s.name} learns at any step beside {p.name}, whose neurons are not all alike"
        if p.sequence:
            yield f"{s.name} learns at any step beside {p.name}, which is given a sequence"
    for other in program.synapses:
        if other.delay or other.connection is Connection.ONE_TO_ONE:
            yield f"{s.name} learns at any step beside {other.name}, which is recurrent or delayed"
