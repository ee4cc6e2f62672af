"""A learning rule of a program as one of Lava's."""

from __future__ import annotations

import math

from lava.magma.core.learning.constants import GradedSpikeCfg
from lava.magma.core.learning.learning_rule import (
    Loihi2FLearningRule,
    Loihi3FLearningRule,
    LoihiLearningRule,
)

from compiler.backends.lava.wiring import three_factor
from compiler.products import DECAY_ONE, IMPULSE_ONE
from compiler.program import SumOfProducts, Trace

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


def graded_spikes(rule: SumOfProducts) -> GradedSpikeCfg:
    """What a graded spike does to x1: it becomes x1, unless that is a trace of spike times."""
    timed = any(trace.name == "x1" for trace in rule.traces)
    return GradedSpikeCfg.USE_REGULAR_IMPULSE if timed else GradedSpikeCfg.OVERWRITE
