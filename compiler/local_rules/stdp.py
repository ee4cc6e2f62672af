"""Pairwise spike-timing-dependent plasticity: ΔW_ji = A₊ x_i s_j − A₋ y_j s_i at every time step.

s is the spike of this step, x and y exponential traces of pre- and postsynaptic spikes (Song,
Miller and Abbott 2000): pre before post strengthens, post before pre weakens.
"""

from __future__ import annotations

from compiler.ir.spike_timing import PairTerm, Spike, SpikeTimingRule, SpikeTrace


def pairs(potentiation: float, depression: float, tau_plus: float, tau_minus: float
          ) -> tuple[PairTerm, PairTerm]:  # fmt: skip
    """The two halves of the window, A₊ and A₋ with their time constants in time steps."""
    return (
        PairTerm(potentiation, pre=SpikeTrace(tau_plus), post=Spike()),
        PairTerm(-depression, pre=Spike(), post=SpikeTrace(tau_minus)),
    )


def stdp(potentiation: float, depression: float, tau_plus: float, tau_minus: float
         ) -> SpikeTimingRule:  # fmt: skip
    """The pairs change the weight itself."""
    return SpikeTimingRule("stdp", pairs(potentiation, depression, tau_plus, tau_minus))
