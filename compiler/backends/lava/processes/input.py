"""An input population: sends the intensities of each fixation, and their traces for learning."""

from __future__ import annotations

import numpy as np
from lava.magma.core.decorator import implements, requires
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from compiler.backends.lava.soma import NeuronState, spread_spikes
from compiler.backends.lava.wiring import Clock, fold, folded_shape
from compiler.program import ProgramPopulation


class InputPopulation(AbstractProcess):
    """Neurons whose count is given, uint8 (F, N), or a sequence: integers (F, T, N)."""

    def __init__(
        self, *, population: ProgramPopulation, clock: Clock, intensities: np.ndarray
    ) -> None:
        super().__init__(population=population, clock=clock, intensities=intensities)
        self.s_out = OutPort(shape=(population.size,))
        self.s_out_map = OutPort(shape=folded_shape(population))


@implements(proc=InputPopulation, protocol=LoihiProtocol)
@requires(CPU)
class InputPopulationModel(PyLoihiProcessModel):
    """Spikes or at most one graded message a step, by the timetable; silent after the last."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=8)
    s_out_map: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=8)

    def __init__(self, proc_params: dict) -> None:
        super().__init__(proc_params)
        population: ProgramPopulation = proc_params["population"]
        self._population = population
        self._clock: Clock = proc_params["clock"]
        self._intensities: np.ndarray = proc_params["intensities"]
        self._messages = {m.step: m for m in population.messages}
        self._spikes = population.spikes
        self._sequence = population.sequence > 0
        self._silence = np.zeros(population.size, np.int32)
        self._state = NeuronState(population.size, self._clock.timetable.steps)

    def run_spk(self) -> None:
        """Sends this step's message, then shifts the counts where the fixation ends."""
        fixation, tau = self._clock.at(self.time_step)
        state = self._state
        known = 0 <= fixation < len(self._intensities)
        if tau == 0 and not self._sequence:
            state.count[:] = self._intensities[fixation] if known else 0
        message = self._messages.get(tau)
        if message is not None:
            payload = state.payload(message)
        elif self._spikes and tau < self._clock.timetable.steps:
            payload = spread_spikes(state.count, tau)
        elif self._sequence and known and tau < self._clock.timetable.steps:
            payload = self._intensities[fixation, tau].astype(np.int32)
        else:
            payload = self._silence
        self.s_out.send(payload)
        self.s_out_map.send(fold(self._population, payload))
        if tau == self._clock.timetable.predict:
            state.end_fixation()
