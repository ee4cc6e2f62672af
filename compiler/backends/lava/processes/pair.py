"""The two halves of a pair of synapses: high ones that drive, low ones that learn.

Both are Lava's own, static and plastic. What the management processor does between fixations is
done by the low ones, as their step ends; the high ones, another operating-system process, take
over what it wrote from memory that both share. Lava ends a step in all processes before any of them
begins the next.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.dense.models import PyDenseModelBitAcc
from lava.proc.dense.process import Dense, LearningDense

from compiler.backends.lava.copies import carried_pair
from compiler.backends.lava.processes.plastic import ProgramLearningDenseModel
from compiler.backends.lava.processes.static import as_even, static_synapses
from compiler.backends.lava.recording import SynapseRecord
from compiler.backends.lava.wiring import Clock
from compiler.program import Synapses


class Shared:
    """The weights of high synapses, int8 (N_target, N_source) in shared memory.

    period: time steps from one carry to the next.
    """

    def __init__(
        self, high: Synapses, period: int, weights: np.ndarray, record: SynapseRecord
    ) -> None:
        self.weights, self.record = weights, record
        self.weights[:] = high.weights
        self._period = period * high.averaged

    def due(self, time_step: int) -> bool:
        """Whether the processor carries as this time step ends."""
        return time_step % self._period == 0

    def record_step(self, clock: Clock, time_step: int, last_step: int) -> None:
        """Notes the weights that a step has left behind, by the time of their target."""
        record = self.record
        if time_step == last_step:
            record.final_weights[:] = self.weights
        fixation, tau = clock.at(time_step)
        if record.detailed and fixation >= 0:
            record.weights[fixation % record.slots, tau] = self.weights


def high_synapses(synapses: Synapses, shared: Shared) -> Dense:
    """The process of the high synapses."""
    return static_synapses(synapses, shared=shared)


@implements(proc=Dense, protocol=LoihiProtocol)
@requires(CPU)
@tag("bit_accurate_loihi", "fixed_pt")
class HighDenseModel(PyDenseModelBitAcc):
    """Lava's static synapses, which take over what was carried into them."""

    def __init__(self, proc_params: dict[str, Any]) -> None:
        super().__init__(proc_params)
        self._shared: Shared = proc_params["shared"]

    def run_spk(self) -> None:
        """One time step."""
        if self.weights_set and self._shared.due(self.time_step - 1):
            self.weights = as_even(self._shared.weights)
        super().run_spk()


@implements(proc=LearningDense, protocol=LoihiProtocol)
@requires(CPU)
@tag("bit_approximate_loihi", "fixed_pt")
class LowDenseModel(ProgramLearningDenseModel):
    """Lava's plastic synapses, and the processor that carries what they have learned."""

    def __init__(self, proc_params: dict[str, Any]) -> None:
        super().__init__(proc_params)
        self._shared: Shared = proc_params["shared"]

    def carry_due(self) -> bool:
        """By the rule nothing is ever carried."""
        return False

    def end_step(self) -> None:
        """Carries where that is due, and records both halves.

        A fixation is over on all levels before the next one begins, since a period has room for the
        topmost level's last step.
        """
        learning, shared = self._learning, self._shared
        if shared.due(self.time_step):
            shared.weights[:], self.weights = carried_pair(
                shared.weights, self.weights, learning.synapses.fine, learning.program.weight_max
            )
        shared.record_step(learning.clock, self.time_step, learning.last_step)
        super().end_step()
