"""Which cores send to which: for each pair of cores, the neurons of one that the other hears.

All of it is closed formulas over the grids of populations, axis by axis.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from compiler.connectivity import Window
from compiler.passes.placing.needs import Demand, Outgoing, read
from compiler.passes.placing.split import Grid


@dataclass(frozen=True)
class Wires:
    """Pairs of cores (source, target), each once, and how many neurons' axons lead along them."""

    source: np.ndarray
    target: np.ndarray
    axons: np.ndarray


@dataclass(frozen=True)
class _Overlap:
    """Along one axis: pairs of parts (source, target), and what of the source part is heard."""

    source: np.ndarray
    target: np.ndarray
    heard: np.ndarray


def between_cores(placed: Sequence[Demand], grids: Mapping[str, Grid], home: np.ndarray) -> Wires:
    """The wires of the placed populations; `home` (slices,) is the core of each of their slices."""
    first: dict[str, int] = {}
    for d in placed:
        first[d.name] = sum(grids[name].slices for name in first)
    count = int(home.max(initial=-1)) + 1
    pairs, axons = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for d in placed:
        for out in d.outgoing:
            if out.target not in first:
                continue
            found = _between(out, grids[d.name], grids[out.target])
            a = home[first[d.name] + found.source]
            b = home[first[out.target] + found.target]
            pairs.append(a * count + b)
            axons.append(found.heard)
    distinct, which = np.unique(np.concatenate(pairs), return_inverse=True)
    summed = np.bincount(which, np.concatenate(axons), len(distinct)).astype(np.int64)
    apart = distinct // max(count, 1) != distinct % max(count, 1)
    distinct = distinct[apart]
    return Wires(distinct // max(count, 1), distinct % max(count, 1), summed[apart])


def _between(out: Outgoing, source: Grid, target: Grid) -> _Overlap:
    """Pairs of slices, numbered as `Grid.parts` yields them, and the neurons that are heard."""
    channels = _channels(out, source, target)
    down, across = out.along or (None, None)
    rows = _positions(down, source.rows(), target.rows(), source.map[1])
    columns = _positions(across, source.columns(), target.columns(), source.map[2])
    found = rows
    for axis, (a, b) in (
        (columns, (source.column_parts, target.column_parts)),
        (channels, (source.channel_parts, target.channel_parts)),
    ):
        found = _Overlap(
            (found.source[:, None] * a + axis.source).ravel(),
            (found.target[:, None] * b + axis.target).ravel(),
            (found.heard[:, None] * axis.heard).ravel(),
        )
    return found


def _positions(
    along: Window | None,
    source: list[tuple[int, int]],
    target: list[tuple[int, int]],
    side: int,
) -> _Overlap:
    """Of rows or columns: which parts of the source the parts of the target read."""
    ranges = np.array([(first, first + number) for first, number in source])
    if along is None:
        return _common(ranges, np.array([(0, side)] * len(target)))
    before = np.zeros((len(target), side + 1), np.int64)
    before[:, 1:] = np.cumsum([read(along, side, first, first + n) for first, n in target], axis=1)
    heard = (before[:, ranges[:, 1]] - before[:, ranges[:, 0]]).T
    a, b = np.nonzero(heard)
    return _Overlap(a, b, heard[a, b])


def _channels(out: Outgoing, source: Grid, target: Grid) -> _Overlap:
    everything = [(0, source.map[0])] * target.channel_parts
    heard = _parts(target) if out.channelwise else everything
    return _common(np.array(_parts(source)), np.array(heard))


def _parts(grid: Grid) -> list[tuple[int, int]]:
    """(first, stop) of the channels of each part."""
    return [(first, first + number) for first, number in grid.channels()]


def _common(ranges: np.ndarray, reads: np.ndarray) -> _Overlap:
    """Pairs of ranges (first, stop) that have something in common."""
    stop = np.minimum(ranges[:, None, 1], reads[None, :, 1])
    common = np.maximum(stop - np.maximum(ranges[:, None, 0], reads[None, :, 0]), 0)
    a, b = np.nonzero(common)
    return _Overlap(a, b, common[a, b])
