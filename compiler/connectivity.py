"""Who is connected to whom, in closed form: no loop over neurons or synapses.

Along each axis of a map a target t reads, through each tap k of its window, the source
t * stride // share - padding + k * dilation  if that lies inside the map. All-to-all is no window:
every target reads everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import gcd, prod

import numpy as np

from compiler.terms import CENTRED, WITHIN_CHANNELS, Connection, Geometry, Map

NEIGHBOURS = 2  # a pool takes so many rows and columns


@dataclass(frozen=True)
class Window:
    """What a target reads along one axis: `width` taps."""

    width: int
    stride: int
    padding: int
    share: int = 1
    dilation: int = 1

    @property
    def reach(self) -> int:
        """From the first tap to behind the last."""
        return self.dilation * (self.width - 1) + 1

    @property
    def apart(self) -> int:
        """How far the targets that read one source lie from each other, at the least."""
        return self.dilation // gcd(self.stride, self.dilation)

    def sources(self, tap: int, first: int, stop: int) -> np.ndarray:
        """(stop - first,) what the targets read through a tap; it may lie outside the map."""
        found: np.ndarray = np.arange(first, stop) * self.stride // self.share
        return found - self.padding + tap * self.dilation

    def readers(self, sources: int, first: int, stop: int) -> np.ndarray:
        """(sources,) how many of the targets first .. stop-1 read each source."""
        counts = np.zeros(sources, np.int64)
        for tap in range(self.width):
            read = self.sources(tap, first, stop)
            inside = read[(read >= 0) & (read < sources)]
            counts += np.bincount(inside, minlength=sources)
        return counts

    def reads(self, sources: int, first: int, stop: int) -> np.ndarray:
        """(sources,) bool: which sources the targets first .. stop-1 read."""
        return self.readers(sources, first, stop) > 0


Windows = tuple[Window, Window]
"""Along rows and along columns."""


@cache
def windows(
    connection: Connection, kernel: tuple[int, int], geometry: Geometry = CENTRED
) -> Windows | None:
    """What a target reads, by the sides of the kernels; None where all are connected."""
    if connection in (Connection.ALL_TO_ALL, Connection.GATHER):
        return None
    padding = geometry.padding or (kernel[0] // 2, kernel[1] // 2)
    row, column = (
        {
            Connection.CONVOLUTION: Window(
                kernel[axis],
                geometry.stride[axis],
                padding[axis],
                dilation=geometry.dilation[axis],
            ),
            Connection.UNTIED: Window(kernel[axis], 1, kernel[axis] // 2),
            Connection.POOL: Window(NEIGHBOURS, NEIGHBOURS, 0),
            Connection.UNPOOL: Window(1, 1, 0, share=NEIGHBOURS),
            Connection.SUM: Window(kernel[axis], kernel[axis], 0),
            Connection.SPREAD: Window(1, 0, 0),
            Connection.ONE_TO_ONE: Window(1, 1, 0),
        }[connection]
        for axis in (0, 1)
    )
    return row, column


def kernel_of(weights: tuple[int, ...]) -> tuple[int, int]:
    """The sides of kernels, rows and columns, by the shape of the weights."""
    return (weights[-2], weights[-1]) if len(weights) > 1 else (1, 1)


def weights_shape(
    connection: Connection,
    source: Map,
    target: Map,
    kernel: tuple[int, int],
    geometry: Geometry = CENTRED,
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
    if connection is Connection.CONVOLUTION and geometry != CENTRED:
        shape = target[0], source[0] // max(geometry.groups, 1), *kernel
        return shape if _fits(source, target, kernel, geometry) else None
    if kernel[0] != kernel[1] or kernel[0] % 2 == 0 or source[1:] != target[1:]:
        return None
    kernels = target[0], source[0], *kernel
    return kernels if connection is Connection.CONVOLUTION else (prod(target[1:]), *kernels)


def _fits(source: Map, target: Map, kernel: tuple[int, int], geometry: Geometry) -> bool:
    """Whether groups divide the channels, and each target's window begins and ends on the map."""
    if geometry.padding is None or min(*geometry.stride, *geometry.dilation, *kernel) < 1:
        return False
    if geometry.groups < 1 or source[0] % geometry.groups or target[0] % geometry.groups:
        return False
    return all(
        0 <= padding < dilation * (width - 1) + 1 and (end - 1) * stride - padding < side
        for padding, dilation, width, stride, end, side in zip(
            geometry.padding, geometry.dilation, kernel, geometry.stride, target[1:], source[1:],
            strict=True,
        )
    )  # fmt: skip


