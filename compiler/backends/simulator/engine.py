"""Runs a program: `simulate` with everything on, `infer` the forward pass only, `trace` by step."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from compiler.averages import Averages
from compiler.backends.simulator.interpreter import execute, run_inference, run_learning
from compiler.backends.simulator.memory import Layout, lay_out
from compiler.backends.simulator.operations import Field
from compiler.backends.simulator.order import weight_matrix
from compiler.backends.simulator.shown import Shown, stimulus_arrays
from compiler.backends.simulator.working import Clock, Working, allocate
from compiler.events import Events, count_events
from compiler.events.steps import StepRecord, StepRecorder
from compiler.program import Program, ProgramPopulation, Tally
from compiler.trace import Stimulus, count_type

Recorded = tuple[int, np.ndarray, np.ndarray, np.ndarray]
"""A stride, and the arrays of a recorder."""


@dataclass(frozen=True)
class State:
    """All that a run has besides its program: with both, it can go on elsewhere.

    scores and gates are (F, gates) int64, one row for each fixation so far; fields (fields,
    neurons) int32; the counters as in `operations`; traces int16, of all learners of `stepwise`;
    record: of its steps, None where nothing was recorded.
    """

    fixation: int
    fields: np.ndarray
    population_counts: np.ndarray
    synapse_counts: np.ndarray
    gate_counts: np.ndarray
    scores: np.ndarray
    gates: np.ndarray
    traces: np.ndarray
    record: StepRecord | None


@dataclass(frozen=True)
class Result:
    """Outcome of a run; scores and gates are (F, gates) int64, events sums over all fixations."""

    program: Program
    state: State
    events: Events

    @property
    def scores(self) -> np.ndarray:
        """What the comparators summed up, one row a fixation."""
        return self.state.scores

    @property
    def gates(self) -> np.ndarray:
        """-1, 0 (closed) or +1, one row a fixation."""
        return self.state.gates


class Machine:
    """One simulated network: its layout and working memory, changed in place by the kernels."""

    def __init__(
        self,
        program: Program,
        learn: bool,
        state: State | None = None,
        *,
        shared: bool = False,
        each_step: bool = False,
    ) -> None:
        self.program = program
        self.learn = learn
        self.layout: Layout = lay_out(program, learn, each_step=each_step)
        timetable = program.timetable
        self.clock = Clock(timetable.period, timetable.steps, program.seed, shared)
        self.working: Working = allocate(program, self.layout)
        self.fixation = 0
        noted = len(self.layout.notes) if learn else 0
        self.recorder = StepRecorder(len(program.populations), timetable.steps, noted)
        self.records = state is None or state.record is not None
        if state is not None:
            self.fixation = state.fixation
            self.working.state[:] = state.fields
            self.working.population_counts[:] = state.population_counts
            self.working.synapse_counts[:] = state.synapse_counts
            self.working.gate_counts[:] = state.gate_counts
            self.working.learners.values[:] = state.traces
            if state.record is not None:
                self.recorder.go_on(state.record)

    @property
    def inputs(self) -> np.ndarray:
        """(inputs,) where the intensities go in the state array."""
        places = [self.layout.places[p.name] for p in self.layout.inputs]
        return np.concatenate([np.zeros(0, np.int64), *places])

    @property
    def recorded(self) -> Recorded:
        """Where compiled code puts the record of steps."""
        return self.recorder.stride, *self.recorder.arrays

    def record(self, fixations: int) -> StepRecord | None:
        """What was recorded of so many fixations; None where a state began without a record."""
        return self.recorder.record(fixations) if self.records else None

    def run(self, shown: Shown) -> tuple[np.ndarray, np.ndarray]:
        """Runs fixations with everything on; scores and gates (F, gates)."""
        scores = np.zeros((shown.fixations, len(self.working.scores)), np.int64)
        gates = np.zeros_like(scores)
        self.recorder.make_room(self.fixation + shown.fixations)
        run_learning(
            self.layout.operations,
            self.fixation,
            self.clock,
            (shown.intensities, shown.sequences),
            shown.labels,
            self.inputs,
            self.working,
            self.recorded,
            scores,
            gates,
        )
        self.fixation += shown.fixations
        return scores, gates

    def execute(self, operations: np.ndarray) -> None:
        """Runs some operations of the current fixation, with the step-by-step log on."""
        execute(operations, self.fixation, self.clock, self.working, True)

    def raster(self, population: ProgramPopulation) -> np.ndarray:
        """Who spiked in each step of the presentation, bool (T, N)."""
        row, w = self.program.population_row[population.name], self.working
        lying = np.zeros((self.clock.steps, population.size), bool)  # in the order of the engine
        for step in range(self.clock.steps):
            lying[step, w.rows_fired[row, step, : w.n_fired[row, step]]] = True
        return lying[:, self.layout.places[population.name] - self.layout.offsets[population.name]]

    def matrix(self, flat: np.ndarray, name: str) -> np.ndarray:
        """A projection's weights or tags out of the flat array, in their own shape, a copy."""
        synapses = next(s for s in self.program.synapses if s.name == name)
        start = self.layout.starts[name]
        rows = flat[start : start + synapses.weights.size]
        return weight_matrix(self.program, synapses, rows)

    def learned(self) -> Program:
        """The program with the weights, tags and averages that it has now."""
        synapses = tuple(
            replace(
                s,
                weights=self.matrix(self.working.weights, s.name),
                tags=None if s.tags is None else self.matrix(self.working.tags, s.name),
            )
            if s.changes
            else s
            for s in self.program.synapses
        )
        populations = tuple(
            p if p.averages is None else replace(p, averages=self.averages(p))
            for p in self.program.populations
        )
        return replace(self.program, synapses=synapses, populations=populations)

    def averages(self, population: ProgramPopulation) -> Averages:
        """A population's running averages as they are now, copies."""
        assert population.averages is not None
        start = self.layout.offsets[population.name]
        mean, variance = self.working.state[
            [Field.MEAN, Field.VARIANCE], start : start + population.size
        ]
        return replace(population.averages, mean=mean, variance=variance)

    def events(self, fixations: int) -> Events:
        """The counters since the machine was built, with names."""
        w = self.working
        counters = (w.population_counts, w.synapse_counts, w.gate_counts)
        record = self.record(fixations)
        return count_events(self.program, fixations, *counters, learn=self.learn, record=record)


