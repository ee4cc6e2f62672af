"""A program that learns, time step by time step in plain numpy: its docstrings, executed slowly.

Whatever is sent leaves through the weights of before this step's learning and arrives one time step
later, at every population by its own time tau; nothing is reordered, and fixations overlap as they
do on a chip. Gates are comparators without norm or classes, rules learn once a fixation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from plain_learners import Learners
from plain_synapses import Listed, listed

from compiler import rounding
from compiler.connectivity import on_the_map
from compiler.ir import Compartment, Connection, Quantity
from compiler.products import carries, general
from compiler.program import (
    MEMBRANE_MAX,
    PostValue,
    Program,
    ProgramPopulation,
    Relay,
    Soma,
    Synapses,
    Tally,
)
from compiler.trace import FixationTrace, Stimulus
from compiler.turns import in_turn


def restated(program: Program) -> bool:
    """Whether all of a program is restated here."""
    return (
        all(gate.norm is None and not gate.classes and not gate.serial for gate in program.gates)
        and not any(general(s) or s.delay for s in program.synapses)
        and not any(p.averages is not None or p.sequence for p in program.populations)
        and all(p.soma.plain is not None for p in program.populations if isinstance(p.soma, Soma))
    )


def clip(x: np.ndarray, largest: int) -> np.ndarray:
    return np.clip(x, -largest, largest)


@dataclass
class Neurons:
    """The state of one population, int64 (N,), and what it did in this time step."""

    size: int
    v: np.ndarray = field(init=False)
    held: np.ndarray = field(init=False)
    spiked: np.ndarray = field(init=False)
    count: np.ndarray = field(init=False)
    previous: np.ndarray = field(init=False)
    apical: np.ndarray = field(init=False)
    retro: np.ndarray = field(init=False)
    post: dict[str, np.ndarray] = field(default_factory=dict)
    sent: tuple[int, np.ndarray] | None = None  # tau and payload of a graded message
    spikes: tuple[int, np.ndarray] | None = None

    def __post_init__(self) -> None:
        for name in ("v", "held", "count", "previous", "apical", "retro"):
            setattr(self, name, np.zeros(self.size, np.int64))
        self.spiked = np.zeros(self.size, bool)


@dataclass
class Counted:
    """What the simulator counts of a projection."""

    operations: int = 0
    rows: int = 0
    epochs: int = 0
    carried: int = 0
    visits: int = 0
    averaged: int = 0


class PlainEngine:
    """`trace` yields every fixation; then `program` has learned, and `counted` is complete."""

    def __init__(self, program: Program, first: int = 0) -> None:
        self.first = first
        self.program = program
        self.neurons = {p.name: Neurons(p.size) for p in program.populations}
        self.synapses = {s.name: listed(program, s) for s in program.synapses}
        self.weights = {s.name: s.weights.astype(np.int64) for s in program.synapses}
        self.tags = {s.name: s.tags.astype(np.int64) for s in self.plastic()}
        self.counted = {s.name: Counted() for s in program.synapses}
        self.on_the_way: dict[str, np.ndarray] = {}
        self.signals: dict[str, int] = dict.fromkeys((g.name for g in program.gates), 0)
        self.learners = {s.name: Learners(program, s) for s in self.plastic() if in_turn(s)}

    def plastic(self) -> list[Synapses]:
        return [s for s in self.program.synapses if s.rule is not None]

    def learned(self) -> Program:
        synapses = tuple(
            replace(
                s,
                weights=self.weights[s.name].astype(np.int8),
                tags=self.tags[s.name].astype(np.int16) if s.name in self.tags else None,
            )
            if s.changes
            else s
            for s in self.program.synapses
        )
        return replace(self.program, synapses=synapses)

    def trace(self, stimulus: Stimulus) -> Iterator[FixationTrace]:
        timetable, program = self.program.timetable, self.program
        top = max(p.level for p in program.populations)
        fixations, began = stimulus.fixations, self.first * timetable.period
        seen = [self._nothing(self.first + f) for f in range(fixations)]
        for step in range(fixations * timetable.period + top):
            acting = {}
            for p in program.populations:
                f, tau = divmod(step - p.level, timetable.period)
                self.neurons[p.name].sent = self.neurons[p.name].spikes = None
                self.neurons[p.name].post = {}
                if 0 <= f < fixations:
                    acting[p.name] = f, tau
            self._open_gates(acting, stimulus, seen)
            for learners in self.learners.values():
                learners.receive()
            for p in program.populations:
                if p.name in acting:
                    f, tau = acting[p.name]
                    self._act(p, stimulus, f, tau, began + step + 1, seen[f])
            self.on_the_way = self._deliver()
            for s in self.plastic():
                if in_turn(s):
                    self._tell_learners(s, acting)
            self._learn(began + step + 1)
            over, rest = divmod(step + 1, timetable.period)
            if rest == 0 and over <= fixations:
                self._average(self.first + over - 1)
            for s in filter(lambda s: s.target in acting, self.program.synapses):
                f, tau = acting[s.target]
                if s.changes:
                    seen[f].weights[s.name][tau] = self.weights[s.name]
                if s.name in self.tags:
                    seen[f].tags[s.name][tau] = self.tags[s.name]
            done = step - top - timetable.period + 1
            if done >= 0 and done % timetable.period == 0:
                yield seen[done // timetable.period]

    def _nothing(self, fixation: int) -> FixationTrace:
        steps, period = self.program.timetable.steps, self.program.timetable.period
        seen = FixationTrace(fixation)
        for p in self.program.populations:
            if p.soma is not None:
                seen.membrane[p.name] = np.zeros((steps, p.size), np.int32)
                seen.spikes[p.name] = np.zeros((steps, p.size), bool)
                seen.post[p.name] = np.zeros((len(p.post_values), p.size), np.int32)
        for s in self.program.synapses:
            if s.changes:
                seen.weights[s.name] = np.zeros((period, *s.weights.shape), np.int8)
            if s.name in self.tags:
                seen.tags[s.name] = np.zeros((period, *s.weights.shape), np.int16)
        return seen

    def _act(
        self,
        p: ProgramPopulation,
        stimulus: Stimulus,
        f: int,
        tau: int,
        time_step: int,
        seen: FixationTrace,
    ) -> None:
        """One time step of a population: receives, integrates, decides, writes, sends."""
        x, timetable = self.neurons[p.name], self.program.timetable
        if tau == 0:
            x.v, x.held, x.count = (np.zeros(p.size, np.int64) for _ in range(3))
            x.spiked = np.zeros(p.size, bool)
            if p.soma is None:
                x.count = stimulus.intensities[p.name][f].astype(np.int64)
        current = self._receive(p, x)
        if tau < timetable.steps:
            fired = self._step(p, x, current, tau)
            if p.soma is not None:
                if not isinstance(p.soma, Tally):
                    seen.membrane[p.name][tau] = x.v
                seen.spikes[p.name][tau] = fired
            if p.spiking:
                x.spikes = tau, fired.astype(np.int64)
        if tau == timetable.steps:
            self._score(p, x, seen)
        for i, value in enumerate(p.post_values):
            if value.step == tau:
                x.post[value.register] = self._post_value(x, value, stimulus, f, time_step)
                seen.post[p.name][i] = x.post[value.register]
        for message in p.messages:
            if message.step == tau and not message.stride:
                x.sent = tau, (self._quantity(x, message.quantity) >> message.drop) << message.lift
        if tau == timetable.predict:
            if p.soma is not None:
                seen.counts[p.name] = x.count.astype(np.int32)
                seen.apical[p.name] = x.apical.astype(np.int32)
                seen.retro[p.name] = x.retro.astype(np.int32)
            x.previous = x.count.copy()

    def _deliver(self) -> dict[str, np.ndarray]:
        """What arrives in the next step through each projection whose target listens to it."""
        found = {}
        for s in self.program.synapses:
            source = self.program.population(s.source)
            spikes = s.compartment is Compartment.SOMA and source.spiking
            heard = self.neurons[s.source].spikes if spikes else self.neurons[s.source].sent
            if heard is not None and heard[0] in s.listens:
                synapses, size = self.synapses[s.name], self.program.population(s.target).size
                found[s.name] = synapses.arriving(self.weights[s.name], heard[1], size)
                self.counted[s.name].operations += int((heard[1][synapses.pre] != 0).sum())
        return found

    def _receive(self, p: ProgramPopulation, x: Neurons) -> np.ndarray:
        """The current of this step; dendrites are overwritten by what has arrived for them."""
        current = np.zeros(p.size, np.int64)
        collected: dict[Compartment, np.ndarray] = {}
        for s in self.program.synapses:
            if s.target != p.name or s.name not in self.on_the_way:
                continue
            arrived, source = self.on_the_way[s.name], self.program.population(s.source)
            if s.compartment is Compartment.SOMA and source.spiking:
                current += arrived
            elif s.compartment is Compartment.SOMA:
                x.held += arrived
            elif s.compartment is Compartment.INHIBITION:
                assert isinstance(source.soma, Relay)
                won = arrived & (1 << (source.soma.neighbours - 1))
                x.count = np.where(won == 0, 0, x.count)
            else:
                arrived = arrived >> s.delivery_shift
                collected[s.compartment] = collected.get(s.compartment, 0) + arrived
        for compartment, total in collected.items():
            setattr(x, compartment.value, clip(total, MEMBRANE_MAX))
        return current + x.held

    def _step(self, p: ProgramPopulation, x: Neurons, current: np.ndarray, tau: int) -> np.ndarray:
        """One step of the presentation; who spikes."""
        soma = p.soma
        if soma is None:
            ahead = (x.count * (tau + 1) + 128) >> 8
            return (ahead > (x.count * tau + 128) >> 8) & p.spikes
        if isinstance(soma, Tally):
            x.count = x.count + current
            return np.zeros(p.size, bool)
        if isinstance(soma, Relay):
            x.v = np.where(x.v == 0, current & -current, x.v)
            x.spiked = (current & x.v) != 0
        else:
            assert isinstance(soma, Soma)
            bias = np.repeat(soma.bias or np.zeros(p.map[0], int), p.map[1] * p.map[2])
            leaked = np.sign(x.v) * (np.abs(x.v) * soma.decay >> 12)
            fall = leaked if soma.reset == "zero" else soma.threshold
            x.v = leaked - x.spiked * fall + (current << soma.input_shift) + bias
            x.v = clip(x.v, MEMBRANE_MAX)
            x.spiked = x.v > soma.threshold
        x.count = x.count + x.spiked
        return x.spiked

    def _score(self, p: ProgramPopulation, x: Neurons, seen: FixationTrace) -> None:
        """What the comparator will have summed."""
        for gate in self.program.gates:
            assert gate.norm is None and gate.classes == 0, "not restated here"
            if gate.population == p.name:
                products = np.prod([self._quantity(x, q) for q in gate.score], axis=0)
                u = int((clip(products, MEMBRANE_MAX) >> gate.score_shift).sum())
                seen.scores[gate.name] = max(-MEMBRANE_MAX, min(MEMBRANE_MAX, u))

    def _open_gates(
        self, acting: dict[str, tuple[int, int]], stimulus: Stimulus, seen: list[FixationTrace]
    ) -> None:
        """A gate arrives everywhere a step after it was decided."""
        for gate in self.program.gates:
            f, tau = acting.get(gate.population, (0, -1))
            if tau == gate.decided(self.program.timetable.steps) + 1:
                y, u = int(stimulus.signals[gate.modulator][f]), seen[f].scores[gate.name]
                opened = y if y * u < gate.margins[y < 0] else 0
                self.signals[gate.name] = seen[f].gates[gate.name] = opened

    def _post_value(
        self, x: Neurons, value: PostValue, stimulus: Stimulus, f: int, time_step: int
    ) -> np.ndarray:
        signal = 1
        if value.gate is not None:
            named = {name: int(y[f]) for name, y in stimulus.signals.items()} | self.signals
            signal = named[value.gate]
        if value.rectified:
            signal = max(0, signal) if value.rectified == "half" else abs(signal)
        product = np.full(x.size, signal, np.int64)
        for quantity in value.factors:
            product *= self._quantity(x, quantity)
        rounded = rounding.round_stochastically(
            product * value.multiplier, value.shift, self.program.seed, value.stream, time_step
        )
        return clip(value.granularity * rounded, 127) if signal else np.zeros(x.size, np.int64)

    def _quantity(self, x: Neurons, quantity: Quantity) -> np.ndarray:
        steps = self.program.timetable.steps
        return {
            Quantity.COUNT: x.count,
            Quantity.PREVIOUS_COUNT: x.previous,
            Quantity.APICAL: x.apical,
            Quantity.RETRO: x.retro,
            Quantity.SURROGATE: ((x.count > 0) & (x.count < steps)).astype(np.int64),
            Quantity.PREVIOUS_SURROGATE: ((x.previous > 0) & (x.previous < steps)).astype(np.int64),
            Quantity.CHANGE: x.count - x.previous,
            Quantity.WINNER: x.v,
        }[quantity]

    def _learn(self, step: int) -> None:
        """The learning engine: every synapse sees what its neurons sent and wrote in this step."""
        for s in self.plastic():
            assert s.rule is not None
            found, counted = self.synapses[s.name], self.counted[s.name]
            weights, tags = self.weights[s.name].reshape(-1), self.tags[s.name].reshape(-1)
            if in_turn(s):
                counted.rows += self.learners[s.name].learn(s, self.program, step)
                self.tags[s.name] = self.learners[s.name].sums
                continue
            y = self.neurons[s.target].post.get(s.rule.register)
            sent = self.neurons[s.source].sent
            if y is not None and y.any() and sent is not None:
                x1 = (sent[1] >> 1)[found.pre]
                largest = self.program.weight_max if s.paired else self.program.tag_max
                learning = weights if s.paired else tags
                self._accumulate(s, found, learning, largest, x1, y[found.post], step)
            if carries(s.rule) and step % (1 << s.rule.carry_exponent) == 0:
                old = tags[found.at]
                moved = weights[found.at] + np.sign(old)
                weights[found.at] = clip(moved, self.program.weight_max)
                tags[found.at] = old - 64 * np.sign(old)
                counted.carried += int((old != 0).sum())
                counted.visits += old.size

    def _accumulate(
        self,
        s: Synapses,
        found: Listed,
        tags: np.ndarray,
        largest: int,
        x1: np.ndarray,
        y: np.ndarray,
        step: int,
    ) -> None:
        """dt = 2^e * x0 * x1 * y, rounded stochastically to whole units of the tag; or so dw."""
        assert s.rule is not None
        product = ((x1 * y) >> 3) << (s.rule.exponent + 7)
        total = (tags[found.at] << 7) + product
        up = found.bits(self.program.seed, s.index, step) < (total & 127)
        learned = clip((total >> 7) + up, largest)
        tags[found.at] = np.where(x1 != 0, learned, tags[found.at])
        copies = len(s.weights) if s.connection is Connection.UNTIED else 1
        copy = found.at // (s.weights.size // copies)
        learning = np.zeros(copies, bool)
        learning[copy[y != 0]] = True
        self.counted[s.name].rows += len({*found.row[(x1 != 0) & learning[copy]].tolist()})
        self.counted[s.name].epochs += 1

    def _tell_learners(self, s: Synapses, acting: dict[str, tuple[int, int]]) -> None:
        """What a map and the one below send in turn in this time step."""
        learners = self.learners[s.name]
        if s.target in acting:
            tau = acting[s.target][1]
            if tau in s.slots:
                assert s.rule is not None
                learners.values = self.neurons[s.target].post[s.rule.register]
                self.counted[s.name].epochs += int(learners.values.any())
            learners.tell(tau)
        if s.source in acting:
            tau, source = acting[s.source][1], self.program.population(s.source)
            for m in source.messages:
                if m.stride:
                    values = self._quantity(self.neurons[s.source], m.quantity)
                    learners.hear(tau - m.step, (values >> m.drop) << m.lift)

    def _average(self, fixation: int) -> None:
        """The management processor, after the last time step of a fixation."""
        for s in self.program.synapses:
            if s.averaged == 0 or (fixation + 1) % s.averaged != 0:
                continue
            if s.rule is None:  # together with the low half of the pair
                continue
            weights, tags = self.weights[s.name], self.tags[s.name]
            if s.paired:
                units, most = 2**s.fine, self.program.weight_max
                whole = units * self.weights[s.into] + weights
                self.weights[s.into] = clip((2 * whole + units) // (2 * units), most)
                self.weights[s.name] = clip(whole - units * self.weights[s.into], most)
                for name in (s.name, s.into):
                    self.counted[name].averaged += weights.size
                continue
            if s.name in self.learners:
                learners = self.learners[s.name]
                units = 64 * 2**s.fine
                whole = units * weights + learners.sums
                moved = (whole + units // 2) // units
                self.weights[s.name] = clip(moved, self.program.weight_max)
                learners.keep(whole - units * self.weights[s.name], self.program.weight_max)
                self.tags[s.name] = learners.sums
                self.counted[s.name].averaged += weights.size
                continue
            if s.connection is not Connection.UNTIED:
                whole = 64 * weights + tags
                self.weights[s.name] = clip((whole + 32) >> 6, self.program.weight_max)
                self.tags[s.name] = clip(whole - 64 * self.weights[s.name], self.program.tag_max)
                self.counted[s.name].averaged += weights.size
                continue
            side = self.program.population(s.target).map[1:]
            real = np.broadcast_to(on_the_map(s.weights.shape, side), s.weights.shape)
            n = np.maximum(1, real.sum(0))
            total = ((64 * weights + tags) * real).sum(0)
            mean = (2 * total + n) // (2 * n)
            new = clip((mean + 32) >> 6, self.program.weight_max)
            rest = clip(mean - 64 * new, self.program.tag_max)
            self.weights[s.name] = np.where(real, new, weights)
            self.tags[s.name] = np.where(real, rest, tags)
            self.counted[s.name].averaged += int(real.sum())
