"""What both engines rely on in a program: names that exist, numbers in range, messages in time.

Compiled code trusts its arrays, and engines execute legal sums of products only. So a program from
a file is looked at here before any engine sees it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from compiler.averages import VARIANCE_BITS, fraction_bits
from compiler.connectivity import kernel_of, weights_shape
from compiler.ir import PRE_QUANTITIES, Quantity
from compiler.products import (
    ACCUMULATOR,
    decimations,
    general,
    in_slots,
    transfers,
    variables,
)
from compiler.program import (
    ACCUMULATOR_BITS,
    DECAY_ONE,
    FINEST,
    MEMBRANE_BITS,
    MEMBRANE_MAX,
    REGISTERS,
    Program,
    ProgramPopulation,
    Relay,
    Soma,
    SumOfProducts,
    Synapses,
    Tally,
)
from compiler.soundness.anatomy import misplaced
from compiler.soundness.legality import illegal
from compiler.soundness.pairs import unpaired
from compiler.soundness.widths import overflowing
from compiler.terms import CENTRED, CHANNELWISE, Compartment, Connection, Reset
from compiler.timing import untimely

LONGEST = 1 << 20  # time steps of a fixation, and more than any level or stream
LARGEST_TRANSFER = (1 << ACCUMULATOR >> ACCUMULATOR_BITS) - 1  # of a tag
LONGEST_PRESENTATION = 1 << 16
SEQUENCE_MAX = 255  # 8 bits, and a sign
Range = tuple[str, int, int, int]  # name, value, lowest, highest


def fault(program: Program) -> str | None:
    """The first thing that no engine could execute, in words, or None."""
    for name, value, low, high in _ranges(program):
        if not low <= value <= high:
            return f"{name} is {value}, not between {low} and {high}"
    return next(_faults(program), None)


def _ranges(program: Program) -> Iterator[Range]:
    timetable = program.timetable
    yield "seed", program.seed, 0, 2**32 - 1
    yield "weight_max", program.weight_max, 1, 127
    yield "tag_max", program.tag_max, 1, 2**14
    counting = program.plastic or bool(program.gates)  # counts are then sent, in 8 bits
    yield "the number of steps", timetable.steps, 1, 255 if counting else LONGEST_PRESENTATION
    yield "the period", timetable.period, timetable.steps, LONGEST
    last = timetable.period - 1
    for kind in ("retro", "predict"):
        yield f"the step {kind}", getattr(timetable, kind), 0, LONGEST  # unused without learning
    for population in program.populations:
        yield from _of_population(population, last)
    for s in program.synapses:
        yield f"{s.name}: delivery_shift", s.delivery_shift, 0, 31
        yield f"{s.name}: index", s.index, 0, LONGEST
        yield f"{s.name}: averaged", s.averaged, 0, LONGEST
        yield f"{s.name}: fine", s.fine, 0, FINEST if s.in_turn or s.paired else 0
        yield f"{s.name}: delay", s.delay, 0, LONGEST
        for step in (*s.listens, *s.slots):
            yield f"{s.name}: a step", step, 0, last
    for gate in program.gates:
        for margin in gate.margins:
            yield f"{gate.name}: margin", margin, -MEMBRANE_MAX, MEMBRANE_MAX
        yield f"{gate.name}: the number of classes", gate.classes, 0, 127
        yield f"{gate.name}: score_shift", gate.score_shift, 0, 31
        yield f"{gate.name}: the bits of a serial score", gate.serial, 0, 24
        yield f"{gate.name}: noise", gate.noise, 0, MEMBRANE_BITS
        yield f"{gate.name}: stream", gate.stream, 0, 2**31
        yield f"{gate.name}: after", gate.after, 0, LONGEST
        yield f"{gate.name}: the number of score factors", len(gate.score), 1, 2


def _of_population(population: ProgramPopulation, last: int) -> Iterator[Range]:
    name, soma = population.name, population.soma
    yield f"{name}: size", population.size, 1, 1 << 24
    yield f"{name}: level", population.level, 0, LONGEST
    yield f"{name}: sequence", population.sequence, 0, SEQUENCE_MAX
    if population.shape is not None:
        for side in population.shape:
            yield f"{name}: a side of its map", side, 1, 1 << 24
    if isinstance(soma, Soma):
        yield f"{name}: input_shift", soma.input_shift, 0, 23
        for what, values, low, high in (
            ("decay", soma.decay, 0, DECAY_ONE),
            ("threshold", soma.threshold, 0, MEMBRANE_MAX),
            ("bias", soma.bias, -MEMBRANE_MAX, MEMBRANE_MAX),
            ("current_decay", soma.current_decay, 0, DECAY_ONE),
            ("start", soma.start, -MEMBRANE_MAX, MEMBRANE_MAX),
        ):
            some = values if isinstance(values, tuple) else () if values is None else (values,)
            for extreme in (min(some, default=0), max(some, default=0)):
                yield f"{name}: {what}", extreme, low, high
    if isinstance(soma, Tally):
        yield f"{name}: most", soma.most, 1, 1 << 24
    for message in population.messages:
        yield f"{name}: step of a message", message.step, 0, LONGEST
        yield f"{name}: drop", message.drop, 0, 23
        yield f"{name}: lift", message.lift, 0, 15
    for value in population.post_values:
        yield f"{name}: step of a post value", value.step, 0, last
        yield f"{name}: the number of factors", len(value.factors), 0, 3
        yield f"{name}: multiplier", value.multiplier, -(2**15), 2**15
        yield f"{name}: shift", value.shift, 0, 31
        yield f"{name}: granularity", value.granularity, 1, 128
        yield f"{name}: stream", value.stream, 0, 2**31
        yield f"{name}: reward", value.reward, 0, MEMBRANE_MAX


def _faults(program: Program) -> Iterator[str]:
    sizes = {p.name: p.size for p in program.populations}
    signals = {*program.modulators, *(g.name for g in program.gates)}
    critics = {g.name: g for g in program.gates if g.points}
    if len(sizes) != len(program.populations):
        yield "two populations have the same name"
    if all(p.soma is not None for p in program.populations):
        yield "there is no input population"
    for population in program.populations:
        yield from _of_soma(population)
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
        yield from _of_averages(program, population)
        yield from _of_sequence(program, population)
    for gate in program.gates:
        if gate.population not in sizes or gate.modulator not in program.modulators:
            yield f"{gate.name} names what does not exist"
        if (gate.points or gate.noise or gate.after) and not gate.classes:
            yield f"{gate.name} is no critic, and points, waits, or hears noise"
        if Quantity.WINNER in gate.score:
            yield f"{gate.name} reads who has won, which only a message tells"
        if gate.norm is not None and gate.norm not in PRE_QUANTITIES:
            yield f"{gate.name} forms the norm of {gate.norm.value}, which is no count"
        if gate.serial and (gate.norm is not None or gate.classes):
            yield f"{gate.name} forms a norm or rewards, from messages bit by bit"
        if gate.population in sizes and program.population(gate.population).soma is None:
            yield f"{gate.name} compares the input {gate.population}"
    mapped = [p.name for p in program.populations if p.shape is not None]
    mapped += [p.name for p in program.populations if isinstance(p.soma, Relay | Tally)]
    for s in program.synapses:
        if general(s) and mapped:
            yield f"{s.name} learns at any step beside the map {mapped[0]}"
        if general(s):
            yield from _beside_spike_times(program, s)
        yield from _of_synapses(program, s, sizes)
    yield from misplaced(program)
    yield from unpaired(program)
    yield from untimely(program)
    yield from overflowing(program)


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


def _of_synapses(program: Program, s: Synapses, sizes: dict[str, int]) -> Iterator[str]:
    if s.source not in sizes or s.target not in sizes:
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
