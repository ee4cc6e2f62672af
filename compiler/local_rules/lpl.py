"""LPL as sums of products: be slow, yet vary; two terms of one presynaptic trace.

    ΔW_ji = rate · [ −(z_j − c_j)·[y > 0] + λ (z_j − z̄_j) / (σ_j² + ε) ] · ρ'_j x_i

No comparator: the broadcast y itself is the gate of the first term, half-wave rectified; of the
second its magnitude, so that nothing is learned before there was a fixation to compare with. z̄ and
σ² are kept by the soma, which takes the quotient.
"""

from __future__ import annotations

from clapp_neuro.rules.lpl import AVERAGING_ONLINE, EPSILON, HEBBIAN
from compiler.ir import Averages, LearningRule, Quantity, Term
from compiler.local_rules.layer import Layer, Learning

Z, RHO = Quantity.COUNT, Quantity.SURROGATE


def forward(rate: float, signal: str) -> LearningRule:
    """Feed-forward weights: against change while the gaze stays, for variance always."""
    predictive = Term(-rate, pre=Z, post=(Quantity.CHANGE, RHO), gate=signal, rectified="half")
    hebbian = Term(
        HEBBIAN * rate, pre=Z, post=(Quantity.DEVIATION, RHO), gate=signal, rectified="full"
    )
    return LearningRule("lpl.forward", (predictive, hebbian))


def learning(layer: Layer) -> Learning:
    """The forward weights learn, and each soma keeps the averages of its activity."""
    averages = Averages(
        layer.signal,
        AVERAGING_ONLINE,
        EPSILON,
        layer.tensors["mean"],
        layer.tensors["variance"],
    )
    return Learning({"forward": forward(layer.train.sgd_rate, layer.signal)}, averages=averages)
