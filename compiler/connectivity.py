"""Who is connected to whom, in closed form: no loop over neurons or synapses.

Along each axis of a map a target t reads the sources t * stride // share - padding ... + width - 1
that lie inside the map. All-to-all is no window: every target reads everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import prod

import numpy as np

from compiler.terms import WITHIN_CHANNELS, Connection, Map

NEIGHBOURS = 2  # a pool takes so many rows and columns


@dataclass(frozen=True)
class Window:
    """What a target reads along one axis."""

    width: int
    stride: int
    padding: int
    share: int = 1

    def first(self, target: int) -> int:
        """The first source that a target reads, which may lie outside the map."""
        return target * self.stride // self.share - self.padding

    def reads(self, first: int, stop: int, side: int) -> tuple[int, int]:
        """The sources (first, stop) that the targets first .. stop-1 read, of `side` sources."""
        return max(self.first(first), 0), min(self.first(stop - 1) + self.width, side)

    def readers(self, sources: int, first: int, stop: int) -> np.ndarray:
        """(sources,) how many of the targets first .. stop-1 read each source."""
        counts = np.zeros(sources + 1, np.int64)
        for offset in range(self.width):
            read = np.arange(first, stop) * self.stride // self.share - self.padding + offset
            inside = read[(read >= 0) & (read < sources)]
            counts[: sources + 1] += np.bincount(inside, minlength=sources + 1)
        return counts[:sources]


@cache
def window(connection: Connection, kernel: int) -> Window | None:
    """The window of a connection with kernels of that side; None where all are connected."""
    return {
        Connection.ALL_TO_ALL: None,
        Connection.GATHER: None,
        Connection.CONVOLUTION: Window(kernel, 1, kernel // 2),
        Connection.STRIDED: Window(kernel, 2, 0),
        Connection.UNTIED: Window(kernel, 1, kernel // 2),
        Connection.POOL: Window(NEIGHBOURS, NEIGHBOURS, 0),
        Connection.UNPOOL: Window(1, 1, 0, share=NEIGHBOURS),
        Connection.SUM: Window(kernel, kernel, 0),
        Connection.SPREAD: Window(1, 0, 0),
        Connection.ONE_TO_ONE: Window(1, 1, 0),
    }[connection]


def weights_shape(
    connection: Connection, source: Map, target: Map, kernel: int
) -> tuple[int, ...] | None:
    """The weights that connect two maps; None where the connection does not fit them."""
    if connection is Connection.GATHER:  # of no projection of a program
        return None
    if connection is Connection.ALL_TO_ALL:
        return prod(target), prod(source)
    if connection is Connection.ONE_TO_ONE:
        return (prod(target),) if source == target else None
    if connection in (Connection.POOL, Connection.UNPOOL):
        whole, pooled = (source, target) if connection is Connection.POOL else (target, source)
        fits = pooled == (whole[0], whole[1] // NEIGHBOURS, whole[2] // NEIGHBOURS)
        return (NEIGHBOURS, NEIGHBOURS) if fits else None
    if connection in (Connection.SUM, Connection.SPREAD):
        whole, single = (source, target) if connection is Connection.SUM else (target, source)
        fits = single == (whole[0], 1, 1) and whole[1] == whole[2]
        return whole[1:] if fits else None
    along = window(connection, kernel)
    assert along is not None
    if connection is Connection.STRIDED:
        last = tuple(along.first(side - 1) for side in target[1:])
        fits = all(0 <= at < side for at, side in zip(last, source[1:], strict=True))
        return (target[0], source[0], kernel, kernel) if fits else None
    if kernel % 2 == 0 or source[1:] != target[1:]:
        return None
    kernels = target[0], source[0], kernel, kernel
    return kernels if connection is Connection.CONVOLUTION else (prod(target[1:]), *kernels)


def fan_in(connection: Connection, weights: tuple[int, ...]) -> int:
    """Synapses of one neuron, away from the border, by the shape of the weights."""
    if connection in (Connection.UNPOOL, Connection.SPREAD):
        return 1
    if connection in (Connection.POOL, Connection.SUM):
        return prod(weights)
    return prod(weights[-3:]) if connection is Connection.UNTIED else prod(weights[1:])


def axon_fan_in(connection: Connection, weights: tuple[int, ...], shared: bool) -> int:
    """Axons that end on one neuron; where kernels are shared, one brings all channels."""
    if shared and connection in (Connection.CONVOLUTION, Connection.STRIDED):
        return prod(weights[-2:])
    return fan_in(connection, weights)


def largest_fan_out(connection: Connection, weights: tuple[int, ...]) -> int:
    """Synapses of one source neuron, away from the border, by the shape of the weights."""
    if connection in (Connection.POOL, Connection.SUM, Connection.ONE_TO_ONE):
        return 1
    if connection in (Connection.UNPOOL, Connection.SPREAD):
        return prod(weights)
    if connection is Connection.UNTIED:
        return weights[1] * prod(weights[-2:])
    if connection is Connection.STRIDED:
        return weights[0] * prod(-(-side // 2) for side in weights[2:])
    return weights[0] * prod(weights[2:])


def synapse_count(
    connection: Connection, weights: tuple[int, ...], source: Map, target: Map
) -> int:
    """All synapses, each position's counted; at the border of a map there are fewer."""
    along = window(connection, weights[-1])
    if along is None:
        return prod(weights)
    rows = int(along.readers(source[1], 0, target[1]).sum())
    columns = int(along.readers(source[2], 0, target[2]).sum())
    pairs = source[0] if connection in WITHIN_CHANNELS else source[0] * target[0]
    return pairs * rows * columns


def neighbour_bits() -> np.ndarray:
    """Weights of a pool, int (2, 2): a bit for each neighbour, in reading order."""
    return (1 << np.arange(NEIGHBOURS**2)).reshape(NEIGHBOURS, NEIGHBOURS)


def winner_shifts() -> np.ndarray:
    """Weights of an unpool, int (2, 2): the winner's mask, times its own, has the highest bit."""
    return neighbour_bits()[::-1, ::-1]


def on_the_map(weights: tuple[int, ...], side: tuple[int, int]) -> np.ndarray:
    """bool (h * w, 1, 1, k, k): which entries of untied kernels are synapses, not off the map."""
    along = window(Connection.UNTIED, weights[-1])
    assert along is not None
    inside = []
    for length in side:
        read = np.arange(length)[:, None] - along.padding + np.arange(along.width)
        inside.append((read >= 0) & (read < length))
    rows, columns = inside
    both = rows[:, None, :, None] & columns[None, :, None, :]
    return both.reshape(-1, 1, 1, along.width, along.width)
