"""Splits a population over cores as a grid: its channels, rows and columns in so many parts each.

A part of the rows or columns keeps a convolution's axons local: a source neuron then reaches fewer
cores, and a core listens to fewer sources. A part of the channels divides the kernels. The grid
taken is the one that costs the fewest cores, those included that its sources need for their axons
to it; then the one with the fewest parts of the channels, then the one whose parts are nearest to a
square: its borders are the shortest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np

from compiler.ir import Map
from compiler.passes.placing.needs import Demand, Outgoing, read
from compiler.passes.placing.part import Part


@dataclass(frozen=True)
class Grid:
    """A population's map with each of its axes in so many parts."""

    map: Map
    channel_parts: int
    row_parts: int = 1
    column_parts: int = 1

    @property
    def slices(self) -> int:
        """How many parts there are."""
        return self.channel_parts * self.row_parts * self.column_parts

    def parts(self) -> Iterator[Part]:
        """All parts; sizes differ by at most one channel, one row and one column."""
        for (row, rows), (column, columns) in product(self.rows(), self.columns()):
            for channel, channels in self.channels():
                yield Part(channel, channels, row, rows, column, columns)

    def channels(self) -> list[tuple[int, int]]:
        """(first, number) of the channels of each part."""
        return list(_even(self.map[0], self.channel_parts))

    def rows(self) -> list[tuple[int, int]]:
        """(first, number) of the rows of each part."""
        return list(_even(self.map[1], self.row_parts))

    def columns(self) -> list[tuple[int, int]]:
        """(first, number) of the columns of each part."""
        return list(_even(self.map[2], self.column_parts))

    @property
    def tie(self) -> tuple[int, int]:
        """Of grids that cost as much the smaller is better: parts of channels, sides of a part."""
        _, height, width = self.map
        around = -(-height // self.row_parts) + -(-width // self.column_parts)
        return self.channel_parts, around


def best_grid(
    shape: Map,
    fits: Callable[[Part], bool],
    axons: np.ndarray,
    most: int,
    burden: Callable[[Grid], float] = lambda grid: 0.0,
    coarsest: Grid | None = None,
    tried: Callable[[Grid], Iterable[Part]] | None = None,
) -> Grid:
    """The best grid of those of which each part fits, and that refine `coarsest`.

    A part of one neuron has to fit. `fits` must hold for every smaller part of one that fits, and
    for every other part where it does for the parts of one channel that `tried` gives. Those are
    the ones in the middle unless it is said, which are the farthest from the border and so read
    most (two along each axis, as what an unpool reads depends on whether the first row is even).
    The neurons at each position send to `axons` (H, W) slices; a part may send
    `most` in all. `burden` is how many cores a grid costs elsewhere.
    """
    channels, height, width = shape
    least_parts = Grid(shape, 1) if coarsest is None else coarsest
    best = Grid(shape, channels, height, width)
    best_cost = best.slices + burden(best)
    summed = _summed(axons)
    for down, over in sorted(product(_part_counts(height), _part_counts(width)), key=np.prod):
        if down * over > best_cost:
            break
        whole = Grid(shape, 1, down, over)
        if down < least_parts.row_parts or over < least_parts.column_parts:
            continue
        sent = _most_sent(summed, whole)
        # as few channels a part as would still cost no more than the best grid does
        least = -(-channels // int(best_cost // (down * over)))
        allowed = min(channels // least_parts.channel_parts, most // sent if sent else channels)
        middles = list((tried or _middles)(whole))

        def fit(number: int, middles: list[Part] = middles) -> bool:
            return all(
                fits(Part(0, number, p.first_row, p.rows, p.first_column, p.columns))
                for p in middles
            )

        if least > allowed or not fit(least):
            continue
        number = _largest(fit, least, allowed)
        grid = Grid(shape, -(-channels // number), down, over)
        cost = grid.slices + burden(grid)
        if (cost, *grid.tie) < (best_cost, *best.tie):
            best, best_cost = grid, cost
    return best


def sends_at_most(grid: Grid, axons: np.ndarray) -> int:
    """The most axons that any part has whose neurons at each position send to `axons` slices."""
    return _most_sent(_summed(axons), grid) * -(-grid.map[0] // grid.channel_parts)


def _summed(axons: np.ndarray) -> np.ndarray:
    """(H + 1, W + 1) sums over all positions above and to the left."""
    summed = np.zeros((axons.shape[0] + 1, axons.shape[1] + 1), np.int64)
    summed[1:, 1:] = axons.cumsum(0).cumsum(1)
    return summed


def reached(demand: Demand, grids: Mapping[str, Grid]) -> np.ndarray:
    """(H, W) slices that a neuron at each position sends to, over all it sends to."""
    total = np.zeros(demand.map[1:], np.int64)
    for out in demand.outgoing:
        total += _positions_reached(out, demand.map, grids[out.target])
    return total


def slices_reached(out: Outgoing, source: Map, target: Grid) -> int:
    """Slices of the target that all neurons of the source reach, each neuron's counted."""
    return int(_positions_reached(out, source, target).sum()) * source[0]


def _positions_reached(out: Outgoing, source: Map, target: Grid) -> np.ndarray:
    """(H, W) slices of the target that a neuron at each position of the source reaches."""
    _, height, width = source
    if out.along is None:
        slices = target.slices // (target.channel_parts if out.channelwise else 1)
        return np.full((height, width), slices)
    along = []
    parts = target.rows(), target.columns()
    for window, some, side in zip(out.along, parts, (height, width), strict=True):
        counts = np.zeros(side, np.int64)
        for first, number in some:
            counts += read(window, side, first, first + number)
        along.append(counts)
    # within a channel one part of the channels is reached, otherwise all
    return np.outer(*along) * (1 if out.channelwise else target.channel_parts)


def _part_counts(side: int) -> list[int]:
    """Into how many parts an axis may be split: the fewest for each size of a part."""
    return sorted({-(-side // size) for size in range(1, side + 1)})


def _most_sent(summed: np.ndarray, grid: Grid) -> int:
    """The most axons that all neurons of one channel have in any part of a grid."""
    rows = [0, *(first + number for first, number in grid.rows())]
    columns = [0, *(first + number for first, number in grid.columns())]
    corners = summed[np.ix_(rows, columns)]
    return int(np.diff(np.diff(corners, axis=0), axis=1).max())


def each_kind(demand: Demand, grid: Grid) -> Iterator[Part]:
    """Of the parts of one channel one of each kind: all others are read from just as one of them.

    Kernels with a stride, padding or dilation of their own need not read most in the middle.
    """
    rows = _distinct(demand, 0, grid.rows())
    columns = _distinct(demand, 1, grid.columns())
    for (row, height), (column, width) in product(rows, columns):
        yield Part(0, 1, row, height, column, width)


def _distinct(demand: Demand, axis: int, parts: list[tuple[int, int]]) -> Iterable[tuple[int, int]]:
    """Parts of rows or columns of which no two have sources with as many readers each."""
    found: dict[object, tuple[int, int]] = {}
    for first, number in parts:
        counts = (
            i.readers(axis, first, first + number) for i in demand.incoming if i.along is not None
        )
        key = tuple(tuple(np.bincount(c).tolist()[1:]) for c in counts)
        found.setdefault((number, key), (first, number))
    return found.values()


def _middles(grid: Grid) -> Iterator[Part]:
    """The largest parts of one channel in the middle of the map."""
    _, height, width = grid.map
    rows, columns = -(-height // grid.row_parts), -(-width // grid.column_parts)
    for row, column in product(_firsts(height, rows), _firsts(width, columns)):
        yield Part(0, 1, row, rows, column, columns)


def _firsts(side: int, size: int) -> set[int]:
    middle = (side - size) // 2
    return {middle, min(middle + 1, side - size)}


def _even(number: int, parts: int) -> Iterator[tuple[int, int]]:
    """(first, number) of even parts."""
    small, larger = divmod(number, parts)
    first = 0
    for i in range(parts):
        count = small + (1 if i < larger else 0)
        yield first, count
        first += count


def _largest(fits: Callable[[int], bool], least: int, most: int) -> int:
    """The largest n in least..most that fits, where `least` does and everything smaller does."""
    low, high = least, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
