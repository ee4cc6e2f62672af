"""A projection as a list of synapses, in plain numpy: who is connected to whom, by which weight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compiler.connectivity import NEIGHBOURS, on_the_map
from compiler.program import Synapses
from compiler.terms import Connection, Map


@dataclass(frozen=True)
class Entries:
    """Synapses, each array int64 (n,), by target neuron and then by source neuron.

    `weight` says where each one's weight stands in the flattened weights of its projection. What
    untied kernels hold for places off the map is no synapse.
    """

    target: np.ndarray
    source: np.ndarray
    weight: np.ndarray


def entries(synapses: Synapses, source: Map, target: Map) -> Entries:
    """The synapses of a projection from neurons of the one map onto those of the other."""
    found = {
        Connection.UNTIED: _untied,
        Connection.UNPOOL: _unpool,
        Connection.SUM: _sum,
        Connection.SPREAD: _spread,
        Connection.ONE_TO_ONE: _one_to_one,
    }[synapses.connection](synapses.weights.shape, source, target)
    order = np.lexsort((found.source, found.target))
    return Entries(found.target[order], found.source[order], found.weight[order])


def _untied(shape: tuple[int, ...], source: Map, target: Map) -> Entries:
    """Channel o at position p reads channel c at p + offset: weight (p, o, c, offset)."""
    height, width = target[1:]
    synapse = np.broadcast_to(on_the_map(shape, (height, width)), shape)
    position, out, channel, down, right = np.nonzero(synapse)
    row = position // width + down - shape[-2] // 2
    column = position % width + right - shape[-1] // 2
    return Entries(
        target=out * (height * width) + position,
        source=(channel * height + row) * width + column,
        weight=np.flatnonzero(synapse),
    )


def _unpool(shape: tuple[int, ...], source: Map, target: Map) -> Entries:
    """A relay reaches all its neighbours; those of a last odd row or column have none."""
    channel, row, column = (axis.ravel() for axis in np.indices(target))
    heard = (row // NEIGHBOURS < source[1]) & (column // NEIGHBOURS < source[2])
    relay = (channel * source[1] + row // NEIGHBOURS) * source[2] + column // NEIGHBOURS
    weight = row % NEIGHBOURS * shape[1] + column % NEIGHBOURS
    return Entries(np.flatnonzero(heard), relay[heard], weight[heard])


def _sum(shape: tuple[int, ...], source: Map, target: Map) -> Entries:
    """All positions of a channel reach the channel's one neuron."""
    neuron = np.arange(np.prod(source))
    positions = shape[0] * shape[1]
    return Entries(neuron // positions, neuron, neuron % positions)


def _spread(shape: tuple[int, ...], source: Map, target: Map) -> Entries:
    """The other way round."""
    back = _sum(shape, target, source)
    return Entries(back.source, back.target, back.weight)


def _one_to_one(shape: tuple[int, ...], source: Map, target: Map) -> Entries:
    """Each neuron reaches the one of its number."""
    number = np.arange(shape[0])
    return Entries(number, number, number)
