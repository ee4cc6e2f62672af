"""CLAPP as sums of products (paper Eq. 6, 7 and 8; one gate for both halves, Eq. 17)."""

from __future__ import annotations

from compiler.ir import Comparator, LearningRule, Quantity, Term
from compiler.local_rules.layer import Layer, Learning

Z, C = Quantity.COUNT, Quantity.PREVIOUS_COUNT
D, R = Quantity.APICAL, Quantity.RETRO
RHO, RHO_PREVIOUS = Quantity.SURROGATE, Quantity.PREVIOUS_SURROGATE


def forward(rate: float, gate: str) -> LearningRule:
    """Feed-forward weights: as the target (Eq. 6) and as the source (Eq. 7) of a prediction."""
    as_target = Term(rate, pre=Z, post=(D, RHO), gate=gate)
    as_source = Term(rate, pre=C, post=(R, RHO_PREVIOUS), gate=gate)
    return LearningRule("clapp.forward", (as_target, as_source))


def forward_without_retrodiction(rate: float, gate: str) -> LearningRule:
    """Feed-forward weights by Eq. 6 alone (the paper's W_retro = 0)."""
    return LearningRule("clapp.forward", (Term(rate, pre=Z, post=(D, RHO), gate=gate),))


def prediction(rate: float, gate: str) -> LearningRule:
    """W_pred: Eq. 8."""
    return LearningRule("clapp.prediction", (Term(rate, pre=C, post=(Z,), gate=gate),))


def retrodiction(rate: float, gate: str) -> LearningRule:
    """W_retro: the same number as Eq. 8, at the transposed synapse."""
    return LearningRule("clapp.retrodiction", (Term(rate, pre=Z, post=(C,), gate=gate),))


def learning(layer: Layer) -> Learning:
    """All three matrices learn by one gate. With W_retro = W_predᵀ at first, Eq. 8 keeps it so."""
    train, gate = layer.train, layer.gate
    comparator = Comparator(gate, layer.name, layer.signal, train.margin)
    rate = train.sgd_rate
    if train.retrodiction == "none":
        rules = {"forward": forward_without_retrodiction(rate, gate)}
    else:
        rules = {"forward": forward(rate, gate), "retrodiction": retrodiction(rate, gate)}
    return Learning({**rules, "prediction": prediction(rate, gate)}, (comparator,))
