"""A program laid out in flat arrays, and its fixation as a table of operations.

Neurons of all populations lie behind one another in every state array, synapses of all
projections in one weight and one tag array. The operation table is ordered by global time within
a fixation (tau + level), which is the order in which the chip's levels, each one step behind the
one below, do the same things; nothing in it flows against that order, so whole fixations can be
executed one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compiler.backends.simulator import stepwise
from compiler.backends.simulator.operations import (
    COMPARTMENT_FIELD,
    FIELD_OF,
    FUNCTIONS,
    ONE,
    OPERANDS,
    RECTIFIED,
    Op,
)
from compiler.backends.simulator.order import places
from compiler.ir import Compartment, Connection, Quantity
from compiler.products import carries, general
from compiler.program import Message, Program, ProgramPopulation, Relay, Synapses


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
    learners: stepwise.Learners  # the rules that may learn at any step


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
    by_step = learn and any(general(s) for s in program.synapses)
    present = stepwise.presentation if by_step else _presentation
    for population in program.populations:
        table += present(program, population, offsets, starts)
        if learn:
            table += _compartments(program, population, offsets, starts)
            table += _averages(program, population, offsets, signals)
            table += _post_values(program, population, offsets, signals)
            table += _end(program, population, offsets)
    if learn:
        table += _gates(program, offsets, signals)
        table += _plasticity(program, offsets, starts)
        table += stepwise.plasticity(program)
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
        learners=stepwise.learners(program, offsets, starts),
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
        spikes = [Op.ENCODE, index, *place]
        return [(time, [Op.PRESENT, *place, index]), *([(time, spikes)] * population.spikes)]
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
    number = program.populations.index(source)
    channels, *sides = source.map
    if s.connection is Connection.POOL:
        index = program.synapses.index(s)
        return [Op.POOL, index, starts[s.name], number, channels, *sides]
    if s.connection is Connection.CONVOLUTION:
        head = [program.synapses.index(s), starts[s.name], population.map[0]]
        window = [*sides, s.weights.shape[-1]]
        if not population.latched:
            return [Op.CONVOLVE_SPIKES, *head, number, channels, *window]
        sent = _message_operands(source.message(0))
        return [Op.CONVOLVE_GRADED, *head, offsets[s.source], channels, *sent, *window]
    if not population.latched:
        return [Op.DRIVE_SPIKES, starts[s.name], population.size, number]
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
        rows.append((time, [Op.GATE, i, *place, *factors, *decide, norm, gate.classes]))
    return rows


def _plasticity(
    program: Program, offsets: dict[str, int], starts: dict[str, int]
) -> list[tuple[float, list[int]]]:
    rows: list[tuple[float, list[int]]] = []
    for i, s in enumerate(program.synapses):
        if s.rule is None or not carries(s.rule):
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
        tau = program.timetable.last_tau(target.level)
        mask = (1 << s.rule.carry_exponent) - 1
        row = [Op.CARRY, i, starts[s.name], s.weights.size, mask, 1 + target.level + tau]
        rows.append((target.level + tau + 0.5, row))
    return rows
