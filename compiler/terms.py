"""The terms that a source network and its compiled program have in common."""

from __future__ import annotations

from enum import Enum


class Quantity(str, Enum):
    """What a neuron knows about itself at the end of a fixation, in the units of the source."""

    COUNT = "count"  # z: spikes of this fixation / steps (an input: its intensity)
    PREVIOUS_COUNT = "previous_count"  # c: the same, one fixation earlier
    APICAL = "apical"  # d = W_pred c: the dendritic prediction that was waiting
    RETRO = "retro"  # r = W_retro z: the retrodiction
    SURROGATE = "surrogate"  # rho'(a) = [0 < z < 1]
    PREVIOUS_SURROGATE = "previous_surrogate"
    CHANGE = "change"  # z - c
    DEVIATION = "deviation"  # (z - mean) / (variance + epsilon), see `Averages`
    WINNER = "winner"  # of a relay: the bit of the neighbour that it passes on


PRE_QUANTITIES = (Quantity.COUNT, Quantity.PREVIOUS_COUNT)


class Compartment(str, Enum):
    """Where a projection ends on its target."""

    SOMA = "soma"  # drives the membrane potential
    APICAL = "apical"  # collects the prediction: changes plasticity only, never activity
    RETRO = "retro"  # collects the retrodiction
    INHIBITION = "inhibition"  # hears who won the pooling; whoever has lost forgets its count


COMPARTMENT_OF = {Quantity.APICAL: Compartment.APICAL, Quantity.RETRO: Compartment.RETRO}
"""Where the quantities that arrive from other neurons are collected."""


class Connection(str, Enum):
    """Which neurons a projection connects, and so what its weights are."""

    ALL_TO_ALL = "all-to-all"  # (N_target, N_source)
    CONVOLUTION = "convolution"  # (C_out, C_in, k, k), one set of kernels for all positions
    STRIDED = "strided convolution"  # the same with stride 2, padded where a map ends
    UNTIED = "untied convolution"  # (h * w, C_out, C_in, k, k), a set for each; 0 off the map
    POOL = "pool"  # (2, 2): each neighbour's bit, the same for all channels and positions
    UNPOOL = "unpool"  # (2, 2), back to the neighbours: shifts each one's bit to the highest
    SUM = "sum"  # (h, w) ones: all positions of a channel onto the channel's one neuron
    SPREAD = "spread"  # (h, w) ones: a channel's one neuron onto all its positions


CHANNELWISE = frozenset({Connection.POOL, Connection.UNPOOL, Connection.SUM, Connection.SPREAD})
"""Connections that stay within a channel."""


Map = tuple[int, int, int]  # channels, height, width; neurons are numbered in this order
