"""Runs a program: `simulate` with everything on, `infer` the forward pass only, `trace` by step."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from clapp_neuro.errors import InputError
from compiler.backends.simulator.interpreter import execute, run_inference, run_learning
from compiler.backends.simulator.memory import (
    Field,
    GateCount,
    Layout,
    PopulationCount,
    SynapseCount,
    lay_out,
)
from compiler.events import Events, count_events
from compiler.program import Program
from compiler.trace import Stimulus


@dataclass(frozen=True)
class State:
    """What the neurons carry from one fixation to the next, besides weights and tags."""

    fixation: int
    fields: np.ndarray  # (fields, neurons) int32


@dataclass(frozen=True)
class Result:
    """Outcome of a run; scores and gates are (F, gates) int64, counts sums over fixations."""

    program: Program
    state: State
    scores: np.ndarray
    gates: np.ndarray
    events: Events


class Machine:
    """Working memory of one simulated network: allocated once, changed in place by the kernels."""

    def __init__(self, program: Program, learn: bool, state: State | None = None) -> None:
        self.program = program
        self.learn = learn
        self.layout: Layout = lay_out(program, learn)
        layout, steps = self.layout, program.timetable.steps
        populations, widest = len(program.populations), layout.widest
        self.weights = _flat([s.weights for s in program.synapses], np.int8)
        tags = [np.zeros(s.weights.shape) if s.tags is None else s.tags for s in program.synapses]
        self.tags = _flat(tags, np.int16)
        self.state = np.zeros((len(Field), layout.neurons), np.int32)
        self.fixation = 0
        if state is not None:
            self.state[:] = state.fields
            self.fixation = state.fixation
        self.registers = np.zeros((3, layout.neurons), np.int32)
        self.current = np.zeros((steps + 1, widest), np.int32)
        self.fired = np.zeros((populations, steps, widest), np.int32)
        self.n_fired = np.zeros((populations, steps), np.int32)
        self.signals = np.zeros(len(program.modulators) + len(program.gates), np.int64)
        self.scores = np.zeros(len(program.gates), np.int64)
        self.payload = np.zeros(widest, np.int32)
        self.noise = np.zeros((widest + 3) // 4, np.uint32)
        self.membrane_log = np.zeros((steps, layout.neurons), np.int32)
        self.pop_counts = np.zeros((populations, len(PopulationCount)), np.int64)
        self.syn_counts = np.zeros((len(program.synapses), len(SynapseCount)), np.int64)
        self.gate_counts = np.zeros((max(len(program.gates), 1), len(GateCount)), np.int64)
        self.maxima = np.array([program.tag_max, program.weight_max], np.int64)

    def run(self, intensities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Runs fixations; intensities uint8 (F, inputs), labels int8 (F, modulators)."""
        scores = np.zeros((len(intensities), len(self.scores)), np.int64)
        gates = np.zeros_like(scores)
        timetable = self.program.timetable
        run_learning(
            self.layout.operations,
            self.fixation,
            timetable.period,
            timetable.steps,
            self.program.seed,
            intensities,
            labels,
            self.layout.offsets[self.layout.inputs[0].name],
            self.state,
            self.weights,
            self.tags,
            self.registers,
            self.current,
            self.fired,
            self.n_fired,
            self.signals,
            self.scores,
            self.payload,
            self.noise,
            self.membrane_log,
            self.pop_counts,
            self.syn_counts,
            self.gate_counts,
            self.maxima,
            scores,
            gates,
        )
        self.fixation += len(intensities)
        return scores, gates

    def execute(self, operations: np.ndarray) -> None:
        """Runs some operations of the current fixation, with the step-by-step log on."""
        timetable = self.program.timetable
        execute(
            operations,
            self.fixation,
            timetable.period,
            timetable.steps,
            self.program.seed,
            self.state,
            self.weights,
            self.tags,
            self.registers,
            self.current,
            self.fired,
            self.n_fired,
            self.signals,
            self.scores,
            self.payload,
            self.noise,
            self.membrane_log,
            True,
            self.pop_counts,
            self.syn_counts,
            self.gate_counts,
            self.maxima,
        )

    def matrix(self, flat: np.ndarray, name: str) -> np.ndarray:
        """A projection's weights or tags out of the flat array, (N_target, N_source), a copy."""
        synapses = next(s for s in self.program.synapses if s.name == name)
        n_post, n_pre = synapses.weights.shape
        start = self.layout.starts[name]
        return flat[start : start + n_post * n_pre].reshape(n_pre, n_post).T.copy()

    def learned(self) -> Program:
        """The program with the weights and tags that it has now."""
        synapses = tuple(
            s
            if s.rule is None
            else replace(
                s,
                weights=self.matrix(self.weights, s.name),
                tags=self.matrix(self.tags, s.name),
            )
            for s in self.program.synapses
        )
        return replace(self.program, synapses=synapses)

    def events(self, fixations: int) -> Events:
        """The counters since the machine was built, with names."""
        counters = (self.pop_counts, self.syn_counts, self.gate_counts)
        return count_events(self.program, fixations, *counters, learn=self.learn)


