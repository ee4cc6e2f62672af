"""A program laid out in flat arrays, and its fixation as a table of operations.

Neurons of all populations lie behind one another in every state array, synapses of all
projections in one weight and one tag array. The operation table is ordered by global time within
a fixation (tau + level), which is the order in which the chip's levels, each one step behind the
one below, do the same things; nothing in it flows against that order, so whole fixations can be
executed one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from compiler.backends.simulator.order import places
from compiler.ir import Compartment, Connection, Quantity
from compiler.program import Message, Program, ProgramPopulation, Relay, Synapses


class Op(IntEnum):
    """Operation codes; the comment gives the operands, `interpreter.py` the meaning."""

    CURRENT = 0  # size: clears the current buffer
    DRIVE_GRADED = 1  # start, n_post, source, n_pre, field, drop, lift
    DRIVE_SPIKES = 2  # start, n_post, source population
    INTEGRATE = 3  # population, offset, size, decay, threshold, scale of currents, zero reset
    GATE = 4  # gate, offset, size, factor, factor, score shift, signal, population, margin where
    #           y = +1, and where y = -1, factor of the norm
    CLEAR = 5  # field, offset, size
    DELIVER = 6  # start, n_post, source, n_pre, field, drop, lift, shift, to field, target
    SATURATE = 7  # field, offset, size, population
    POST = 8  # population, offset, size, register, f, f, f, signal, mult, shift, grain, stream, dt,
    #           rectified (0 not, 1 half, 2 full)
    LEARN = 9  # synapses, start, n_post, source, n_pre, field, drop, lift, register, target,
    #            exponent, stream, dt
    CARRY = 10  # synapses, start, size, mask, dt
    END = 11  # offset, size, population: counts become previous counts
    PRESENT = 12  # offset, size, population: counts the input neurons that send anything
    AVERAGE = 13  # offset, size, population, signal, multiplier, shift, fraction, epsilon
    CONVOLVE_GRADED = 14  # synapses, start, C_out, source, C_in, field, drop, lift, h, w, kernel
    CONVOLVE_SPIKES = 15  # synapses, start, C_out, source population, C_in, height, width, kernel
    POOL = 16  # synapses, start, source population, channels, height, width of the source
    RELAY = 17  # population, offset, size


class Field(IntEnum):
    """Rows of the state array (fields x neurons, int32)."""

    MEMBRANE = 0  # of a relay: the bit of its winner
    COUNT = 1
    PREVIOUS = 2
    APICAL = 3
    RETRO = 4
    FIRED = 5  # a mask: all bits set where the neuron spiked in the last step
    MEAN = 6
    VARIANCE = 7
    DEVIATION = 8


FIELD_OF = {
    Quantity.COUNT: Field.COUNT,
    Quantity.PREVIOUS_COUNT: Field.PREVIOUS,
    Quantity.APICAL: Field.APICAL,
    Quantity.RETRO: Field.RETRO,
    Quantity.DEVIATION: Field.DEVIATION,
}
# Codes of post factors: a state field, or one of these functions of them; -1 is the factor 1.
SURROGATE, PREVIOUS_SURROGATE, CHANGE, ONE = 100, 101, 102, -1
FUNCTIONS = {
    Quantity.SURROGATE: SURROGATE,
    Quantity.PREVIOUS_SURROGATE: PREVIOUS_SURROGATE,
    Quantity.CHANGE: CHANGE,
}
RECTIFIED = {"": 0, "half": 1, "full": 2}
COMPARTMENT_FIELD = {Compartment.APICAL: Field.APICAL, Compartment.RETRO: Field.RETRO}

OPERANDS = 15


@dataclass(frozen=True)
class Layout:
    """Where everything lies, and the operations of one fixation.

    `places` are where each population's neurons lie, in the program's order.
    """

    offsets: dict[str, int]
    places: dict[str, np.ndarray]
    neurons: int
    starts: dict[str, int]
    synapses: int
    widest: int
    inputs: tuple[ProgramPopulation, ...]
    signals: dict[str, int]
    operations: np.ndarray  # (n, OPERANDS) int64; column 0 the code
    times: np.ndarray  # (n,) global time of each operation within the fixation


def factor_code(quantity: Quantity) -> int:
    """The operand that stands for a post factor."""
    return FUNCTIONS[quantity] if quantity in FUNCTIONS else int(FIELD_OF[quantity])


def lay_out(program: Program, learn: bool) -> Layout:
    """Assigns offsets and writes the operation table.

    Without `learn` the operations that only serve learning are left out (scores, predictions,
    plasticity), so inference costs what the forward pass costs.
    """
    offsets = _starts([(p.name, p.size) for p in program.populations])
    starts = _starts([(s.name, s.weights.size) for s in program.synapses])
    signals = {
        name: i for i, name in enumerate((*program.modulators, *(g.name for g in program.gates)))
    }
    table: list[tuple[float, list[int]]] = []
    for population in program.populations:
        table += _presentation(program, population, offsets, starts)
        if learn:
            table += _compartments(program, population, offsets, starts)
            table += _averages(program, population, offsets, signals)
            table += _post_values(program, population, offsets, signals)
            table += _end(program, population, offsets)
    if learn:
        table += _gates(program, offsets, signals)
        table += _plasticity(program, offsets, starts)
    table.sort(key=lambda row: row[0])
    operations = np.zeros((len(table), OPERANDS), np.int64)
    for i, (_, row) in enumerate(table):
        operations[i, : len(row)] = row
    return Layout(
        offsets=offsets,
        places={p.name: offsets[p.name] + places(p) for p in program.populations},
        neurons=sum(p.size for p in program.populations),
        starts=starts,
        synapses=sum(s.weights.size for s in program.synapses),
        widest=max(p.size for p in program.populations),
        inputs=tuple(p for p in program.populations if p.soma is None),
        signals=signals,
        operations=operations,
        times=np.array([int(time) for time, _ in table], np.int64),
    )


def _starts(sizes: list[tuple[str, int]]) -> dict[str, int]:
    starts, total = {}, 0
    for name, size in sizes:
        starts[name] = total
        total += size
    return starts


def _message_operands(message: Message) -> list[int]:
    return [int(FIELD_OF[message.quantity]), message.drop, message.lift]


def _into(program: Program, name: str, compartment: Compartment) -> list[Synapses]:
    return [s for s in program.synapses if s.target == name and s.compartment is compartment]


# Fractions order what happens in the same time step: what is received (.0), gates (.1), values
# written by the soma (.2), messages on their way (.3), learning (.4), the carry (.5), the end (.9).


def _presentation(
    program: Program, population: ProgramPopulation, offsets: dict[str, int], starts: dict[str, int]
) -> list[tuple[float, list[int]]]:
    soma = population.soma
    time = program.timetable.steps - 1 + population.level
    index = program.populations.index(population)
    place = [offsets[population.name], population.size]
    if soma is None:
        return [(time, [Op.PRESENT, *place, index])]
    rows: list[tuple[float, list[int]]] = [(time, [Op.CURRENT, population.size])]
    for s in _into(program, population.name, Compartment.SOMA):
        rows.append((time, _drive(program, population, s, offsets, starts)))
    if isinstance(soma, Relay):
        return [*rows, (time, [Op.RELAY, index, *place])]
    neuron = [soma.decay, soma.threshold, 1 << soma.input_shift, int(soma.reset == "zero")]
    return [*rows, (time, [Op.INTEGRATE, index, *place, *neuron])]


def _drive(
    program: Program,
    population: ProgramPopulation,
    s: Synapses,
    offsets: dict[str, int],
    starts: dict[str, int],
) -> list[int]:
    """The operation that adds up what a projection brings to the soma."""
    source = program.population(s.source)
    spiking = program.populations.index(source)
    channels, *sides = source.map
    if s.connection is Connection.POOL:
        index = program.synapses.index(s)
        return [Op.POOL, index, starts[s.name], spiking, channels, *sides]
    if s.connection is Connection.CONVOLUTION:
        head = [program.synapses.index(s), starts[s.name], population.map[0]]
        window = [*sides, s.weights.shape[-1]]
        if not population.latched:
            return [Op.CONVOLVE_SPIKES, *head, spiking, channels, *window]
        sent = _message_operands(source.message(0))
        return [Op.CONVOLVE_GRADED, *head, offsets[s.source], channels, *sent, *window]
    if not population.latched:
        return [Op.DRIVE_SPIKES, starts[s.name], population.size, spiking]
    where = [starts[s.name], population.size, offsets[s.source], source.size]
    return [Op.DRIVE_GRADED, *where, *_message_operands(source.message(0))]


def _end(
    program: Program, population: ProgramPopulation, offsets: dict[str, int]
) -> list[tuple[float, list[int]]]:
    time = program.timetable.predict + population.level + 0.9
    index = program.populations.index(population)
    return [(time, [Op.END, offsets[population.name], population.size, index])]


def _compartments(
    program: Program, population: ProgramPopulation, offsets: dict[str, int], starts: dict[str, int]
) -> list[tuple[float, list[int]]]:
    rows: list[tuple[float, list[int]]] = []
    place = [offsets[population.name], population.size]
    index = program.populations.index(population)
    for compartment, target in COMPARTMENT_FIELD.items():
        arriving = _into(program, population.name, compartment)
        if not arriving:
            continue
        sent = [program.population(s.source).level + s.listens[0] + 0.3 for s in arriving]
        rows.append((min(sent) - 0.01, [Op.CLEAR, int(target), *place]))
        for s, time in zip(arriving, sent, strict=True):
            source = program.population(s.source)
            where = [starts[s.name], population.size, offsets[s.source], source.size]
            operands = _message_operands(source.message(s.listens[0]))
            to = [s.delivery_shift, int(target), place[0]]
            rows.append((time, [Op.DELIVER, *where, *operands, *to]))
        rows.append((max(sent) + 0.01, [Op.SATURATE, int(target), *place, index]))
    return rows


def _averages(
    program: Program,
    population: ProgramPopulation,
    offsets: dict[str, int],
    signals: dict[str, int],
) -> list[tuple[float, list[int]]]:
    kept = population.averages
    if kept is None:
        return []
    place = [offsets[population.name], population.size, program.populations.index(population)]
    how = [signals[kept.signal], kept.multiplier, kept.shift, kept.fraction, kept.epsilon]
    return [(population.level + program.timetable.steps + 0.15, [Op.AVERAGE, *place, *how])]


def _post_values(
    program: Program,
    population: ProgramPopulation,
    offsets: dict[str, int],
    signals: dict[str, int],
) -> list[tuple[float, list[int]]]:
    rows: list[tuple[float, list[int]]] = []
    index = program.populations.index(population)
    for value in population.post_values:
        factors = [factor_code(q) for q in value.factors]
        factors += [ONE] * (3 - len(factors))
        signal = -1 if value.gate is None else signals[value.gate]
        scale = [value.multiplier, value.shift, value.granularity, value.stream]
        delay = 1 + population.level + value.step
        head = [index, offsets[population.name], population.size, int(value.register[1:]) - 1]
        row = [Op.POST, *head, *factors, signal, *scale, delay, RECTIFIED[value.rectified]]
        rows.append((population.level + value.step + 0.2, row))
    return rows


def _gates(
    program: Program, offsets: dict[str, int], signals: dict[str, int]
) -> list[tuple[float, list[int]]]:
    rows: list[tuple[float, list[int]]] = []
    for i, gate in enumerate(program.gates):
        population = program.population(gate.population)
        place = [offsets[population.name], population.size]
        factors = [factor_code(q) for q in gate.score]
        factors += [ONE] * (2 - len(factors))
        index = program.populations.index(population)
        decide = [gate.score_shift, signals[gate.modulator], index, *gate.margins]
        norm = ONE if gate.norm is None else factor_code(gate.norm)
        time = population.level + gate.decided(program.timetable.steps) - 0.9
        rows.append((time, [Op.GATE, i, *place, *factors, *decide, norm]))
    return rows


def _plasticity(
    program: Program, offsets: dict[str, int], starts: dict[str, int]
) -> list[tuple[float, list[int]]]:
    rows: list[tuple[float, list[int]]] = []
    for i, s in enumerate(program.synapses):
        if s.rule is None:
            continue
        source, target = program.population(s.source), program.population(s.target)
        for slot in s.slots:
            message = source.message(slot + target.level - source.level)
            delay = 1 + target.level + slot
            where = [i, starts[s.name], target.size, offsets[s.source], source.size]
            register = [int(s.rule.register[1:]) - 1, offsets[s.target]]
            how = [s.rule.exponent, s.index, delay]
            row = [Op.LEARN, *where, *_message_operands(message), *register, *how]
            rows.append((target.level + slot + 0.4, row))
        period = program.timetable.period
        tau = (period - 1 - target.level) % period
        mask = (1 << s.rule.carry_exponent) - 1
        row = [Op.CARRY, i, starts[s.name], s.weights.size, mask, 1 + target.level + tau]
        rows.append((target.level + tau + 0.5, row))
    return rows
