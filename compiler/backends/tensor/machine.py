"""Networks side by side on tensors: all that they hold while they run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from compiler.backends.tensor import rounding, somata
from compiler.backends.tensor.counters import Counters
from compiler.backends.tensor.exact import number_type
from compiler.backends.tensor.order import weight_matrix, weight_rows
from compiler.connectivity import fan_in
from compiler.products import TRACES, in_slots
from compiler.program import Message, Program, ProgramPopulation, Soma, Synapses, Tally
from compiler.recurrence import bands
from compiler.terms import Compartment, Connection, per_neuron

LARGEST_PAYLOAD = 255

Todo = tuple[float, Callable[[], None]]
"""When in a population's own time, and what. Fractions order what happens in one step: received,
gated, averaged, written, sent, learned, carried, ended, and last what the processor does."""


class Machine:
    """State (R, N) by population, weights (R, ...) by projection as `order` lays them out.

    Without learning there is one network, and the R rows are independent fixations.
    """

    def __init__(
        self,
        programs: Sequence[Program],
        device: torch.device,
        *,
        learn: bool,
        rows: int,
        logs: bool = False,
    ) -> None:
        self.programs, self.program = programs, programs[0]
        self.device, self.learn, self.rows, self.logs = device, learn, rows, logs
        self.steps = self.program.timetable.steps
        self.bands = bands(self.program)
        self.by_step = learn and any(_at_any_step(s) for s in self.program.synapses)
        self.seeds = rounding.seeds([p.seed for p in programs], device)
        self.counters = Counters(self.program, rows, device, learn=learn)
        self.populations = [p for p in _by_level(self.program) if learn or not _is_mean(p)]
        self.state = {p.name: self._rest(p) for p in self.populations}
        self.bias = {p.name: self._bias(p) for p in self.populations}
        self.spikes: dict[str, Tensor] = {}
        # of the next step and of all of them, where populations go step by step
        self.arrived, self.held = (
            {p.name: self.zeros(p.size) for p in self.populations if self.by_step} for _ in range(2)
        )
        self.membrane: dict[str, list[Tensor]] = {}  # after each step, where `logs` is set
        self.signals: dict[str, Tensor] = {}
        self.scores: dict[str, Tensor] = {}
        self.named: dict[str, Tensor] = {}  # the class that a critic's population names
        self.post: dict[tuple[str, str], Tensor] = {}
        self.weights: dict[str, Tensor] = {}
        self.tags: dict[str, Tensor] = {}
        self.numbers: dict[str, Tensor] = {}  # the weights, in what they are summed in
        self.traces: dict[str, dict[str, Tensor]] = {}  # of synapses that learn at any step
        for s in self.program.synapses if learn else self.program.forward:
            self._load(s)

    def show(self, intensities: dict[str, Tensor]) -> None:
        """The inputs of a fixation, (R, N) by input population, or (R, T, N) step by step."""
        for name, values in intensities.items():
            if values.ndim == 3:
                self.spikes[name] = values.to(torch.int32)
            else:
                self.state[name]["count"] = values.to(torch.int32)
        self.membrane.clear()

    def sent(self, population: str, message: Message) -> Tensor:
        """A graded message of a population, int32 (R, N)."""
        return somata.payload(self.state[population], message, self.steps)

    def signal(self, name: str | None) -> Tensor:
        """What a gate or a modulator says, int64 (R,); 1 where none is named."""
        if name is None:
            return torch.ones(self.rows, dtype=torch.int64, device=self.device)
        return self.signals[name]

    def told(self, name: str | None, size: int) -> Tensor:
        """The same, or (R, N) of a critic that points at the neurons of the class named."""
        signal = self.signal(name)
        gate = next((g for g in self.program.gates if g.name == name and g.points), None)
        if gate is None:
            return signal
        classes = torch.arange(size, device=self.device) % gate.classes
        return signal[:, None] * (classes == self.named[gate.name][:, None])

    def key(self, stream: int, time_step: int) -> Tensor:
        """Keys of random numbers, (R,)."""
        return rounding.keys(self.seeds, stream, time_step)

    def zeros(self, *shape: int) -> Tensor:
        """int32 (R, *shape)."""
        return torch.zeros(self.rows, *shape, dtype=torch.int32, device=self.device)

    def weigh(self, s: Synapses, weights: Tensor) -> None:
        """Gives a projection other weights."""
        self.weights[s.name] = weights
        self.numbers[s.name] = weights.to(self.numbers[s.name].dtype)

    def learned(self, row: int) -> Program:
        """Network `row` with the weights, tags and averages that it has now."""

        def numpy(value: Tensor, kind: type) -> np.ndarray:
            return value[row].cpu().numpy().astype(kind)

        changed = []
        for s in self.programs[row].synapses:
            if s.changes:
                s = replace(s, weights=weight_matrix(s, numpy(self.weights[s.name], np.int8)))
            if s.tags is not None:
                s = replace(s, tags=weight_matrix(s, numpy(self.tags[s.name], np.int16)))
            changed.append(s)
        populations = []
        for p in self.programs[row].populations:
            if p.averages is not None:
                state = self.state[p.name]
                mean, variance = (numpy(state[name], np.int32) for name in ("mean", "variance"))
                p = replace(p, averages=replace(p.averages, mean=mean, variance=variance))
            populations.append(p)
        return replace(self.programs[row], synapses=tuple(changed), populations=tuple(populations))

    def _rest(self, population: ProgramPopulation) -> somata.State:
        """State before the first fixation."""
        fields = ("count", "previous", "apical", "retro", "deviation", "winner")
        state = dict.fromkeys(fields, self.zeros(population.size))
        for name in ("mean", "variance") if population.averages is not None else ():
            own = [getattr(p.population(population.name).averages, name) for p in self.programs]
            state[name] = on_device(np.stack(own).astype(np.int64), self.device)
        return state

    def _bias(self, population: ProgramPopulation) -> Tensor:
        """The constant current of every neuron, (N,)."""
        bias = population.soma.bias if isinstance(population.soma, Soma) else ()
        return on_device(per_neuron(bias or 0, population.map).astype(np.int32), self.device)

    def _load(self, s: Synapses) -> None:
        """Weights, tags and traces of a projection, of all networks."""
        own = [p.synapses[p.synapse_row[s.name]] for p in self.programs]
        self.weights[s.name] = on_device(
            np.stack([weight_rows(o, o.weights) for o in own]), self.device
        )
        source = self.program.population(s.source)
        spikes = s.compartment is Compartment.SOMA and source.spiking
        # a convolution is summed one offset after the other, all else at once
        apart = s.connection is Connection.CONVOLUTION
        summands = s.weights.shape[1] if apart else fan_in(s.connection, s.weights.shape)
        kind = number_type(summands, max(1, source.sequence) if spikes else LARGEST_PAYLOAD)
        self.numbers[s.name] = self.weights[s.name].to(kind)
        if self.learn and s.rule is not None:
            tags = [np.zeros(o.weights.shape, np.int16) if o.tags is None else o.tags for o in own]
            stacked = np.stack([weight_rows(s, t) for t in tags])
            self.tags[s.name] = on_device(stacked, self.device)
        if self.learn and _at_any_step(s):
            target = self.program.population(s.target)
            self.traces[s.name] = {
                name: self.zeros(source.size if name.startswith("x") else target.size)
                for name in TRACES
            }


def _by_level(program: Program) -> list[ProgramPopulation]:
    return sorted(program.populations, key=lambda p: p.level)


def _at_any_step(s: Synapses) -> bool:
    """Whether synapses may learn at any time step."""
    return s.rule is not None and not in_slots(s)


def _is_mean(population: ProgramPopulation) -> bool:
    """Whether it serves learning only."""
    return isinstance(population.soma, Tally)


def on_device(values: np.ndarray, device: torch.device | str) -> Tensor:
    """A copy on the device."""
    return torch.from_numpy(np.ascontiguousarray(values)).to(device)
