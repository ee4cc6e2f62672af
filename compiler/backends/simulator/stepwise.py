"""The operations of a fixation in which synapses learn at every time step, and their tables.

Where a rule is a general sum of products, weights may change between two steps of a presentation.
Then every population is integrated step by step, in the order in which the chip does it: neurons
integrate what arrived and spike (.0), spikes leave through the weights of before (.3), synapses
learn (.4). A synapse's epoch at its source's tau sees the target's spikes of that same time step,
which is at the target's own tau minus the levels that the projection climbs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from compiler.backends.simulator.arrivals import Places
from compiler.backends.simulator.operations import FIELD_OF, Op
from compiler.backends.simulator.rule_table import rule_tables
from compiler.events.notes import Note
from compiler.ir import Compartment
from compiler.products import TRACES, decimations, in_slots
from compiler.program import Program, ProgramPopulation, Soma, SumOfProducts, Synapses
from compiler.rounding import trace_stream

Rows = list[tuple[float, list[int]]]


class Learner(IntEnum):
    """Columns of the table of projections with a general rule."""

    SYNAPSES = 0
    START = 1
    N_POST = 2
    N_PRE = 3
    SOURCE = 4  # population, and where its neurons begin
    SOURCE_OFFSET = 5
    TARGET = 6
    TARGET_OFFSET = 7
    PRODUCTS = 8  # first row in the table of products, and the end
    PRODUCTS_END = 9
    TRACES = 10  # the same of traces
    TRACES_END = 11
    VALUES = 12  # where the values of x1, x2, y1, y2, y3 begin, one behind the other
    STREAM = 13
    MASK = 14  # of u_k; -1 where no product has one
    OVERWRITTEN = 15  # whether x1 takes half of each message: there is no trace x1


@dataclass(frozen=True)
class Learners:
    """All general rules of a program as integers; empty where there are none."""

    projections: np.ndarray  # (n, Learner) int64
    products: np.ndarray
    factors: np.ndarray
    traces: np.ndarray  # (n, 4) int64: index in `products.TRACES`, decay, impulse, random stream
    values: int  # how many trace values there are


def by_step(s: Synapses) -> bool:
    """Whether synapses may learn at any time step."""
    return s.rule is not None and not in_slots(s)


def learners(program: Program, offsets: dict[str, int], starts: dict[str, int]) -> Learners:
    """The tables, with offsets of populations and starts of projections."""
    chosen = [s for s in program.synapses if by_step(s)]
    rules = [s.rule for s in chosen if s.rule is not None]
    products, factors, bounds = rule_tables(rules)
    names = [p.name for p in program.populations]
    rows: list[list[int]] = []
    traces: list[list[int]] = []
    values = 0
    for g, (s, rule) in enumerate(zip(chosen, rules, strict=True)):
        first = len(traces)
        traces += _traces(s, rule)
        n_post, n_pre = s.weights.shape
        source, target = names.index(s.source), names.index(s.target)
        rows.append(
            [program.synapse_row[s.name], starts[s.name], n_post, n_pre,
             source, offsets[s.source], target, offsets[s.target],
             bounds[g], bounds[g + 1], first, len(traces), values, s.index,
             _mask(rule), int(all(trace.name != "x1" for trace in rule.traces))]
        )  # fmt: skip
        values += 2 * n_pre + 3 * n_post
    return Learners(
        np.array(rows, np.int64).reshape(-1, len(Learner)),
        products,
        factors,
        np.array(traces, np.int64).reshape(-1, 4),
        values,
    )


def _traces(s: Synapses, rule: SumOfProducts) -> list[list[int]]:
    codes = [TRACES.index(trace.name) for trace in rule.traces]
    return [
        [code, trace.decay, trace.impulse, trace_stream(s.index, code)]
        for code, trace in zip(codes, rule.traces, strict=True)
    ]


def _mask(rule: SumOfProducts) -> int:
    found = decimations(rule)
    return (1 << found.pop()) - 1 if found else -1


def presentation(program: Program, population: ProgramPopulation, places: Places) -> Rows:
    """The population's neurons, step by step, and what it sends."""
    offsets, starts = places.offsets, places.starts
    steps, level, soma = program.timetable.steps, population.level, population.soma
    index = program.population_row[population.name]
    place = [index, offsets[population.name], population.size]
    rows: Rows = []
    if soma is None:
        rows.append((level, [Op.PRESENT, *place[1:], index]))
        if population.spikes:
            rows.append((level, [Op.ENCODE, *place]))
    else:
        assert isinstance(soma, Soma), "no relays beside rules that learn at any step"
        assert soma.plain is not None, "no others beside rules that learn at any step"
        neuron = [*soma.plain, 1 << soma.input_shift, int(soma.reset == "zero")]
        for tau in range(steps):
            rows.append((level + tau, [Op.STEP, *place, *neuron, tau]))
    for s in program.synapses:
        if s.source != population.name or s.compartment is not Compartment.SOMA:
            continue
        head = [starts[s.name], s.weights.shape[0]]
        target = offsets[s.target]
        if population.spiking:
            for tau in range(steps):
                rows.append((level + tau + 0.3, [Op.SEND_SPIKES, *head, index, tau, target]))
        else:
            message = population.message(0)
            sent = [place[1], population.size, int(FIELD_OF[message.quantity])]
            row = [Op.SEND_GRADED, *head, *sent, message.drop, message.lift, target]
            rows.append((level + 0.3, row))
    return rows


def plasticity(program: Program, columns: dict[Note, int]) -> Rows:
    """An epoch at every step of every projection with a general rule."""
    rows: Rows = []
    timetable = program.timetable
    for g, s in enumerate([s for s in program.synapses if by_step(s)]):
        source, target = program.population(s.source), program.population(s.target)
        sent = {m.step: m for m in source.messages}
        for tau in range(timetable.period):
            other = tau - (target.level - source.level)
            message = sent.get(tau)
            graded = [-1, 0, 0]
            if message is not None:
                graded = [int(FIELD_OF[message.quantity]), message.drop, message.lift]
            pre = tau if source.spiking and tau < timetable.steps and message is None else -1
            post = other if target.soma is not None and 0 <= other < timetable.steps else -1
            written = {v.register for v in target.post_values if v.step == other}
            mask = sum(1 << (int(register[1:]) - 1) for register in written)
            delay = 1 + source.level + tau
            noted = columns[Note("visited", s.name, tau)]
            row = [Op.EPOCH, g, pre, post, *graded, mask, delay, noted]
            rows.append((source.level + tau + 0.4, row))
    return rows
