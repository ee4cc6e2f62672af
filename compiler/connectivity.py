"""Who is connected to whom, in closed form: no loop over neurons or synapses.

Along each axis of a map a target t reads the sources t * stride - padding ... + width - 1 that lie
inside the map. All-to-all is no window: every target reads everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from compiler.ir import Connection, Map

NEIGHBOURS = 2  # a pool takes so many rows and columns


@dataclass(frozen=True)
class Window:
    """What a target reads along one axis."""

    width: int
    stride: int
    padding: int

    def reads(self, first: int, stop: int, side: int) -> tuple[int, int]:
        """The sources (first, stop) that the targets first .. stop-1 read, of `side` sources."""
        low = first * self.stride - self.padding
        high = (stop - 1) * self.stride - self.padding + self.width
        return max(low, 0), min(high, side)

    def readers(self, sources: int, first: int, stop: int) -> np.ndarray:
        """(sources,) how many of the targets first .. stop-1 read each source."""
        counts = np.zeros(sources + 1, np.int64)
        for offset in range(self.width):
            read = np.arange(first, stop) * self.stride - self.padding + offset
            inside = read[(read >= 0) & (read < sources)]
            counts[: sources + 1] += np.bincount(inside, minlength=sources + 1)
        return counts[:sources]


def window(connection: Connection, kernel: int) -> Window | None:
    """The window of a connection with kernels of that side; None where all are connected."""
    if connection is Connection.CONVOLUTION:
        return Window(kernel, 1, kernel // 2)
    if connection is Connection.POOL:
        return Window(NEIGHBOURS, NEIGHBOURS, 0)
    return None


def weights_shape(
    connection: Connection, source: Map, target: Map, kernel: int
) -> tuple[int, ...] | None:
    """The weights that connect two maps; None where the connection does not fit them."""
    if connection is Connection.ALL_TO_ALL:
        return prod(target), prod(source)
    if connection is Connection.POOL:
        pooled = (source[0], source[1] // NEIGHBOURS, source[2] // NEIGHBOURS)
        return (NEIGHBOURS, NEIGHBOURS) if target == pooled else None
    if kernel % 2 == 0 or source[1:] != target[1:]:
        return None
    return target[0], source[0], kernel, kernel


def fan_in(connection: Connection, weights: tuple[int, ...]) -> int:
    """Synapses of one neuron, away from the border, by the shape of the weights."""
    return prod(weights) if connection is Connection.POOL else prod(weights[1:])


def axon_fan_in(connection: Connection, weights: tuple[int, ...], shared: bool) -> int:
    """Axons that end on one neuron; where kernels are shared, one brings all channels."""
    if shared and connection is not Connection.ALL_TO_ALL:
        return prod(weights[-2:])
    return fan_in(connection, weights)


def largest_fan_out(connection: Connection, weights: tuple[int, ...]) -> int:
    """Synapses of one source neuron, away from the border, by the shape of the weights."""
    return 1 if connection is Connection.POOL else weights[0] * prod(weights[2:])


def synapse_count(
    connection: Connection, weights: tuple[int, ...], source: Map, target: Map
) -> int:
    """All synapses, each position's counted; at the border of a map there are fewer."""
    along = window(connection, weights[-1])
    if along is None:
        return prod(weights)
    rows = int(along.readers(source[1], 0, target[1]).sum())
    columns = int(along.readers(source[2], 0, target[2]).sum())
    pairs = source[0] if connection is Connection.POOL else weights[0] * weights[1]
    return pairs * rows * columns


def neighbour_bits() -> np.ndarray:
    """Weights of a pool, int (2, 2): a bit for each neighbour, in reading order."""
    return (1 << np.arange(NEIGHBOURS**2)).reshape(NEIGHBOURS, NEIGHBOURS)