def _flat(matrices: list[np.ndarray], dtype: type) -> np.ndarray:
    """Rows of the presynaptic neuron, one projection behind the other."""
    if not matrices:
        return np.zeros(1, dtype)
    return np.concatenate([np.ascontiguousarray(m.T, dtype).ravel() for m in matrices])


def stimulus_arrays(program: Program, stimulus: Stimulus) -> tuple[np.ndarray, np.ndarray]:
    """Stimulus as the engine takes it: inputs side by side, one column a modulator.

    Raises InputError where it does not fit the program: compiled code would read past its end.
    """
    sizes = {p.name: p.size for p in program.populations if p.soma is None}
    inputs = list(sizes)
    for kind, given, needed in (
        ("intensities", stimulus.intensities, inputs),
        ("signals", stimulus.signals, program.modulators),
    ):
        missing = [name for name in needed if name not in given]
        if missing:
            raise InputError(f"the stimulus has no {kind} for {', '.join(missing)}")
    for name, size in sizes.items():
        shape = stimulus.intensities[name].shape
        if shape != (stimulus.fixations, size):
            raise InputError(
                f"intensities of {name} have the shape {shape}, not {(stimulus.fixations, size)}"
            )
    for name in program.modulators:
        if stimulus.signals[name].shape != (stimulus.fixations,):
            raise InputError(
                f"signal {name} has the shape {stimulus.signals[name].shape}: give one value for "
                f"each of the {stimulus.fixations} fixations"
            )
    intensities = np.concatenate([stimulus.intensities[name] for name in inputs], axis=1)
    labels = [stimulus.signals[name] for name in program.modulators]
    stacked = np.stack(labels, axis=1) if labels else np.zeros((len(intensities), 0), np.int8)
    return np.ascontiguousarray(intensities, np.uint8), np.ascontiguousarray(stacked, np.int8)


def simulate(
    program: Program,
    stimulus: Stimulus,
    *,
    state: State | None = None,
    block: int = 2000,
    progress: Callable[[int], None] | None = None,
) -> Result:
    """Runs every fixation in order with scores, gates and on-chip learning.

    `state` continues an earlier run to the bit; `progress` is told the number of fixations done
    after each block. KeyboardInterrupt is delivered between blocks.
    """
    machine = Machine(program, learn=True, state=state)
    intensities, labels = stimulus_arrays(program, stimulus)
    scores, gates = [], []
    for start in range(0, len(intensities), block):
        part = slice(start, start + block)
        u, gate = machine.run(intensities[part], labels[part])
        scores.append(u)
        gates.append(gate)
        if progress is not None:
            progress(min(start + block, len(intensities)))
    none = np.zeros((0, len(program.gates)), np.int64)
    return Result(
        program=machine.learned(),
        state=State(machine.fixation, machine.state),
        scores=np.concatenate(scores) if scores else none,
        gates=np.concatenate(gates) if gates else none,
        events=machine.events(len(intensities)),
    )


def infer(
    program: Program, stimulus: Stimulus, *, threads: int | None = None
) -> tuple[dict[str, np.ndarray], Events]:
    """Forward pass of independent fixations: spike counts uint8 (F, N) a population, and events.

    The fixations are shared out over `threads` (default: all processors); the result does not
    depend on how many.
    """
    intensities, _ = stimulus_arrays(program, stimulus)
    workers = max(1, min(threads or os.cpu_count() or 1, len(intensities)))
    machines = [Machine(program, learn=False) for _ in range(workers)]
    layout = machines[0].layout
    counts = np.zeros((len(intensities), layout.neurons), np.uint8)
    bounds = np.linspace(0, len(intensities), workers + 1).astype(int)
    with ThreadPoolExecutor(workers) as pool:
        parts = [slice(bounds[i], bounds[i + 1]) for i in range(workers)]
        list(
            pool.map(
                _infer_part, machines, [intensities[p] for p in parts], [counts[p] for p in parts]
            )
        )
    for other in machines[1:]:
        machines[0].pop_counts += other.pop_counts
    spans = {
        p.name: counts[:, layout.offsets[p.name] : layout.offsets[p.name] + p.size]
        for p in program.populations
        if p.soma is not None
    }
    return spans, machines[0].events(len(intensities))


def _infer_part(machine: Machine, intensities: np.ndarray, counts: np.ndarray) -> None:
    run_inference(
        machine.layout.operations,
        machine.program.timetable.period,
        machine.program.timetable.steps,
        intensities,
        machine.layout.offsets[machine.layout.inputs[0].name],
        machine.state,
        machine.weights,
        machine.current,
        machine.fired,
        machine.n_fired,
        machine.payload,
        machine.pop_counts,
        counts,
    )
