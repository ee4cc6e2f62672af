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
from compiler.backends.simulator.arrivals import (
    Places,
    compartments,
    message_operands,
    presentation,
    recurrent,
)
from compiler.backends.simulator.operations import (
    FIELD_OF,
    FUNCTIONS,
    ONE,
    OPERANDS,
    RECTIFIED,
    Op,
)
from compiler.backends.simulator.order import places
from compiler.connectivity import synapse_count
from compiler.events.notes import Note, carried, notes
from compiler.products import direct, in_slots, managed, transfers
from compiler.program import Program, ProgramPopulation, Synapses, Tally
from compiler.recurrence import bands
from compiler.terms import Connection, Quantity
from compiler.turns import Turns, in_turn, turns_of


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
    sequences: dict[str, int]  # where what each input is given lies among all that is given
    given: int
    signals: dict[str, int]
    operations: np.ndarray  # (n, OPERANDS) int64; column 0 the code
    times: np.ndarray  # (n,) global time of each operation within the fixation
    learners: stepwise.Learners  # the rules that may learn at any step
    notes: dict[Note, int]  # the column of each


def factor_code(quantity: Quantity) -> int:
    """The operand that stands for a post factor."""
    return FUNCTIONS[quantity] if quantity in FUNCTIONS else int(FIELD_OF[quantity])


def lay_out(program: Program, learn: bool, *, each_step: bool = False) -> Layout:
    """Assigns offsets and writes the operation table.

    With `each_step` positions that learn in turn have operations of their own, for those who look
    at weights in between. Without `learn` the operations that only serve learning are left out
    (scores, predictions, spatial means, plasticity), so inference costs what the forward pass
    costs.
    """
    offsets = _starts([(p.name, p.size) for p in program.populations])
    starts = _starts([(s.name, s.weights.size) for s in program.synapses])
    signals = {
        name: i for i, name in enumerate((*program.modulators, *(g.name for g in program.gates)))
    }
    sequences = _starts([(p.name, p.size) for p in program.populations if p.sequence])
    lying = Places(offsets, starts, sequences)
    together = bands(program)
    columns = notes(program)
    table: list[tuple[float, list[int]]] = []
    by_step = learn and any(stepwise.by_step(s) for s in program.synapses)
    present = stepwise.presentation if by_step else presentation
    for population in program.populations:
        if isinstance(population.soma, Tally) and not learn:
            continue
        if not any(population.level in band for band in together) or population.soma is None:
            table += present(program, population, lying)
        if learn:
            table += compartments(program, population, offsets, starts, columns)
            table += _averages(program, population, offsets, signals)
            table += _post_values(program, population, offsets, signals, columns)
            table += _end(program, population, offsets)
    for band in together:
        table += recurrent(program, band, lying)
    if learn:
        table += _gates(program, offsets, signals, columns)
        table += _plasticity(program, offsets, starts, each_step, columns)
        table += stepwise.plasticity(program, columns)
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
        inputs=tuple(p for p in program.populations if p.soma is None and not p.sequence),
        sequences=sequences,
        given=sum(p.size for p in program.populations if p.sequence),
        signals=signals,
        operations=operations,
        times=np.array([int(time) for time, _ in table], np.int64),
        learners=stepwise.learners(program, offsets, starts),
        notes=columns,
    )


def _starts(sizes: list[tuple[str, int]]) -> dict[str, int]:
    starts, total = {}, 0
    for name, size in sizes:
        starts[name] = total
        total += size
    return starts


# Fractions order what happens in the same time step: what is received (.0), gates (.1), values
# written by the soma (.2), messages on their way (.3), learning (.4), the carry (.5), the end (.9),
# the management processor (.95), which waits for the last time step of the fixation.


def _end(
    program: Program, population: ProgramPopulation, offsets: dict[str, int]
) -> list[tuple[float, list[int]]]:
    time = program.timetable.predict + population.level + 0.9
    index = program.population_row[population.name]
    return [(time, [Op.END, offsets[population.name], population.size, index])]


def _averages(
    program: Program,
    population: ProgramPopulation,
    offsets: dict[str, int],
    signals: dict[str, int],
) -> list[tuple[float, list[int]]]:
    kept = population.averages
    if kept is None:
        return []
    place = [offsets[population.name], population.size, program.population_row[population.name]]
    how = [signals[kept.signal], kept.multiplier, kept.shift, kept.fraction, kept.epsilon]
    return [(population.level + program.timetable.steps + 0.15, [Op.AVERAGE, *place, *how])]


def _post_values(
    program: Program,
    population: ProgramPopulation,
    offsets: dict[str, int],
    signals: dict[str, int],
    columns: dict[Note, int],
) -> list[tuple[float, list[int]]]:
    rows: list[tuple[float, list[int]]] = []
    index = program.population_row[population.name]
    pointing = {g.name: [i, g.classes] for i, g in enumerate(program.gates) if g.points}
    for part, value in enumerate(population.post_values):
        factors = [factor_code(q) for q in value.factors]
        factors += [ONE] * (3 - len(factors))
        signal = -1 if value.gate is None else signals[value.gate]
        scale = [value.multiplier, value.shift, value.granularity, value.stream]
        delay = 1 + population.level + value.step
        head = [index, offsets[population.name], population.size, int(value.register[1:]) - 1]
        how = [delay, RECTIFIED[value.rectified], population.map[0], value.reward]
        how += pointing.get(value.gate or "", [-1, 1])
        how.append(columns[Note("written", population.name, part)])
        row = [Op.POST, *head, *factors, signal, *scale, *how]
        rows.append((population.level + value.step + 0.2, row))
    return rows


