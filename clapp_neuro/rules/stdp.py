"""Pairwise spike-timing-dependent plasticity (Song, Miller and Abbott 2000).

    x_i ← exp(−1/τ₊)·x_i + s_i,   y_j ← exp(−1/τ₋)·y_j + s_j        traces of the spikes s
    ΔW_ji = A₊·x_i·s_j − A₋·y_j·s_i                                 at every time step

A synapse meets a presynaptic spike in the step in which it is sent, and delivers it one step
later; so what made a neuron fire came before. A₊ is the learning rate, A₋ its `depression`-fold.
"""

from __future__ import annotations

from math import exp

from clapp_neuro.encoders.shapes import Size
from clapp_neuro.rules.seen import Moment, Pairs, Rule, Shape


def matrices(size: Size) -> dict[str, Shape]:
    """The traces of both sides of a layer's synapses."""
    return {"pre_trace": (size.inputs,), "post_trace": (size.neurons,)}


def moment(seen: Moment) -> Pairs:
    """One time step; a pair that meets in one step counts with its whole trace."""
    train = seen.train
    x = exp(-1 / train.tau_plus) * seen.weights["pre_trace"] + seen.pre
    y = exp(-1 / train.tau_minus) * seen.weights["post_trace"] + seen.post
    potentiation, depression = (seen.post, x), (-train.depression * y, seen.pre)
    return Pairs((potentiation, depression), {"pre_trace": x, "post_trace": y})


STATES = ("pre_trace", "post_trace")
RULE = Rule(matrices=matrices, moment=moment, states=STATES)
