"""Lava's own plastic synapses, with the project's random numbers and the program's ranges."""

from __future__ import annotations

import math

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.learning.constants import GradedSpikeCfg
from lava.magma.core.learning.learning_rule import (
    Loihi2FLearningRule,
    Loihi3FLearningRule,
    LoihiLearningRule,
)
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.dense.models import PyLearningDenseModelBitApproximate
from lava.proc.dense.process import LearningDense

from compiler.backends.lava.recording import SynapseRecord
from compiler.backends.lava.wiring import Clock, three_factor
from compiler.products import DECAY_ONE, IMPULSE_ONE
from compiler.program import Program, SumOfProducts, Synapses, Trace
from compiler.rounding import synapse_bits

FOREVER = 2**60  # a time constant with exp(-1/tau) = 1 exactly; Lava's infinity fails to build
VANISHING = 2.0**-10  # one with exp(-1/tau) = 0 exactly; Lava does not decay with 0


def learning_rule(rule: SumOfProducts) -> LoihiLearningRule:
    """The rule as Lava reads it: an epoch every step.

    Presynaptic traces, and postsynaptic ones where the soma writes none, decay in the synapse;
    all others do not decay by themselves.
    """
    pre = {"x1", "x2"} if three_factor(rule) else {"x1", "x2", "y1", "y2", "y3"}
    settings: dict[str, float] = {f"{name}_tau": FOREVER for name in pre}
    for trace in rule.traces:
        if trace.name in pre:
            settings[f"{trace.name}_tau"] = time_constant(trace)
            settings[f"{trace.name}_impulse"] = trace.impulse / IMPULSE_ONE
    kind = Loihi3FLearningRule if three_factor(rule) else Loihi2FLearningRule
    loihi = kind(
        dw=rule.text(rule.dw) or None,
        dt=rule.text(rule.dt) or None,
        **settings,
        t_epoch=1,
        rng_seed=1,  # of trace rounding, which never rounds here; unset, Lava draws it from numpy
    )
    if three_factor(rule):
        # Lava gives post traces a time constant of 65535 and rounds their decay at random.
        loihi.y1_tau = loihi.y2_tau = loihi.y3_tau = FOREVER
    return loihi


def time_constant(trace: Trace) -> float:
    """Lava's time constant of a trace; one that never decays, or at once, has its own."""
    if trace.decay == DECAY_ONE:
        return FOREVER
    return -1 / math.log(trace.decay / DECAY_ONE) if trace.decay else VANISHING


def plastic_synapses(
    program: Program,
    synapses: Synapses,
    clock: Clock,
    record: SynapseRecord,
    last_step: int,
    guarded: bool,
) -> LearningDense:
    """The process of one plastic projection; `clock` is the target's."""
    assert synapses.rule is not None
    return LearningDense(
        weights=synapses.weights.astype(np.int32),
        tag_1=(np.zeros_like(synapses.weights) if synapses.tags is None else synapses.tags).astype(
            np.int32
        ),
        name=synapses.name,
        # Eight bits and sign, as the learning engine has them; 8 would make odd weights even.
        num_weight_bits=9,
        num_message_bits=8,
        graded_spike_cfg=(
            GradedSpikeCfg.USE_REGULAR_IMPULSE
            if any(trace.name == "x1" for trace in synapses.rule.traces)
            else GradedSpikeCfg.OVERWRITE
        ),
        learning_rule=learning_rule(synapses.rule),
        synapses=synapses,
        seed=program.seed,
        ranges={"weights": program.weight_max, "tag_1": program.tag_max},
        clock=clock,
        record=record,
        last_step=last_step,
        guarded=guarded,
    )


class RoundingBits:
    """Seven random bits for every synapse and step, where Lava has one number for all.

    Takes the place of Lava's `ConnVarRandom`. Outside the learning slots post values are zero,
    nothing has a fraction, and no number is drawn.
    """

    def __init__(self, model: ProgramLearningDenseModel, seed: int, synapses: Synapses) -> None:
        self._model = model
        self._seed = seed
        self._synapses = synapses
        self._drawn_at = 0
        self._drawn = np.zeros((1, 1))

    def advance(self) -> None:
        """Nothing to do: numbers depend on the time step, not on a state."""

    @property
    def random_stochastic_round(self) -> np.ndarray:
        """Multiples of 1/128 in [0, 1), (N_target, N_source); Lava rounds up below the fraction."""
        step = self._model.time_step
        if step != self._drawn_at:
            self._drawn_at = step
            self._drawn = self._draw(step) if self._model.post_values_written else np.zeros((1, 1))
        return self._drawn

    def _draw(self, step: int) -> np.ndarray:
        n_post, n_pre = self._synapses.weights.shape
        return synapse_bits(self._seed, self._synapses.index, step, n_pre, n_post).T / 128


@implements(proc=LearningDense, protocol=LoihiProtocol)
@requires(CPU)
@tag("bit_approximate_loihi", "fixed_pt")
class ProgramLearningDenseModel(PyLearningDenseModelBitApproximate):
    """Lava's fixed-point model; the learning engine itself is Lava's, unchanged."""

    def __init__(self, proc_params: dict) -> None:
        self._synapses: Synapses = proc_params["synapses"]
        self._record: SynapseRecord = proc_params["record"]
        self._clock: Clock = proc_params["clock"]
        self._ranges: dict[str, int] = proc_params["ranges"]
        self._seed: int = proc_params["seed"]
        self._last_step: int = proc_params["last_step"]
        self._guarded: bool = proc_params["guarded"]
        super().__init__(proc_params)

    @property
    def post_values_written(self) -> bool:
        """Whether any post value of this step is not zero."""
        return bool(self.y1.any() or self.y2.any() or self.y3.any())

    def _init_randoms(self) -> None:
        super()._init_randoms()
        self._conn_var_random = RoundingBits(self, self._seed, self._synapses)

    def _saturate_synaptic_variable(self, syn_var_name: str, syn_var_val: np.ndarray) -> np.ndarray:
        # Lava clips weights to [-256, 255] and tags to [-257, 255]; a program's ranges are
        # narrower and symmetric. (Delays, Lava's third variable, have no rule here.)
        limit = self._ranges[syn_var_name]
        return np.clip(syn_var_val, -limit, limit)

    def lrn_guard(self) -> bool:
        """Whether this step has a learning epoch.

        Stock Lava has one at every step. `guarded` leaves out those that can change nothing: all
        post values zero and no carry due. The state that an epoch clears is cleared all the same.
        """
        if not self._guarded:
            return super().lrn_guard()
        assert self._synapses.rule is not None
        carries = self.time_step % (1 << self._synapses.rule.carry_exponent) == 0
        if carries or self.post_values_written:
            return True
        self._reset_dependencies_and_spike_times()
        self._remember()
        return False

    def run_lrn(self) -> None:
        """Lava's learning epoch; afterwards weights and tags are what the step leaves behind."""
        super().run_lrn()
        self._remember()

    def _remember(self) -> None:
        record = self._record
        if self.time_step == self._last_step:
            record.final_weights[:] = self.weights
            record.final_tags[:] = self.tag_1
        fixation, tau = self._clock.at(self.time_step)
        if record.detailed and fixation >= 0:
            record.weights[fixation % record.slots, tau] = self.weights
            record.tags[fixation % record.slots, tau] = self.tag_1
