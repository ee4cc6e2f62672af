"""Reward-modulated STDP (Izhikevich 2007): pairs fill an eligibility, a reward makes it a weight.

e_ji ← e_ji + A₊ x_i s_j − A₋ y_j s_i at every time step, and when a fixation ends
ΔW_ji = η R e_ji, e_ji ← λ e_ji, with the reward R of that fixation broadcast to the network.
"""

from __future__ import annotations

from compiler.ir.spike_timing import Eligibility, SpikeTimingRule
from compiler.local_rules.stdp import pairs


def reward_stdp(
    rate: float,
    depression: float,
    tau_plus: float,
    tau_minus: float,
    retention: float,
    reward: str,
) -> SpikeTimingRule:
    """A₊ is 1 and A₋ `depression`; η `rate`, λ `retention`, R the signal named `reward`."""
    terms = pairs(1.0, depression, tau_plus, tau_minus)
    return SpikeTimingRule("r-stdp", terms, Eligibility(rate, retention, reward))
