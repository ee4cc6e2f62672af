"""Builds the process graph of a program and runs it; `compat.load_lava` must have been called."""

from __future__ import annotations

from dataclasses import replace
from types import TracebackType
from typing import Any

import numpy as np
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.dense.models import PyDenseModelBitAcc
from lava.proc.sparse.models import PySparseModelBitAcc

from compiler.backends.lava.processes.comparator import (
    Comparator,
    Modulator,
    comparator_model,
    modulator_model,
)
from compiler.backends.lava.processes.epochs import Learning
from compiler.backends.lava.processes.input import InputPopulation, InputPopulationModel
from compiler.backends.lava.processes.pair import (
    HighDenseModel,
    LowDenseModel,
    Shared,
    high_synapses,
)
from compiler.backends.lava.processes.plastic import ProgramLearningDenseModel, plastic_synapses
from compiler.backends.lava.processes.population import LifPopulation, lif_population_model
from compiler.backends.lava.processes.spike_timing import SpikeTimingDenseModel
from compiler.backends.lava.processes.static import (
    SharedKernelsModel,
    score_sum,
    shared_kernels,
    static_sparse,
    static_synapses,
)
from compiler.backends.lava.processes.untied import UntiedSparseModel, untied_synapses
from compiler.backends.lava.recording import Recording, shared_zeros
from compiler.backends.lava.wiring import (
    Clock,
    PopulationWiring,
    arrival_port,
    folded,
    out_port,
    populations,
    projections,
    three_factor,
    wire_population,
)
from compiler.products import general, post_registers
from compiler.program import Gate, Program, ProgramPopulation, Synapses
from compiler.terms import Connection


