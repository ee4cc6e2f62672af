"""What our models of Lava's plastic synapses have in common, all-to-all or sparse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from compiler.backends.lava.recording import SynapseRecord
from compiler.backends.lava.wiring import Clock
from compiler.program import Program, Synapses


@dataclass(frozen=True)
class Learning:
    """A plastic projection in a run; `clock` is that by which its learning is recorded.

    last_step: the time step after which its weights and tags are final. guarded: leave out the
    learning epochs that can change nothing.
    """

    program: Program
    synapses: Synapses
    clock: Clock
    record: SynapseRecord
    last_step: int
    guarded: bool


class RoundingBits:
    """Seven random bits for every synapse and step, where Lava has one number for all.

    Takes the place of Lava's `ConnVarRandom`. Outside the learning slots post values are zero,
    nothing has a fraction, and no number is drawn.
    """

    def __init__(self, model: ProgramLearning) -> None:
        self._model = model
        self._drawn_at = 0
        self._drawn = np.zeros(1)

    def advance(self) -> None:
        """Nothing to do: numbers depend on the time step, not on a state."""

    @property
    def random_stochastic_round(self) -> np.ndarray:
        """Multiples of 1/128 in [0, 1), one a synapse; Lava rounds up below the fraction."""
        model = self._model
        step = model.time_step
        if step != self._drawn_at:
            self._drawn_at = step
            written = model.post_values_written
            self._drawn = model.random_bits(step) / 128 if written else np.zeros(1)
        return self._drawn


class ProgramLearning:
    """Mixed into one of Lava's fixed-point models: the learning engine is Lava's, unchanged.

    What is ours: each synapse's own random numbers, the program's ranges of weights and tags, and
    that these are recorded.
    """

    time_step: int
    y1: np.ndarray
    y2: np.ndarray
    y3: np.ndarray
    weights: Any
    tag_1: Any

    def __init__(self, proc_params: dict) -> None:
        self._learning: Learning = proc_params["learning"]
        super().__init__(proc_params)  # type: ignore[call-arg]

    def random_bits(self, time_step: int) -> np.ndarray:
        """The seven random bits of each synapse, as the model keeps its synapses."""
        raise NotImplementedError

    def record_values(self, record: np.ndarray, values: Any) -> None:
        """Writes one value a synapse into a record of the program's shape."""
        raise NotImplementedError

    @property
    def post_values_written(self) -> bool:
        """Whether any post value of this step is not zero."""
        return bool(self.y1.any() or self.y2.any() or self.y3.any())

    def _init_randoms(self) -> None:
        super()._init_randoms()  # type: ignore[misc]
        self._conn_var_random = RoundingBits(self)

    def _saturate_synaptic_variable(self, syn_var_name: str, syn_var_val: np.ndarray) -> np.ndarray:
        # Lava clips weights to [-256, 255] and tags to [-257, 255]; a program's ranges are
        # narrower and symmetric. (Delays, Lava's third variable, have no rule here.)
        program = self._learning.program
        limit = {"weights": program.weight_max, "tag_1": program.tag_max}[syn_var_name]
        return np.clip(syn_var_val, -limit, limit)

    def lrn_guard(self) -> bool:
        """Whether this step has a learning epoch.

        Stock Lava has one at every step. `guarded` leaves out those that can change nothing: all
        post values zero and no carry due. The state that an epoch clears is cleared all the same.
        """
        if not self._learning.guarded:
            return super().lrn_guard()  # type: ignore[misc]
        if self.carry_due() or self.post_values_written:
            return True
        self._reset_dependencies_and_spike_times()  # type: ignore[attr-defined]
        self.end_step()
        return False

    def carry_due(self) -> bool:
        """Whether the rule carries in this step."""
        rule = self._learning.synapses.rule
        assert rule is not None
        return self.time_step % (1 << rule.carry_exponent) == 0

    def run_lrn(self) -> None:
        """Lava's learning epoch; afterwards weights and tags are what the step leaves behind."""
        super().run_lrn()  # type: ignore[misc]
        self.end_step()

    def end_step(self) -> None:
        """Records what the step has left behind."""
        record, clock = self._learning.record, self._learning.clock
        if self.time_step == self._learning.last_step:
            self.record_values(record.final_weights, self.weights)
            self.record_values(record.final_tags, self.tag_1)
        fixation, tau = clock.at(self.time_step)
        if record.detailed and fixation >= 0:
            self.record_values(record.weights[fixation % record.slots, tau], self.weights)
            self.record_values(record.tags[fixation % record.slots, tau], self.tag_1)
