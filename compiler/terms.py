"""The terms that a source network and its compiled program have in common."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import prod

import numpy as np


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
    UNREAD = "unread"  # adds up what nobody reads: where synapses end that only learn


COMPARTMENT_OF = {Quantity.APICAL: Compartment.APICAL, Quantity.RETRO: Compartment.RETRO}
"""Where the quantities that arrive from other neurons are collected."""


class Connection(str, Enum):
    """Which neurons a projection connects, and so what its weights are."""

    ALL_TO_ALL = "all-to-all"  # (N_target, N_source)
    CONVOLUTION = "convolution"  # (C_out, C_in / groups, k_h, k_w), one set of kernels for all
    # positions; `Geometry` says where they lie
    UNTIED = "untied convolution"  # (h * w, C_out, C_in, k, k), a set for each; 0 off the map
    POOL = "pool"  # (2, 2): each neighbour's bit, the same for all channels and positions
    UNPOOL = "unpool"  # (2, 2), back to the neighbours: shifts each one's bit to the highest
    SUM = "sum"  # (h, w) ones: all positions of a channel onto the channel's one neuron
    GATHER = "gather"  # all positions of a channel onto each neuron of it; of no projection, but of
    # the buffers and learners that a program implies (`compiler.turns`)
    SPREAD = "spread"  # (h, w) ones: a channel's one neuron onto all its positions
    ONE_TO_ONE = "one-to-one"  # (N,): each neuron onto the one of the same number


CHANNELWISE = frozenset(
    {Connection.POOL, Connection.UNPOOL, Connection.SUM, Connection.SPREAD, Connection.GATHER}
)
"""Connections that stay within a channel, with weights that are given: bits and ones."""

WITHIN_CHANNELS = CHANNELWISE | {Connection.ONE_TO_ONE}
"""All connections that stay within a channel."""


@dataclass(frozen=True)
class Geometry:
    """Where the kernels of a convolution lie on a map: of rows, and of columns.

    Through tap k a target t reads the source  t * stride - padding + k * dilation,  or nothing
    where that is off the map. `padding` is what lies before the first row and column; what lies
    behind the last follows from the target's map. None: half of a kernel, odd and square, whose
    map keeps its sides. With `groups` the channels of both maps are so many equal groups, and a
    target reads those of its own.
    """

    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] | None = None
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1


CENTRED = Geometry()
"""Kernels that keep the sides of a map, around each position: the only ones that learn."""


class Reset(str, Enum):
    """What a spike in step t does to a potential v with threshold h; w is v before the reset.

    In every step  w[t] = leak(v[t-1]) + input[t]  with what the reset changes, and the neuron
    spikes where w[t] > h. Unless said otherwise v[t] = w[t].

        subtract           w[t] = leak(v[t-1]) + input[t] - h    where it spiked in t-1
        zero               w[t] = input[t]                       where it spiked in t-1
        clear              w[t] = 0: the input is lost, too      where it spiked in t-1
        subtract at once   v[t] = w[t] - h                       where it spikes in t
        zero at once       v[t] = 0                              where it spikes in t
        subtract once      w[t] = leak(v[t-1]) + input[t] - h    where v[t-1] > h
                           v[t] = w[t] - h                       where it spikes in t, v[t-1] <= h
                           v[t] = w[t] + h                       where it does not, v[t-1] > h
        none               nothing

    snnTorch: `subtract` and `zero` are Leaky's, `clear` is what Synaptic, RLeaky and RSynaptic do
    with reset_mechanism="zero"; reset_delay=False makes `zero at once` of these, and of "subtract"
    `subtract once`, which pays for a potential that is still above h before the next spike.
    Norse and NIR reset at once.
    """

    SUBTRACT = "subtract"
    ZERO = "zero"
    CLEAR = "clear"
    SUBTRACT_AT_ONCE = "subtract at once"
    ZERO_AT_ONCE = "zero at once"
    SUBTRACT_ONCE = "subtract once"
    NONE = "none"


Map = tuple[int, int, int]  # channels, height, width; neurons are numbered in this order

Integers = int | tuple[int, ...]  # one for all neurons, one a channel or one a neuron


def per_neuron(values: float | tuple[float, ...], shape: Map) -> np.ndarray:
    """(N,) from one value for all, one a channel or one a neuron; ValueError for other numbers.

    Integers stay int64.
    """
    given = np.atleast_1d(np.asarray(values))
    positions = shape[1] * shape[2]
    if len(given) == shape[0]:
        return np.repeat(given, positions)
    if len(given) in (1, prod(shape)):
        return np.broadcast_to(given, (prod(shape),)).copy()
    raise ValueError(f"{len(given)} values for {shape[0]} channels of {positions} positions")