class Network:
    """The processes of one run, as a context manager: whatever happens, they are stopped.

    `intensities` maps each input population to uint8 (F, N), `signals` each modulator to int8 (F,).
    """

    def __init__(
        self,
        program: Program,
        intensities: dict[str, np.ndarray],
        signals: dict[str, np.ndarray],
        recording: Recording,
        *,
        learn: bool,
        guarded: bool,
        last_step: int,
    ) -> None:
        self._program = program
        self._intensities = intensities
        self._signals = signals
        self._recording = recording
        self._learn = learn
        self._guarded = guarded
        self._last_step = last_step
        self._models: dict[AbstractProcess, type] = {}
        self._links: list[tuple[AbstractProcess, AbstractProcess]] = []
        self._wirings: dict[str, PopulationWiring] = {}
        self._pairs: dict[str, Shared] = {}
        self._populations = {p.name: self._population(p) for p in populations(program, learn)}
        for synapses in projections(program, learn):
            self._project(synapses)
        if learn:
            self._broadcast()
        self._parts = _connected(list(self._models), self._links)

    def run(self, steps: int) -> None:
        """Runs every process for some more time steps (building them first, the first time)."""
        config = Loihi2SimCfg(exception_proc_model_map=self._models)
        for process in self._parts if steps > 0 else ():
            process.run(condition=RunSteps(num_steps=steps), run_cfg=config)

    def errors(self) -> list[str]:
        """Tracebacks of the processes that failed; Lava itself tells only how many there are."""
        return [actor.exception[1] for actor in self._actors() if actor.exception]

    @property
    def started(self) -> bool:
        """Whether Lava has started processes."""
        return bool(self._actors())

    def ended(self) -> list[str]:
        """Exit codes of the processes that no longer run; while a run goes on, none may be."""
        dead = [actor for actor in self._actors() if not actor.is_alive()]
        return [f"exit code {actor.exitcode}" for actor in dead]

    def _actors(self) -> list[Any]:
        """Lava's operating-system processes, of what is built so far."""
        runtimes = [process.runtime for process in self._parts if process.runtime is not None]
        started = [r._messaging_infrastructure for r in runtimes]
        return [actor for s in started if s is not None for actor in s.actors]

    def __enter__(self) -> None:
        """Processes are built by the first `run`, inside the context."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for process in self._parts:
            process.stop()

    def _add(self, process: AbstractProcess, model: type) -> AbstractProcess:
        self._models[process] = model
        return process

    def _connect(
        self, source: AbstractProcess, out: str, target: AbstractProcess, into: str
    ) -> None:
        getattr(source, out).connect(getattr(target, into))
        self._links.append((source, target))

    def _clock(self, level: int) -> Clock:
        return Clock(self._program.timetable, level)

    def _population(self, population: ProgramPopulation) -> AbstractProcess:
        clock = self._clock(population.level)
        if population.soma is None:
            intensities = np.asarray(self._intensities[population.name])
            process = InputPopulation(population=population, clock=clock, intensities=intensities)
            return self._add(process, InputPopulationModel)
        wiring = wire_population(self._program, population, self._learn)
        self._wirings[population.name] = wiring
        process = LifPopulation(
            population=population
            if self._learn
            else replace(population, post_values=(), averages=None),
            clock=clock,
            wiring=wiring,
            seed=self._program.seed,
            record=self._recording.populations[population.name],
        )
        return self._add(process, lif_population_model(wiring))

    def _project(self, synapses: Synapses) -> None:
        learns = self._learn and synapses.rule is not None
        process = self._plastic(synapses) if learns else self._static(synapses)
        source, target = self._populations[synapses.source], self._populations[synapses.target]
        self._connect(source, out_port(synapses), process, "s_in")
        if not synapses.paired:  # what a pair's low synapses send nobody reads
            self._connect(process, "a_out", target, arrival_port(synapses))

    def _shared(self, high: Synapses) -> Shared:
        """What both halves of a pair share, the same for both."""
        if high.name not in self._pairs:
            memory = shared_zeros(high.weights.shape, np.int8)
            period, record = self._program.timetable.period, self._recording.synapses[high.name]
            self._pairs[high.name] = Shared(high, period, memory, record)
        return self._pairs[high.name]

    def _static(self, synapses: Synapses) -> AbstractProcess:
        source = self._program.population(synapses.source).map
        target = self._program.population(synapses.target).map
        if self._learn and synapses.changes:
            return self._add(high_synapses(synapses, self._shared(synapses)), HighDenseModel)
        if synapses.connection is Connection.ALL_TO_ALL:
            return self._add(static_synapses(synapses), PyDenseModelBitAcc)
        if folded(synapses):
            return self._add(shared_kernels(synapses, source, target), SharedKernelsModel)
        return self._add(static_sparse(synapses, source, target), PySparseModelBitAcc)

    def _plastic(self, synapses: Synapses) -> AbstractProcess:
        assert synapses.rule is not None
        source = self._program.population(synapses.source)
        target = self._program.population(synapses.target)
        # Rules that learn at any step are followed in the time of their source's spikes.
        timed = general(synapses)
        level = (source if timed else target).level
        # and end with their source's last fixation, which is over before the top's is
        top = max(p.level for p in self._program.populations)
        learning = Learning(
            self._program,
            synapses,
            self._clock(level),
            self._recording.synapses[synapses.name],
            self._last_step - (top - level if timed else 0),
            self._guarded,
        )
        if synapses.connection is Connection.UNTIED:
            untied = untied_synapses(learning, source.map, target.map)
            process = self._add(untied, UntiedSparseModel)
        elif synapses.paired:
            high = self._program.synapses[self._program.synapse_row[synapses.into]]
            low = plastic_synapses(learning, shared=self._shared(high))
            process = self._add(low, LowDenseModel)
        else:
            model = SpikeTimingDenseModel if timed else ProgramLearningDenseModel
            process = self._add(plastic_synapses(learning), model)
        soma = self._populations[synapses.target]
        if timed:
            self._connect(soma, "s_out_bap", process, "s_in_bap")
        if three_factor(synapses.rule):
            for register in sorted(post_registers(synapses.rule)):
                self._connect(soma, f"s_out_{register}", process, f"s_in_{register}")
        return process

    def _broadcast(self) -> None:
        """Comparators, modulators, and what they tell whom."""
        comparators = {g.name: self._comparator(g) for g in self._program.gates}
        modulators = {m: self._modulator(m) for m in self._program.modulators}
        for gate in self._program.gates:
            label = modulators[gate.modulator]
            self._connect(label, comparator_port(gate), comparators[gate.name], "label_in")
        for name, wiring in self._wirings.items():
            for signal in wiring.signals:
                sender = comparators.get(signal.name) or modulators[signal.name]
                self._connect(sender, f"to_{name}", self._populations[name], signal.port)
            for score in wiring.scores:
                size = self._program.population(name).size
                summing = self._add(score_sum(size, score.gate.classes), PyDenseModelBitAcc)
                self._connect(self._populations[name], score.port, summing, "s_in")
                self._connect(summing, "a_out", comparators[score.gate.name], "score_in")

    def _listeners(self, signal: str) -> dict[str, int]:
        """The ports that a signal needs to reach the populations that name it."""
        return {
            f"to_{name}": self._program.population(name).size
            for name, wiring in self._wirings.items()
            if any(s.name == signal for s in wiring.signals)
        }

    def _comparator(self, gate: Gate) -> AbstractProcess:
        receivers = self._listeners(gate.name)
        clock = self._clock(self._program.population(gate.population).level)
        record = self._recording.gates[gate.name]
        process = Comparator(gate=gate, clock=clock, receivers=receivers, record=record)
        return self._add(process, comparator_model(receivers))

    def _modulator(self, name: str) -> AbstractProcess:
        gates = [g for g in self._program.gates if g.modulator == name]
        receivers = {**self._listeners(name), **{comparator_port(g): 1 for g in gates}}
        labels = np.asarray(self._signals[name])
        process = Modulator(labels=labels, clock=self._clock(0), receivers=receivers)
        return self._add(process, modulator_model(receivers))


def comparator_port(gate: Gate) -> str:
    """The port of a modulator that reaches a gate's comparator."""
    return f"to_comparator_{gate.name}"


def _connected(
    processes: list[AbstractProcess], links: list[tuple[AbstractProcess, AbstractProcess]]
) -> list[AbstractProcess]:
    """One process of each connected part of the graph: Lava runs a part at a time."""
    leader = {process: process for process in processes}

    def find(process: AbstractProcess) -> AbstractProcess:
        while leader[process] is not process:
            process = leader[process]
        return process

    for source, target in links:
        leader[find(source)] = find(target)
    return [process for process in processes if leader[process] is process]
