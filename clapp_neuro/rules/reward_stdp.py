"""Reward-modulated STDP (Izhikevich 2007).

    e_ji ← e_ji + x_i·s_j − A₋·y_j·s_i      at every time step: the pairs of `stdp`
    ΔW_ji = η·R·e_ji,  e_ji ← λ·e_ji        when a fixation ends

R is broadcast to all layers: 1 where the network named the image's class, else −1/(C−1), which is
nothing on average for who guesses one of C classes. The neurons of the last layer take turns in
standing for the classes, neuron j for class j mod C; the class with most spikes in the fixation is
what the network names, the first one of several.
"""

from __future__ import annotations

from clapp_neuro.encoders.shapes import Size
from clapp_neuro.rules import stdp
from clapp_neuro.rules.seen import Rule, Shape


def matrices(size: Size) -> dict[str, Shape]:
    """The traces, and the eligibility of each synapse."""
    return {**stdp.matrices(size), "eligibility": (size.neurons, size.inputs)}


RULE = Rule(matrices=matrices, moment=stdp.moment, states=(*stdp.STATES, "eligibility"))
