"""The working memory of one simulated network, as compiled code takes it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from compiler.backends.simulator.kernels.sum_of_products import scratch_for
from compiler.backends.simulator.kernels.vectors import GROUP
from compiler.backends.simulator.memory import Layout
from compiler.backends.simulator.operations import Field
from compiler.backends.simulator.order import weight_rows
from compiler.events.columns import GateCount, PopulationCount, SynapseCount
from compiler.program import Program, Soma
from compiler.terms import per_neuron


class Clock(NamedTuple):
    """What the time step and the random numbers of an operation are made from.

    shared: one random number serves all synapses of a learning epoch.
    """

    period: int
    steps: int
    seed: int
    shared: bool


class Learners(NamedTuple):
    """Rules that may learn at any step, `stepwise.Learners`, and their traces and scratch."""

    projections: np.ndarray
    products: np.ndarray
    factors: np.ndarray
    traces: np.ndarray
    values: np.ndarray  # int16: of all traces
    x: np.ndarray  # (3, widest) int32: x0, x1, x2 of one projection
    y: np.ndarray  # (4, widest) int32: y0 to y3
    scratch: tuple[np.ndarray, ...]  # as `kernels.sum_of_products.epoch` takes it
    outcome: np.ndarray  # (4,) int64


class Working(NamedTuple):
    """Arrays that the kernels change in place; F fields, N neurons, P populations, T steps."""

    state: np.ndarray  # (F, N) int32, rows as in `operations.Field`
    weights: np.ndarray  # (synapses,) int8
    tags: np.ndarray  # (synapses,) int16
    registers: np.ndarray  # (3, N) int16: y1 to y3
    signals: np.ndarray  # modulators, then gates, int64
    scores: np.ndarray  # (gates,) int64
    named: np.ndarray  # (gates,) int64: the class that a critic's population names
    maxima: np.ndarray  # (2,) int64: of tags and of weights
    bias: np.ndarray  # (N,) int32
    current: np.ndarray  # (T + 1, widest) int32; the last row holds for all steps
    rows_fired: np.ndarray  # (P, T, widest + GROUP) int32: the neurons that spiked
    n_fired: np.ndarray  # (P, T) int32: how many; of an input, first, how many send an intensity
    n_active: np.ndarray  # (P, T) int32: updates of neurons that were not idle
    noted: np.ndarray  # int32: of this fixation, columns as in `compiler.events.notes`
    reached: np.ndarray  # (T, 2) int64: part of each step's list that is being added up
    arrived: np.ndarray  # (N,) int32: current of the next step, where populations go step by step
    held: np.ndarray  # (N,) int32: and what holds for the whole presentation
    sequence: np.ndarray  # (T, S) int32: what inputs are given step by step
    parameters: np.ndarray  # (4, N) int32: decay, threshold, decay of the current, start
    synaptic: np.ndarray  # (N,) int32: currents
    owed: np.ndarray  # (N,) int32: masks of those whose last spike has still to be paid for
    membrane_log: np.ndarray  # (T, N) int32, written where `log` is set
    runs: np.ndarray  # (kernel, 3) int64: rows of weights that one position needs
    payload: np.ndarray  # (widest,) int32, and three more pieces of scratch
    rows: np.ndarray  # (widest,) int32
    begins: np.ndarray  # (T, positions + 1) int32: where each position's spikes begin in a list
    products: np.ndarray  # (widest,) int64: of post factors
    words: np.ndarray  # (widest,) uint32: random words of post values
    noise: np.ndarray  # uint32: random bits of a row of synapses
    population_counts: np.ndarray  # (P, PopulationCount) int64
    synapse_counts: np.ndarray  # (projections, SynapseCount) int64
    gate_counts: np.ndarray  # (gates, GateCount) int64
    learners: Learners


def allocate(program: Program, layout: Layout) -> Working:
    """Everything at zero, but for the program's own weights, tags and averages."""
    steps, populations, widest = (
        program.timetable.steps,
        len(program.populations),
        layout.widest,
    )
    state = np.zeros((len(Field), layout.neurons), np.int32)
    for p in program.populations:
        if p.averages is not None:
            state[Field.MEAN, layout.places[p.name]] = p.averages.mean
            state[Field.VARIANCE, layout.places[p.name]] = p.averages.variance
    positions = max(p.map[1] * p.map[2] for p in program.populations)
    kernels = [s.weights.shape[-1] for s in program.synapses if s.weights.ndim in (4, 5)]
    gates = len(program.gates)
    return Working(
        state=state,
        weights=_flat(program, layout, {s.name: s.weights for s in program.synapses}, np.int8),
        tags=_flat(program, layout, {s.name: s.tags for s in program.synapses}, np.int16),
        registers=np.zeros((3, layout.neurons), np.int16),
        signals=np.zeros(len(program.modulators) + gates, np.int64),
        scores=np.zeros(gates, np.int64),
        named=np.zeros(gates, np.int64),
        maxima=np.array([program.tag_max, program.weight_max], np.int64),
        bias=_biases(program, layout),
        current=np.zeros((steps + 1, widest), np.int32),
        rows_fired=np.zeros((populations, steps, widest + GROUP), np.int32),
        n_fired=np.zeros((populations, steps), np.int32),
        n_active=np.zeros((populations, steps), np.int32),
        noted=np.zeros(len(layout.notes), np.int32),
        reached=np.zeros((steps, 2), np.int64),
        arrived=np.zeros(layout.neurons, np.int32),
        held=np.zeros(layout.neurons, np.int32),
        sequence=np.zeros((steps, layout.given), np.int32),
        parameters=_parameters(program, layout),
        synaptic=np.zeros(layout.neurons, np.int32),
        owed=np.zeros(layout.neurons, np.int32),
        membrane_log=np.zeros((steps, layout.neurons), np.int32),
        runs=np.zeros((max(kernels, default=0), 3), np.int64),
        payload=np.zeros(widest, np.int32),
        rows=np.zeros(widest, np.int32),
        begins=np.zeros((steps, positions + 1), np.int32),
        products=np.zeros(widest, np.int64),
        words=np.zeros(widest, np.uint32),
        noise=np.zeros((widest + 3) // 4, np.uint32),
        population_counts=np.zeros((populations, len(PopulationCount)), np.int64),
        synapse_counts=np.zeros((len(program.synapses), len(SynapseCount)), np.int64),
        gate_counts=np.zeros((max(gates, 1), len(GateCount)), np.int64),
        learners=_learners(layout),
    )


def _learners(layout: Layout) -> Learners:
    known, widest = layout.learners, layout.widest
    return Learners(
        projections=known.projections,
        products=known.products,
        factors=known.factors,
        traces=known.traces,
        values=np.zeros(known.values, np.int16),
        x=np.zeros((3, widest), np.int32),
        y=np.zeros((4, widest), np.int32),
        scratch=scratch_for(len(known.products), widest),
        outcome=np.zeros(4, np.int64),
    )


def _flat(
    program: Program, layout: Layout, values: dict[str, np.ndarray | None], dtype: type
) -> np.ndarray:
    """All projections behind one another as `order.weight_rows`; zero where there is nothing."""
    flat: np.ndarray = np.zeros(max(1, layout.synapses), dtype)
    for s in program.synapses:
        matrix, start = values[s.name], layout.starts[s.name]
        if matrix is not None:
            flat[start : start + matrix.size] = weight_rows(program, s, matrix)
    return flat


def _biases(program: Program, layout: Layout) -> np.ndarray:
    """The constant current of every neuron."""
    bias = np.zeros(layout.neurons, np.int32)
    for p in program.populations:
        if isinstance(p.soma, Soma) and p.soma.bias:
            bias[layout.places[p.name]] = per_neuron(p.soma.bias, p.map)
    return bias


def _parameters(program: Program, layout: Layout) -> np.ndarray:
    """Of every neuron; whoever has no threshold never reaches it."""
    found = np.zeros((4, layout.neurons), np.int32)
    for p in program.populations:
        if isinstance(p.soma, Soma):
            never = np.iinfo(np.int32).max
            threshold = never if p.soma.threshold is None else p.soma.threshold
            for row, values in enumerate(
                (p.soma.decay, threshold, p.soma.current_decay or 0, p.soma.start)
            ):
                found[row, layout.places[p.name]] = per_neuron(values, p.map)
    return found
