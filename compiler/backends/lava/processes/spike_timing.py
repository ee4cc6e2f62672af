"""Lava's plastic synapses for rules that may learn at any step: traces with our random numbers."""

from __future__ import annotations

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.dense.process import LearningDense

from compiler.backends.lava.processes.plastic import ProgramLearningDenseModel
from compiler.products import DECAY_ONE, IMPULSE_ONE, TRACES
from compiler.rounding import trace_stream, words

PRE, POST = TRACES[:2], TRACES[2:]


@implements(proc=LearningDense, protocol=LoihiProtocol)
@requires(CPU)
@tag("bit_approximate_loihi", "fixed_pt")
class SpikeTimingDenseModel(ProgramLearningDenseModel):
    """Lava's arithmetic throughout; each neuron's trace is rounded with a number of its own.

    An epoch at every step of every fixation, `clock` being that of the spikes' source; before the
    first fixation nothing has spiked, and after the last one nothing is learned any more.
    """

    @property
    def post_values_written(self) -> bool:
        """Any product may have a fraction, whatever the post values are."""
        return True

    def lrn_guard(self) -> bool:
        """Whether this step has a learning epoch."""
        fixation, _ = self._learning.clock.at(self.time_step)
        if fixation >= 0 and self.time_step <= self._learning.last_step:
            return True
        self._reset_dependencies_and_spike_times()
        return False

    def _compute_trace_histories(self) -> tuple[np.ndarray, np.ndarray]:
        """Values before and after this step, (2, traces, N), with Lava's decay and impulse."""
        return (
            self._history(PRE, self._x_traces, self._x_taus, self.tx,
                          self._x_impulses_int, self._x_impulses_frac),
            self._history(POST, self._y_traces, self._y_taus, self.ty,
                          self._y_impulses_int, self._y_impulses_frac),
        )  # fmt: skip

    def _history(
        self,
        names: tuple[str, ...],
        before: np.ndarray,
        taus: np.ndarray,
        spiked: np.ndarray,
        whole: np.ndarray,
        fraction: np.ndarray,
    ) -> np.ndarray:
        after, seed = np.array(before), self._learning.program.seed
        for i, name in enumerate(names):
            stream = trace_stream(self._learning.synapses.index, TRACES.index(name))
            random = words(seed, stream, self.time_step, after.shape[1]).astype(np.int64)
            # Lava rounds up where its number is below the fraction, we where ours reaches a whole
            # one with it. The half keeps an exponential that is off by its last bit from mattering.
            late = (DECAY_ONE - 0.5 - random % DECAY_ONE) / DECAY_ONE
            after[i] = self._decay_trace(before[i], 1, taus[i], late)
            due = spiked > 0
            rest = IMPULSE_ONE - 1 - random // DECAY_ONE % IMPULSE_ONE
            after[i, due] = self._add_impulse(after[i, due], rest[due], whole[i], fraction[i])
        return np.stack([before, after])
