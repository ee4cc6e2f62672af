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


PRE_QUANTITIES = (Quantity.COUNT, Quantity.PREVIOUS_COUNT)


class Compartment(str, Enum):
    """Where a projection ends on its target."""

    SOMA = "soma"  # drives the membrane potential
    APICAL = "apical"  # collects the prediction: changes plasticity only, never activity
    RETRO = "retro"  # collects the retrodiction


COMPARTMENT_OF = {Quantity.APICAL: Compartment.APICAL, Quantity.RETRO: Compartment.RETRO}
"""Where the quantities that arrive from other neurons are collected."""


class Connection(str, Enum):
    """Which neurons a projection connects, and so what its weights are."""

    ALL_TO_ALL = "all-to-all"  # (N_target, N_source)
    CONVOLUTION = "convolution"  # (C_out, C_in, k, k), one set of kernels for all positions
    POOL = "pool"  # (2, 2): each neighbour's bit, the same for all channels and positions


Map = tuple[int, int, int]  # channels, height, width; neurons are numbered in this order