def fan_in(connection: Connection, weights: tuple[int, ...]) -> int:
    """Synapses of one neuron, away from the border, by the shape of the weights."""
    if connection in (Connection.UNPOOL, Connection.SPREAD):
        return 1
    if connection in (Connection.POOL, Connection.SUM):
        return prod(weights)
    return prod(weights[-3:]) if connection is Connection.UNTIED else prod(weights[1:])


def axon_fan_in(connection: Connection, weights: tuple[int, ...], shared: bool) -> int:
    """Axons that end on one neuron; where kernels are shared, one brings all channels."""
    if shared and connection is Connection.CONVOLUTION:
        return prod(weights[-2:])
    return fan_in(connection, weights)


def largest_fan_out(
    connection: Connection, weights: tuple[int, ...], geometry: Geometry = CENTRED
) -> int:
    """Synapses of one source neuron, away from the border, by the shape of the weights."""
    if connection in (Connection.POOL, Connection.SUM, Connection.ONE_TO_ONE):
        return 1
    if connection in (Connection.UNPOOL, Connection.SPREAD):
        return prod(weights)
    if connection is Connection.UNTIED:
        return weights[1] * prod(weights[-2:])
    # of taps that are a dilation apart, one in stride / gcd(stride, dilation) meets a target
    taps = (
        -(-width // (stride // gcd(stride, dilation)))
        for width, stride, dilation in zip(
            weights[2:], geometry.stride, geometry.dilation, strict=False
        )
    )
    return weights[0] // geometry.groups * prod(taps)


def synapse_count(
    connection: Connection,
    weights: tuple[int, ...],
    source: Map,
    target: Map,
    geometry: Geometry = CENTRED,
) -> int:
    """All synapses, each position's counted; at the border of a map there are fewer."""
    along = windows(connection, kernel_of(weights), geometry)
    if along is None:
        return prod(weights)
    rows, columns = (
        int(axis.readers(source[1 + i], 0, target[1 + i]).sum()) for i, axis in enumerate(along)
    )
    return channel_pairs(connection, source, target, geometry) * rows * columns


def channel_pairs(
    connection: Connection, source: Map, target: Map, geometry: Geometry = CENTRED
) -> int:
    """Channels of the source times those of the target, of the pairs that are connected."""
    if connection in WITHIN_CHANNELS:
        return source[0]
    return source[0] * target[0] // geometry.groups


def within_channels(
    connection: Connection, source: Map, target: Map, geometry: Geometry = CENTRED
) -> bool:
    """Whether each channel reads the source's channel of its number alone."""
    alone = source[0] == target[0] == geometry.groups
    return connection in WITHIN_CHANNELS or (geometry != CENTRED and alone)


def neighbour_bits() -> np.ndarray:
    """Weights of a pool, int (2, 2): a bit for each neighbour, in reading order."""
    return (1 << np.arange(NEIGHBOURS**2)).reshape(NEIGHBOURS, NEIGHBOURS)


def winner_shifts() -> np.ndarray:
    """Weights of an unpool, int (2, 2): the winner's mask, times its own, has the highest bit."""
    return neighbour_bits()[::-1, ::-1]


def on_the_map(weights: tuple[int, ...], side: tuple[int, int]) -> np.ndarray:
    """bool (h * w, 1, 1, k, k): which entries of untied kernels are synapses, not off the map."""
    half, width = weights[-1] // 2, weights[-1]
    inside = []
    for length in side:
        read = np.arange(length)[:, None] - half + np.arange(width)
        inside.append((read >= 0) & (read < length))
    rows, columns = inside
    both = rows[:, None, :, None] & columns[None, :, None, :]
    return both.reshape(-1, 1, 1, width, width)
