"""The interneuron that gates a population's learning, and the modulator that tells it the label."""

from __future__ import annotations

import math

import numpy as np
from lava.magma.core.decorator import implements, requires
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from compiler.backends.lava.recording import GateRecord
from compiler.backends.lava.soma import clip_24_bits
from compiler.backends.lava.wiring import Clock
from compiler.program import NORM_BITS, RECIPROCAL_BITS, SCORE_BITS, Gate


class Modulator(AbstractProcess):
    """Broadcasts `labels` int8 (F,), one a fixation, when the fixation begins.

    `receivers` maps the name of an output port to the number of neurons that it fans out to.
    """

    def __init__(self, *, labels: np.ndarray, clock: Clock, receivers: dict[str, int]) -> None:
        super().__init__(labels=labels, clock=clock, receivers=receivers)
        for port, size in receivers.items():
            setattr(self, port, OutPort(shape=(size,)))


@implements(proc=Modulator, protocol=LoihiProtocol)
@requires(CPU)
class ModulatorModel(PyLoihiProcessModel):
    """Silent except in the first step of a fixation."""

    def __init__(self, proc_params: dict) -> None:
        super().__init__(proc_params)
        self._labels: np.ndarray = proc_params["labels"]
        self._clock: Clock = proc_params["clock"]
        self._receivers: dict[str, int] = proc_params["receivers"]

    def run_spk(self) -> None:
        """Sends the label, or nothing."""
        fixation, phase = self._clock.at(self.time_step)
        speaks = phase == 0 and fixation < len(self._labels)
        label = int(self._labels[fixation]) if speaks else 0
        for port, size in self._receivers.items():
            getattr(self, port).send(np.full(size, label, np.int32))


def modulator_model(receivers: dict[str, int]) -> type[ModulatorModel]:
    """The model with one output port a receiver; Lava wants each port as a class attribute."""
    ports = {name: LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=2) for name in receivers}
    return type("WiredModulatorModel", (ModulatorModel,), ports)


class Comparator(AbstractProcess):
    """One interneuron: receives the summed score and the label, broadcasts the gate.

    `receivers` maps the name of an output port to the number of neurons that it fans out to.
    """

    def __init__(
        self, *, gate: Gate, clock: Clock, receivers: dict[str, int], record: GateRecord
    ) -> None:
        super().__init__(gate=gate, clock=clock, receivers=receivers, record=record)
        self.score_in = InPort(shape=(max(1, gate.classes),))
        self.label_in = InPort(shape=(1,))
        for port, size in receivers.items():
            setattr(self, port, OutPort(shape=(size,)))


@implements(proc=Comparator, protocol=LoihiProtocol)
@requires(CPU)
class ComparatorModel(PyLoihiProcessModel):
    """Decides one step after the score was sent and sends the gate one step later.

    Sending what the last step decided before receiving anything keeps the loop from comparator to
    population and back from waiting for itself.
    """

    score_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    label_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=2)

    def __init__(self, proc_params: dict) -> None:
        super().__init__(proc_params)
        self._gate: Gate = proc_params["gate"]
        self._clock: Clock = proc_params["clock"]
        self._receivers: dict[str, int] = proc_params["receivers"]
        self._record: GateRecord = proc_params["record"]
        self._label = 0
        self._score = np.zeros(1, np.int64)
        self._decided = 0
        self._named = 0  # the class whose neurons a critic points at

    def run_spk(self) -> None:
        """Sends the last decision, receives, decides."""
        for port, size in self._receivers.items():
            told = np.full(size, self._decided, np.int32)
            if self._gate.points:
                told[np.arange(size) % self._gate.classes != self._named] = 0
            getattr(self, port).send(told)
        self._decided = 0
        label, score = int(self.label_in.recv()[0]), self.score_in.recv()
        period = self._clock.timetable.period
        fixation, tau = self._clock.at(self.time_step)
        if (self.time_step - 1) % period == 0:
            self._label = label
        gate, steps = self._gate, self._clock.timetable.steps
        if gate.serial:
            self._add_bits(score, tau - gate.sent(steps))
        elif fixation >= 0 and tau == gate.sent(steps) + 1:
            self._score = clip_24_bits(score)
        if fixation >= 0 and tau == gate.decided(steps):
            if gate.classes:
                u, self._decided = reward(gate, self._label, self._score)
                self._named = int(np.argmax(self._score))
            else:
                last = int(clip_24_bits(score)[0])
                u, self._decided = decide(gate, self._label, int(self._score[0]), last)
            self._record.scores[fixation % self._record.slots] = u
            self._record.gates[fixation % self._record.slots] = self._decided

    def _add_bits(self, ones: np.ndarray, since: int) -> None:
        """Scores of all neurons bit by bit in two's complement, the highest one first."""
        if since == 1:
            self._score = -ones.astype(np.int64)
        elif 1 < since <= self._gate.serial:
            self._score = 2 * self._score + ones


def decide(gate: Gate, label: int, score: int, square: int) -> tuple[int, int]:
    """(score, gate) as `compiler.program.Gate` has them; `square` is the norm's, where it has one.

    Written apart from the simulator's kernels, as all arithmetic here.
    """
    sent = label
    if gate.norm is not None:
        length = math.isqrt(square << 2 * NORM_BITS)
        if length == 0:
            return 0, 0
        score = int(clip_24_bits(np.array((score << SCORE_BITS) // length)))
        sent = label * ((1 << RECIPROCAL_BITS) // length)
    stays, left = gate.margins
    return score, sent if label * score < (left if label < 0 else stays) else 0


def reward(gate: Gate, label: int, sums: np.ndarray) -> tuple[int, int]:
    """(score, gate) of a critic with its sums, one a class."""
    if not 0 <= label < gate.classes:
        return 0, 0
    right, others = int(sums[label]), np.delete(sums, label)
    u = right - int(others.max()) if len(others) else right
    return u, gate.largest if int(np.argmax(sums)) == label else -1


def comparator_model(receivers: dict[str, int]) -> type[ComparatorModel]:
    """The model with one output port a receiver; Lava wants each port as a class attribute."""
    ports = {name: LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24) for name in receivers}
    return type("WiredComparatorModel", (ComparatorModel,), ports)