def _gates(
    program: Program,
    offsets: dict[str, int],
    signals: dict[str, int],
    columns: dict[Note, int],
) -> list[tuple[float, list[int]]]:
    rows: list[tuple[float, list[int]]] = []
    for i, gate in enumerate(program.gates):
        population = program.population(gate.population)
        place = [offsets[population.name], population.size]
        factors = [factor_code(q) for q in gate.score]
        factors += [ONE] * (2 - len(factors))
        index = program.population_row[population.name]
        decide = [gate.score_shift, signals[gate.modulator], index, *gate.margins]
        norm = ONE if gate.norm is None else factor_code(gate.norm)
        steps = program.timetable.steps
        sent = 1 + population.level + gate.sent(steps)
        how = [norm, gate.classes, int(gate.points), gate.noise, gate.stream]
        how += [sent, population.map[0], gate.largest_message, gate.serial]
        how.append(columns[Note("said", gate.name)])
        row = [Op.GATE, i, *place, *factors, *decide, *how]
        rows.append((population.level + gate.decided(steps) - 0.9, row))
    return rows


def _plasticity(
    program: Program,
    offsets: dict[str, int],
    starts: dict[str, int],
    each_step: bool,
    columns: dict[Note, int],
) -> list[tuple[float, list[int]]]:
    rows: list[tuple[float, list[int]]] = []
    for i, s in enumerate(program.synapses):
        if s.rule is None or not in_slots(s):
            continue
        source, target = program.population(s.source), program.population(s.target)
        for part, slot in enumerate(s.slots):
            noted = columns[Note("learned", s.name, part)]
            turns = turns_of(program, s) if in_turn(s) else None
            climbs = target.level - source.level
            heard = slot + climbs if turns is None else turns.sent(slot, climbs)
            message = source.message(heard)
            delay = 1 + target.level + slot
            sent = [offsets[s.source], source.size, *message_operands(message)]
            register = [int(s.rule.register[1:]) - 1, offsets[s.target]]
            how = [s.rule.exponent, s.index, delay]
            if turns is not None:
                how[-1] = 1 + target.level + turns.learned(slot)
                head = [Op.LEARN_IN_TURN, i, starts[s.name], *sent, *register, *how, *_window(s)]
                head += source.map[1:]
                rows += _in_turn(turns, target.level + slot, head, noted, each_step)
                continue
            if s.connection is Connection.UNTIED:
                learn = [Op.LEARN_COPIES, i, starts[s.name], *sent, *register, *how, *_window(s)]
                learn += [*source.map[1:], noted]
            else:
                learn = [Op.LEARN, i, starts[s.name], *sent, *register, *how, target.size]
                learn += [int(direct(s.rule)), noted]
            rows.append((target.level + slot + 0.4, learn))
        if managed(s):
            size = [s.weights.size, s.averaged, s.tag_units, program.largest_tag(s)]
            row = [Op.CARRY_OVER, i, starts[s.name], *size, -1, -1]
            rows.append((program.timetable.period - 1 + 0.95, row))
            continue
        if s.paired:
            high = [program.synapse_row[s.into], starts[s.into]]
            size = [s.weights.size, s.averaged, 1 << s.fine, program.weight_max]
            row = [Op.CARRY_OVER, *high, *size, i, starts[s.name]]
            rows.append((program.timetable.period - 1 + 0.95, row))
        if not carried(s):
            continue
        tau = program.timetable.last_tau(target.level)
        mask = (1 << s.rule.carry_exponent) - 1
        real = synapse_count(s.connection, s.weights.shape, source.map, target.map, s.geometry)
        size = [s.weights.size, real]
        carry = [Op.CARRY, i, starts[s.name], *size, mask, 1 + target.level + tau]
        carry += [target.size, s.index] if transfers(s.rule) else [0, 0]
        carry.append(columns[Note("carried", s.name)])
        rows.append((target.level + tau + 0.5, carry))
        if s.averaged:
            where = [i, starts[s.name], *_window(s), *source.map[1:], real, s.averaged]
            rows.append((program.timetable.period - 1 + 0.95, [Op.AVERAGE_COPIES, *where]))
    return rows


def _window(s: Synapses) -> list[int]:
    """Channels of the target and of the source, and the side of kernels."""
    out, channels, kernel, _ = s.weights.shape[-4:]
    return [out, channels, kernel]


def _in_turn(
    turns: Turns, slot: float, head: list[int], noted: int, each_step: bool
) -> list[tuple[float, list[int]]]:
    """The epochs of all positions: what they read does not change before the last turn is over."""
    positions = turns.height * turns.width
    if not each_step:
        return [(slot + 0.4, [*head, 0, positions, noted])]
    learned = turns.learned(0) + turns.of_positions()
    return [(slot + int(step) + 0.4, [*head, p, p + 1, noted]) for p, step in enumerate(learned)]
