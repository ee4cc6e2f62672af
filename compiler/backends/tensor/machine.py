"""Networks side by side on tensors, and what each of their populations does in a fixation.

Levels run one behind the other, and what a population does it does at its own time tau, as
`compiler.program` has it: a fixation is executed in the order of time = tau + level. Nothing flows
against that order, so whole fixations are executed one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from compiler.backends.tensor import maps, rounding, somata, synapses
from compiler.backends.tensor.counters import Counters
from compiler.backends.tensor.exact import number_type, summed
from compiler.connectivity import window
from compiler.ir import Compartment, Connection
from compiler.program import Gate, PostValue, Program, ProgramPopulation, Relay, Soma, Synapses

LARGEST_PAYLOAD = 255

Todo = tuple[float, Callable[[], None]]
"""When, and what. Fractions order what happens in one step: received, gated, averaged, written,
sent, learned, carried, ended."""


class Machine:
    """Networks side by side: state (R, N) by population, weights (R, n_pre, n_post) by projection.

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
        self.seeds = rounding.seeds([p.seed for p in programs], device)
        self.counters = Counters(self.program, rows, device)
        self.state = {p.name: self._rest(p) for p in self.program.populations}
        self.spikes: dict[str, Tensor] = {}
        self.membrane: dict[str, list[Tensor]] = {}  # after each step, where `logs` is set
        self.signals: dict[str, Tensor] = {}
        self.scores: dict[str, Tensor] = {}
        self.post: dict[tuple[str, str], Tensor] = {}
        self.weights: dict[str, Tensor] = {}
        self.tags: dict[str, Tensor] = {}
        self.numbers: dict[str, Tensor] = {}  # the weights, in what they are summed in
        for s in self.program.synapses:
            if learn or s.compartment is Compartment.SOMA:
                self._load(s)

    def show(self, intensities: dict[str, Tensor]) -> None:
        """The inputs of a fixation, (R, N) by input population."""
        for name, values in intensities.items():
            self.state[name]["count"] = values.to(torch.int32)

    def forward(self) -> None:
        """The presentation alone."""
        for population in self._by_level():
            self._present(population)

    def fixation(self, number: int) -> None:
        """One fixation of every network, with all that they learn from it."""
        for _, what in self.agenda(number):
            what()

    def agenda(self, fixation: int) -> list[Todo]:
        """All that a fixation with learning takes, in the order of time within the fixation."""
        todo = [
            (population.level + tau, what)
            for population in self._by_level()
            for tau, what in self._todo(population, fixation)
        ]
        return sorted(todo, key=lambda item: item[0])

    def learned(self, row: int) -> Program:
        """Network `row` with the weights, tags and averages that it has now."""

        def numpy(value: Tensor, kind: type) -> np.ndarray:
            return np.ascontiguousarray(value[row].cpu().numpy().T.astype(kind))

        changed = []
        for s in self.programs[row].synapses:
            if s.rule is not None:
                weights, tags = self.weights[s.name], self.tags[s.name]
                s = replace(s, weights=numpy(weights, np.int8), tags=numpy(tags, np.int16))
            changed.append(s)
        populations = []
        for p in self.programs[row].populations:
            if p.averages is not None:
                state = self.state[p.name]
                mean, variance = (numpy(state[name], np.int32) for name in ("mean", "variance"))
                p = replace(p, averages=replace(p.averages, mean=mean, variance=variance))
            populations.append(p)
        return replace(self.programs[row], synapses=tuple(changed), populations=tuple(populations))

    def _by_level(self) -> list[ProgramPopulation]:
        return sorted(self.program.populations, key=lambda p: p.level)

    def _rest(self, population: ProgramPopulation) -> somata.State:
        """State before the first fixation."""
        zero = torch.zeros(self.rows, population.size, dtype=torch.int32, device=self.device)
        state = dict.fromkeys(("count", "previous", "apical", "retro", "deviation"), zero)
        for name in ("mean", "variance") if population.averages is not None else ():
            own = [getattr(p.population(population.name).averages, name) for p in self.programs]
            state[name] = on_device(np.stack(own).astype(np.int64), self.device)
        return state

    def _load(self, s: Synapses) -> None:
        """Weights and tags of a projection, of all networks, by presynaptic rows.

        Kernels lie as (R, k, k, C_in, C_out), of which each offset is such a matrix.
        """
        own = [next(o for o in p.synapses if o.name == s.name) for p in self.programs]
        kernels = s.connection is Connection.CONVOLUTION
        axes = (2, 3, 1, 0) if kernels else (1, 0)
        if s.connection is Connection.POOL:
            axes = (0, 1)
        self.weights[s.name] = on_device(
            np.stack([o.weights.transpose(axes) for o in own]), self.device
        )
        source = self.program.population(s.source)
        graded = source.soma is None or s.compartment is not Compartment.SOMA
        summands = source.map[0] if kernels else source.size
        kind = number_type(summands, LARGEST_PAYLOAD if graded else 1)
        self.numbers[s.name] = self.weights[s.name].to(kind)
        if self.learn and s.rule is not None:
            tags = [np.zeros(o.weights.shape) if o.tags is None else o.tags for o in own]
            stacked = np.stack([np.ascontiguousarray(t.T, np.int16) for t in tags])
            self.tags[s.name] = on_device(stacked, self.device)

    def _todo(self, population: ProgramPopulation, fixation: int) -> Iterator[Todo]:
        """All that a population does in a fixation, at its own time, in any order."""
        program, steps = self.program, self.steps
        began = fixation * program.timetable.period + 1 + population.level
        yield steps - 1, partial(self._present, population)
        if population.averages is not None:
            yield steps + 0.15, partial(self._average, population)
        for gate in program.gates:
            if gate.population == population.name:
                yield gate.decided(steps) - 0.9, partial(self._decide, gate, population)
        for value in population.post_values:
            at = began + value.step
            yield value.step + 0.2, partial(self._write, population, value, at)
        own = [s for s in program.synapses if s.target == population.name]
        for compartment in (Compartment.APICAL, Compartment.RETRO):
            arriving = [s for s in own if s.compartment is compartment]
            if arriving:
                sent = max(s.listens[0] for s in arriving)
                yield sent + 0.3, partial(self._deliver, population, compartment, arriving)
        for s in own:
            if s.rule is None:
                continue
            for slot in s.slots:
                yield slot + 0.4, partial(self._learn, s, population, slot, began + slot)
            tau = program.timetable.last_tau(population.level)
            if (began + tau) % (1 << s.rule.carry_exponent) == 0:
                yield tau + 0.5, partial(self._carry, s)
        yield program.timetable.predict + 0.9, partial(self._end, population)

    def _present(self, population: ProgramPopulation) -> None:
        state, soma = self.state[population.name], population.soma
        if soma is None:
            self.counters.present(population, state["count"])
            return
        current: Tensor | int = 0
        for s in self.program.synapses:
            if s.target == population.name and s.compartment is Compartment.SOMA:
                current = current + self._current(s, population)
        if isinstance(current, int):
            shape = (self.rows, 1, population.size)
            current = torch.zeros(shape, dtype=torch.int32, device=self.device)
        log = self.membrane.setdefault(population.name, []) if self.logs else None
        if isinstance(soma, Relay):
            spikes, updates = somata.relay(current, log)
        else:
            assert isinstance(soma, Soma), "means come with untied kernels, which are refused"
            positions = population.map[1] * population.map[2]
            spikes, updates = somata.integrate(soma, current, self.steps, positions, log)
        self.spikes[population.name] = spikes
        state["count"] = spikes.sum(1, dtype=torch.int32)
        self.counters.integrate(population, state["count"], updates, self.steps)

    def _current(self, s: Synapses, population: ProgramPopulation) -> Tensor:
        """What a projection brings to the soma, int32 (R, T, N); T = 1 where it is held."""
        source = self.program.population(s.source)
        if source.soma is None:
            message = somata.payload(self.state[s.source], source.message(0), self.steps)
            sent = message[:, None]
        else:
            sent = self.spikes[s.source]
        along = window(s.connection, s.weights.shape[-1])
        if along is None:
            return summed(sent, self.numbers[s.name])
        pooled = s.connection is Connection.POOL
        channels = 1 if pooled else population.map[0]
        operations = maps.reached(sent, along, source.map, population.map, channels)
        self.counters.operations(s, operations)
        if pooled:
            return maps.neighbours(sent, self.weights[s.name][0], source.map)
        return maps.convolve(sent, self.numbers[s.name], source.map)

    def _deliver(
        self, population: ProgramPopulation, compartment: Compartment, arriving: list[Synapses]
    ) -> None:
        total: Tensor | int = 0
        for s in arriving:
            source = self.program.population(s.source)
            message = source.message(s.listens[0])
            sent = somata.payload(self.state[s.source], message, self.steps)
            total = total + (summed(sent[:, None], self.numbers[s.name])[:, 0] >> s.delivery_shift)
        assert isinstance(total, Tensor)
        kept, clipped = somata.clip_24_bits(total)
        self.state[population.name][compartment.value] = kept
        self.counters.add(population, "ACCUMULATOR_CLIPPED", clipped.sum(1))

    def _average(self, population: ProgramPopulation) -> None:
        assert population.averages is not None
        signal = self.signals[population.averages.signal]
        clipped = somata.average(self.state[population.name], population.averages, signal)
        self.counters.add(population, "ACCUMULATOR_CLIPPED", clipped.sum(1))

    def _decide(self, gate: Gate, population: ProgramPopulation) -> None:
        state = self.state[population.name]
        asked = [(gate.score, gate.score_shift)]
        if gate.norm is not None:
            asked.append(((gate.norm, gate.norm), 0))
        sums = []
        for factors, shift in asked:
            messages, clipped = somata.coincidences(state, factors, shift, self.steps)
            self.counters.add(population, "ACCUMULATOR_CLIPPED", clipped.sum(1))
            self.counters.add(population, "SCORE_MESSAGES", (messages != 0).sum(1))
            sums.append(messages.sum(1))
        score, opened, beyond = somata.decide(gate, self.signals[gate.modulator], sums)
        self.scores[gate.name], self.signals[gate.name] = score, opened
        self.counters.decide(gate, opened, beyond)

    def _write(self, population: ProgramPopulation, value: PostValue, time_step: int) -> None:
        signal = (
            torch.ones(self.rows, dtype=torch.int64, device=self.device)
            if value.gate is None
            else self.signals[value.gate]
        )
        drawn = rounding.words(rounding.keys(self.seeds, value.stream, time_step), population.size)
        state = self.state[population.name]
        y, written, clipped = somata.post_value(state, value, signal, drawn, self.steps)
        self.post[population.name, value.register] = y
        self.counters.add(population, "POST_WRITES", written.sum(1))
        self.counters.add(population, "POST_CLIPPED", clipped.sum(1))

    def _learn(self, s: Synapses, population: ProgramPopulation, slot: int, time_step: int) -> None:
        assert s.rule is not None
        y = self.post[population.name, s.rule.register]
        source = self.program.population(s.source)
        message = source.message(slot + population.level - source.level)
        x1 = somata.payload(self.state[s.source], message, self.steps) >> 1
        key = rounding.keys(self.seeds, s.index, time_step)
        self.tags[s.name], clipped = synapses.learn(
            self.tags[s.name], x1, y, s.rule.exponent, key, self.program.tag_max
        )
        self.counters.learn(s, x1, y, clipped)

    def _carry(self, s: Synapses) -> None:
        weights, tags, moved, clipped = synapses.carry(
            self.weights[s.name], self.tags[s.name], self.program.weight_max
        )
        self.weights[s.name], self.tags[s.name] = weights, tags
        self.numbers[s.name] = weights.to(self.numbers[s.name].dtype)
        self.counters.carry(s, moved, clipped)

    def _end(self, population: ProgramPopulation) -> None:
        state = self.state[population.name]
        self.counters.end(population, state["previous"])
        state["previous"] = state["count"]


def on_device(values: np.ndarray, device: torch.device | str) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).to(device)
