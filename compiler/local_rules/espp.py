"""ESPP as sums of products: the echo, divided by its norm, is the post value.

    u = Σ_j z_j c_j / ‖c‖        open where y·(θ_y − u) > 0
    ΔW_ji = rate · (y / ‖c‖) · c_j ρ'_j x_i

with c the layer's activity at the fixation before. A soma does not know the norm of its layer; the
comparator, which sums the scores, sums the squares as well and broadcasts y / ‖c‖.
"""

from __future__ import annotations

from clapp_neuro.rules.espp import THRESHOLD_LEFT, THRESHOLD_STAYS
from compiler.ir import Comparator, LearningRule, Quantity, Term
from compiler.local_rules.layer import Layer, Learning

Z, C, RHO = Quantity.COUNT, Quantity.PREVIOUS_COUNT, Quantity.SURROGATE


def forward(rate: float, gate: str) -> LearningRule:
    """Feed-forward weights: more like the echo, or less."""
    return LearningRule("espp.forward", (Term(rate, pre=Z, post=(C, RHO), gate=gate),))


def comparator(name: str, population: str, signal: str, margin: float) -> Comparator:
    """The gate: open below θ₊ while the gaze stays, above θ₋ after a saccade (y·u < −θ₋)."""
    return Comparator(
        name,
        population,
        signal,
        margin=THRESHOLD_STAYS * margin,
        left=-THRESHOLD_LEFT * margin,
        score=(Z, C),
        norm=C,
    )


def learning(layer: Layer) -> Learning:
    """The forward weights learn, and the comparator has two thresholds and a norm."""
    train = layer.train
    gate = comparator(layer.gate, layer.name, layer.signal, train.margin)
    return Learning({"forward": forward(train.sgd_rate, layer.gate)}, (gate,))
