"""A LIF population: spikes, graded messages, compartments and post values, by the timetable."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires
from lava.magma.core.model.py.neuron import LearningNeuronModelFixed
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.neuron import LearningNeuronProcess
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from compiler.backends.lava.recording import PopulationRecord
from compiler.backends.lava.soma import Neurons, NeuronState, TraceState, clip_24_bits
from compiler.backends.lava.wiring import (
    Arrival,
    Clock,
    PopulationWiring,
    fold,
    folded_shape,
    unfold,
)
from compiler.program import ProgramPopulation, Relay, Soma, Tally
from compiler.terms import Compartment

STATES = ("membrane", "synaptic", "count", "previous", "apical", "retro", "mean", "variance")


class LifPopulation(LearningNeuronProcess, AbstractProcess):
    """N neurons with a soma, an apical and a retro compartment; one input port a projection."""

    def __init__(
        self,
        *,
        population: ProgramPopulation,
        clock: Clock,
        wiring: PopulationWiring,
        seed: int,
        record: PopulationRecord,
    ) -> None:
        shape = (population.size,)
        super().__init__(
            shape=shape,
            learning_rule=None,  # the rules are the synapses' own; the neuron only writes y1..y3
            population=population,
            clock=clock,
            wiring=wiring,
            seed=seed,
            record=record,
        )
        self.s_out = OutPort(shape=shape)
        self.s_out_map = OutPort(shape=folded_shape(population))
        for arrival in wiring.arrivals:
            arriving = folded_shape(population) if arrival.folded else shape
            setattr(self, arrival.port, InPort(shape=arriving))
        for signal in wiring.signals[1:]:  # the first one has Lava's own port
            setattr(self, signal.port, InPort(shape=shape))
        for score in wiring.scores:
            setattr(self, score.port, OutPort(shape=shape))
        for state in STATES:
            setattr(self, state, Var(shape=shape, init=0))


@implements(proc=LifPopulation, protocol=LoihiProtocol)
@requires(CPU)
class LifPopulationModel(LearningNeuronModelFixed):
    """Receives from every port at every step, whatever the step has use for, computes, sends.

    Synapses, comparators and modulators send before they receive; receiving first here is what
    keeps the loops among them from waiting for one another.
    """

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)
    s_out_map: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)
    membrane: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    synaptic: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    count: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=8)
    previous: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=8)
    apical: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    retro: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    mean: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=32)
    variance: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=32)

    def __init__(self, proc_params: dict) -> None:
        super().__init__(proc_params)
        self._population: ProgramPopulation = proc_params["population"]
        self._clock: Clock = proc_params["clock"]
        self._wiring: PopulationWiring = proc_params["wiring"]
        self._seed: int = proc_params["seed"]
        self._record: PopulationRecord = proc_params["record"]
        soma = self._population.soma
        self._neurons = Neurons(soma, self._population.map) if isinstance(soma, Soma) else None
        self._messages = {m.step: m for m in self._population.messages}
        self._state = NeuronState(self._population.size, self._clock.timetable.steps)
        if self._population.averages is not None:
            self._state.mean[:] = self._population.averages.mean
            self._state.variance[:] = self._population.averages.variance
        self._signals = {
            s.name: np.zeros(self._population.size, np.int64) for s in self._wiring.signals
        }
        self._traces = {
            t.trace.name: TraceState(t.trace, t.stream, self._seed, self._population.size)
            for t in self._wiring.traces
        }
        self._silence = np.zeros(self._population.size, np.int32)
        self._awaited = {
            compartment: np.zeros(self._population.size, np.int64)
            for compartment in (Compartment.APICAL, Compartment.RETRO)
        }
        self._on_the_way = {
            a.port: deque([self._silence] * a.held_back) for a in self._wiring.arrivals
        }
        self._compartments = {
            compartment: [a for a in self._wiring.arrivals if a.compartment is compartment]
            for compartment in Compartment
        }

    def run_spk(self) -> None:
        """One time step."""
        fixation, tau = self._clock.at(self.time_step)
        received = {a.port: self._receive(a) for a in self._wiring.arrivals}
        for signal in self._wiring.signals:
            value = getattr(self, signal.port).recv()
            if tau == signal.step:
                self._signals[signal.name] = value.astype(np.int64)
        state = self._state
        if tau == 0:
            state.begin_fixation()
            if self._neurons is not None:
                state.membrane[:] = self._neurons.start
        self._collect(Compartment.APICAL, state.apical, received, tau)
        self._collect(Compartment.RETRO, state.retro, received, tau)
        if tau < self._clock.timetable.steps:
            self._integrate(received, tau)
        for arrival in self._compartments[Compartment.INHIBITION]:
            if tau in arrival.steps:
                state.inhibit(received[arrival.port], arrival.winner)
        self._send(fixation, tau)
        self._average(fixation, tau)
        self._write_post_values(fixation, tau)
        self._remember(fixation, tau)
        for compartment in self._awaited:
            self._add_up(compartment, received, tau)
        if tau == self._clock.timetable.predict:
            state.end_fixation()
        for name in STATES:
            setattr(self, name, getattr(state, name))

    def _receive(self, arrival: Arrival) -> np.ndarray:
        """What a projection delivers in this step, (N,) in the program's order."""
        values = getattr(self, arrival.port).recv()
        waiting = self._on_the_way[arrival.port]
        waiting.append((unfold(values) if arrival.folded else values).copy())
        return waiting.popleft()

    def _collect(
        self, compartment: Compartment, target: np.ndarray, received: dict[str, Any], tau: int
    ) -> None:
        """A compartment holds the sum of its messages until the first of the next ones."""
        arrivals = [a for a in self._compartments[compartment] if a.taken_over is None]
        due = [a for a in arrivals if tau in a.steps]
        if not due:
            return
        first, last = self._span(arrivals)
        if tau == first:
            target[:] = 0
        for arrival in due:
            target += received[arrival.port].astype(np.int64) >> arrival.shift
        if tau == last:
            target[:] = clip_24_bits(target)

    def _add_up(self, compartment: Compartment, received: dict[str, Any], tau: int) -> None:
        """A dendrite adds up spikes until the soma takes the sum over."""
        arrivals = [a for a in self._compartments[compartment] if a.taken_over is not None]
        for arrival in arrivals:
            if tau in arrival.steps:
                brought = received[arrival.port].astype(np.int64) >> arrival.shift
                self._awaited[compartment] += brought
        if any(tau == a.taken_over for a in arrivals):
            setattr(self._state, compartment.value, clip_24_bits(self._awaited[compartment]))
            self._awaited[compartment][:] = 0

    def _span(self, arrivals: list[Arrival]) -> tuple[int, int]:
        """First and last tau at which messages arrive, counted from when the sending begins."""
        steps = sorted({tau for a in arrivals for tau in a.steps}, key=self._since_presentation)
        return steps[0], steps[-1]

    def _since_presentation(self, tau: int) -> int:
        """Messages follow the presentation, the last ones arrive in the next fixation."""
        return (tau - self._clock.timetable.steps) % self._clock.timetable.period

    def _integrate(self, received: dict[str, Any], tau: int) -> None:
        soma, state = self._population.soma, self._state
        current = np.zeros(self._population.size, np.int64)
        for arrival in self._compartments[Compartment.SOMA]:
            if tau in arrival.steps:
                target = state.held if arrival.graded else current
                target += received[arrival.port].astype(np.int64) >> arrival.shift
        if isinstance(soma, Relay):
            state.relay(current)
            return
        if isinstance(soma, Tally):
            state.tally(current)
            return
        assert self._neurons is not None
        state.integrate(self._neurons, current + state.held)

    def _send(self, fixation: int, tau: int) -> None:
        state, timetable = self._state, self._clock.timetable
        if fixation < 0:
            payload = self._silence
        elif tau in self._messages:
            payload = state.payload(self._messages[tau])
        else:
            payload = state.spiked if tau < timetable.steps else self._silence
        self.s_out.send(payload)
        self.s_out_map.send(fold(self._population, payload))
        for score in self._wiring.scores:
            gate, message = score.gate, self._silence
            first = gate.sent(timetable.steps)
            if fixation >= 0 and 0 <= tau - first < gate.serial:
                said = state.score(gate, self._seed, self.time_step)
                said = np.clip(said, -gate.largest_message - 1, gate.largest_message)
                message = said >> (gate.serial - 1 - (tau - first)) & 1
            elif fixation >= 0 and tau == first and not gate.serial:
                message = state.score(gate, self._seed, self.time_step)
            elif fixation >= 0 and tau == first + 1 and gate.norm is not None:
                message = state.square(gate)
            getattr(self, score.port).send(message)

    def _average(self, fixation: int, tau: int) -> None:
        averages, state = self._population.averages, self._state
        if averages is None or fixation < 0 or tau != self._clock.timetable.steps:
            return
        state.average(averages, int(self._signals[averages.signal][0]))
        kept = np.stack([state.mean, state.variance])
        self._record.final_averages[:] = kept
        if self._record.detailed:
            self._record.averages[fixation % self._record.slots] = kept

    def _spiking(self, tau: int) -> np.ndarray:
        """This step's spikes: none after the presentation."""
        return self._state.spiked if tau < self._clock.timetable.steps else self._silence

    def _write_post_values(self, fixation: int, tau: int) -> None:
        registers = {"y1": self._silence, "y2": self._silence, "y3": self._silence}
        for i, value in enumerate(self._population.post_values):
            if value.step == tau and fixation >= 0:
                signal = 1 if value.gate is None else self._signals[value.gate]
                y = self._state.post_value(value, signal, self._seed, self.time_step)
                registers[value.register] = y
                if self._record.detailed:
                    self._record.post[fixation % self._record.slots, i] = y
        for name, trace in self._traces.items():
            registers[name] = trace.advance(self._spiking(tau), self.time_step)
        self.y1, self.y2, self.y3 = registers.values()
        self.s_out_bap.send(self._spiking(tau) > 0)
        self.s_out_y1.send(self.y1)
        self.s_out_y2.send(self.y2)
        self.s_out_y3.send(self.y3)

    def _remember(self, fixation: int, tau: int) -> None:
        if fixation < 0:
            return
        record, state, timetable = self._record, self._state, self._clock.timetable
        slot = fixation % record.slots
        if tau == timetable.predict:
            record.counts[slot] = state.count  # after the inhibition, where a run learns
        if tau == timetable.steps - 1:
            record.potentials[slot] = state.membrane
        if not record.detailed:
            return
        if tau < timetable.steps:
            record.membrane[slot, tau] = state.membrane
            record.spikes[slot, tau] = state.spiked
        if tau == timetable.predict:
            # All messages sent before this step have arrived; the next prediction has not.
            record.apical[slot] = state.apical
            record.retro[slot] = state.retro


def lif_population_model(wiring: PopulationWiring) -> type[LifPopulationModel]:
    """The model with the ports of one wiring; Lava wants each port as a class attribute."""
    receiving = [a.port for a in wiring.arrivals] + [s.port for s in wiring.signals[1:]]
    ports = {name: LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24) for name in receiving}
    for score in wiring.scores:
        ports[score.port] = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)
    return type("WiredLifPopulationModel", (LifPopulationModel,), ports)
