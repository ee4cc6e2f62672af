"""The lecture's readout as sums of products: reward × post × pre, with the reward not yet expected.

    s_c = Σ_l Σ_i W_l,ci z_l,i        what neuron c expects, were it class c
    ΔW_l,ci = rate · (R − s_c) z_l,i    where c was named, the largest of s plus noise

One neuron a class, linear, over all layers l. The critic hears the label and tells the named neuron
one bit, R = 1 or 0; the neuron itself subtracts what it had expected. So weights learn a regression
of the reward, and the class of which most is expected is the answer.
"""

from __future__ import annotations

from clapp_neuro.readouts.reward import NOISE
from compiler.ir import Comparator, LearningRule, Quantity, Term

Z, S = Quantity.COUNT, Quantity.RETRO


def readout(rate: float, critic: str) -> LearningRule:
    """The weights from one layer."""
    return LearningRule("reward.readout", (Term(rate, Z, (S,), critic, rewarded=True),))


def critic(name: str, population: str, label: str, classes: int) -> Comparator:
    """Who hears the label: it points at the neuron that was named, so that it learns alone."""
    return Comparator(name, population, label, 0.0, (S,), classes=classes, points=True, noise=NOISE)