def simulate(
    program: Program,
    stimulus: Stimulus,
    *,
    state: State | None = None,
    block: int = 2000,
    progress: Callable[[int], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
    shared_rounding: bool = False,
) -> Result:
    """Runs every fixation in order with scores, gates and on-chip learning.

    `state` (with that run's program) continues an earlier run, and the result is, to the bit, that
    of the two together. `progress` is told the number of fixations done after each block; `stop`
    is asked then whether to leave the rest undone. shared_rounding: one random number for all
    synapses of a learning epoch, as Lava's stock engine draws it, for comparison only; of rules
    that learn in their slots.
    """
    machine = Machine(program, learn=True, state=state, shared=shared_rounding)
    shown = stimulus_arrays(program, machine.layout, stimulus)
    none = np.zeros((0, len(program.gates)), np.int64)
    scores, gates = ([none], [none]) if state is None else ([state.scores], [state.gates])
    for start in range(0, shown.fixations, block):
        u, gate = machine.run(shown.part(start, start + block))
        scores.append(u)
        gates.append(gate)
        if progress is not None:
            progress(machine.fixation)
        if stop():
            break
    w = machine.working
    return Result(
        program=machine.learned(),
        state=State(
            fixation=machine.fixation,
            fields=w.state,
            population_counts=w.population_counts,
            synapse_counts=w.synapse_counts,
            gate_counts=w.gate_counts,
            scores=np.concatenate(scores),
            gates=np.concatenate(gates),
            traces=w.learners.values,
            record=machine.record(machine.fixation),
        ),
        events=machine.events(machine.fixation),
    )


def infer(
    program: Program,
    stimulus: Stimulus,
    *,
    threads: int | None = None,
    keep: tuple[str, ...] | None = None,
) -> tuple[dict[str, np.ndarray], Events]:
    """Forward pass of independent fixations: spike counts (F, N) a population, and events.

    Counts are uint8, or uint32 where a fixation has more than 255 steps. Only the populations that
    `keep` names have counts in the result (default: all but the inputs).
    Spatial means, which serve learning only, have none.
    The fixations are shared out over `threads` (default: all processors); the result does not
    depend on how many.
    """
    first = Machine(program, learn=False)
    shown = stimulus_arrays(program, first.layout, stimulus)
    workers = max(1, min(threads or os.cpu_count() or 1, shown.fixations))
    machines = [first, *(Machine(program, learn=False) for _ in range(workers - 1))]
    first.recorder.make_room(shown.fixations)
    places = first.layout.places
    somata = [p for p in program.populations if p.soma is not None]
    names = [p.name for p in somata if not isinstance(p.soma, Tally)]
    if keep is not None:
        names = [name for name in names if name in keep]
    kept = np.concatenate([np.zeros(0, np.int64), *(places[name] for name in names)])
    counts = np.zeros((shown.fixations, len(kept)), count_type(program))
    bounds = np.linspace(0, shown.fixations, workers + 1).astype(int).tolist()
    with ThreadPoolExecutor(workers) as pool:
        parts = [(bounds[i], bounds[i + 1]) for i in range(workers)]
        list(
            pool.map(
                lambda machine, part: _infer_part(
                    machine, shown.part(*part), part[0], first.recorded, kept, counts[slice(*part)]
                ),
                machines,
                parts,
            )
        )
    for other in machines[1:]:
        machines[0].working.population_counts[:] += other.working.population_counts
        machines[0].working.synapse_counts[:] += other.working.synapse_counts
    ends = np.cumsum([len(places[name]) for name in names])
    spans = {name: counts[:, end - len(places[name]) : end]
             for name, end in zip(names, ends, strict=True)}  # fmt: skip
    return spans, machines[0].events(shown.fixations)


def _infer_part(
    machine: Machine,
    shown: Shown,
    begin: int,
    recorded: Recorded,
    kept: np.ndarray,
    counts: np.ndarray,
) -> None:
    """Fixations from number `begin` on; all parts share one record, each has rows of its own."""
    run_inference(
        machine.layout.operations,
        begin,
        machine.clock,
        (shown.intensities, shown.sequences),
        machine.inputs,
        machine.working,
        recorded,
        kept,
        counts,
    )
