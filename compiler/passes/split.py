"""Splits a population over cores as a grid: its channels in so many parts, its rows in so many.

A part of the rows keeps a convolution's axons local: a source neuron then reaches fewer cores. A
part of the channels divides the kernels. Of all grids with the fewest cores, the one with the
fewest parts of the channels is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from compiler.ir import Map
from compiler.passes.demand import Demand, Outgoing, Part


@dataclass(frozen=True)
class Grid:
    """A population's map in `across` parts of its channels times `down` parts of its rows."""

    map: Map
    across: int
    down: int

    @property
    def slices(self) -> int:
        """How many parts there are."""
        return self.across * self.down

    def parts(self) -> Iterator[Part]:
        """All parts; sizes differ by at most one channel and one row."""
        channels, height, width = self.map
        for first_row, rows in _even(height, self.down):
            for first_channel, count in _even(channels, self.across):
                yield Part(first_channel, count, first_row, rows, width)

    def rows(self) -> list[tuple[int, int]]:
        """(first, number) of the rows of each part."""
        return list(_even(self.map[1], self.down))


def best_grid(shape: Map, fits: Callable[[Part], bool], axons: np.ndarray, most: int) -> Grid:
    """The grid with the fewest parts of which each one fits; a part of one neuron has to.

    `fits` must hold for every smaller part of one that fits, and for every other part of the rows
    where it does for the two in the middle, which are the farthest from the border and so read
    most (two, as what an unpool reads depends on whether the first row is even). The neurons in
    each row send to `axons` (H,) slices; a part may send `most` in all.
    """
    channels, height, width = shape
    best = Grid(shape, channels, height)
    summed = np.concatenate([[0], np.cumsum(axons)])
    for down in range(1, height + 1):
        if down > best.slices:
            break
        bounds = np.array([first for first, _ in _even(height, down)] + [height])
        rows = -(-height // down)
        middle = (height - rows) // 2
        firsts = {middle, min(middle + 1, height - rows)}
        sent = int(np.diff(summed[bounds]).max()) * width

        def whole(number: int, firsts: set[int] = firsts, rows: int = rows) -> bool:
            return all(fits(Part(0, number, first, rows, width)) for first in firsts)

        number = _largest(whole, min(channels, most // sent) if sent else channels)
        if number == 0:
            continue
        grid = Grid(shape, -(-channels // number), down)
        if (grid.slices, grid.across) < (best.slices, best.across):
            best = grid
    return best


def reached(demand: Demand, grids: Mapping[str, Grid]) -> np.ndarray:
    """(H,) slices that a neuron in each row of a population sends to, over all it sends to."""
    total = np.zeros(demand.map[1], np.int64)
    for out in demand.outgoing:
        total += _rows_reached(out, demand.map[1], grids[out.target])
    return total


def slices_reached(out: Outgoing, source: Map, target: Grid) -> int:
    """Slices of the target that all neurons of the source reach, each neuron's counted."""
    channels, height, width = source
    heard = width if out.along is None else len(_heard(out, width, target.map[2]))
    return int(_rows_reached(out, height, target).sum()) * channels * heard


def _rows_reached(out: Outgoing, height: int, target: Grid) -> np.ndarray:
    """(H,) slices of the target that a neuron in each row of the source reaches."""
    if out.along is None:
        return np.full(height, target.down if out.channelwise else target.slices)
    counts = np.zeros(height, np.int64)
    for first, rows in target.rows():
        low, high = out.along.reads(first, first + rows, height)
        counts[low:high] += 1
    # within a channel one part of the channels is reached, otherwise all
    return counts * (1 if out.channelwise else target.across)


def _heard(out: Outgoing, sources: int, targets: int) -> range:
    """The sources along one axis that any target reads."""
    assert out.along is not None
    return range(*out.along.reads(0, targets, sources))


def _even(number: int, parts: int) -> Iterator[tuple[int, int]]:
    """(first, number) of even parts."""
    small, larger = divmod(number, parts)
    first = 0
    for i in range(parts):
        count = small + (1 if i < larger else 0)
        yield first, count
        first += count


def _largest(fits: Callable[[int], bool], most: int) -> int:
    """The largest n in 0..most that fits, where everything smaller fits too."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
