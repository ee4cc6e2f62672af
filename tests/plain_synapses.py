"""Every synapse of a projection, one after the other, as `compiler.program` describes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compiler import rounding
from compiler.ir import Connection
from compiler.program import Program, Synapses


@dataclass(frozen=True)
class Listed:
    """One entry a synapse: neurons in the program's order, and where its weight stands.

    row, column: its place among the random numbers of `compiler.rounding`.
    """

    pre: np.ndarray
    post: np.ndarray
    at: np.ndarray  # index in the flattened weights
    row: np.ndarray
    column: np.ndarray
    columns: int

    def bits(self, seed: int, stream: int, time_step: int) -> np.ndarray:
        """Its seven random bits."""
        if self.row.size == 0:
            return np.zeros(0, np.int64)
        drawn = rounding.synapse_bits(seed, stream, time_step, self.row.max() + 1, self.columns)
        return drawn[self.row, self.column].astype(np.int64)

    def arriving(self, weights: np.ndarray, payload: np.ndarray, size: int) -> np.ndarray:
        """What `size` neurons receive of the payload that each source neuron sends."""
        received = np.zeros(size, np.int64)
        np.add.at(received, self.post, payload[self.pre] * weights.ravel()[self.at].astype(int))
        return received


def listed(program: Program, s: Synapses) -> Listed:
    """All synapses of a projection."""
    source, target = program.population(s.source).map, program.population(s.target).map
    entries = _entries(s, source, target)
    pre, post, at, row, column = np.array(entries, np.int64).reshape(-1, 5).T
    columns = target[0] if s.connection is Connection.UNTIED else int(np.prod(target))
    return Listed(pre, post, at, row, column, columns)


def place_read(
    s: Synapses, c: int, at: tuple[int, int], channel: int, tap: tuple[int, int], channels: int
) -> tuple[int, int, int]:
    """Channel, row and column that channel c of `channels` reads, at a place through a tap."""
    how = s.geometry
    padding = how.padding or tuple(side // 2 for side in s.weights.shape[-2:])
    group = c // (channels // how.groups)
    row, column = (at[i] * how.stride[i] + tap[i] * how.dilation[i] - padding[i] for i in (0, 1))
    return group * s.weights.shape[-3] + channel, row, column


def _entries(
    s: Synapses, source: tuple[int, int, int], target: tuple[int, int, int]
) -> list[tuple[int, int, int, int, int]]:
    found: list[tuple[int, int, int, int, int]] = []

    def connect(pre: tuple[int, ...], post: tuple[int, ...], place: tuple[int, ...]) -> None:
        i, j = np.ravel_multi_index(pre, source), np.ravel_multi_index(post, target)
        at = np.ravel_multi_index(place, s.weights.shape)
        row, column = i, j
        if s.connection is Connection.UNTIED:
            position, out, channel, dy, dx = place
            width, inputs = s.weights.shape[-1], s.weights.shape[2]
            row = position * width**2 * inputs + (dy * width + dx) * inputs + channel
            column = out
        found.append((int(i), int(j), int(at), int(row), int(column)))

    if s.connection is Connection.ALL_TO_ALL:
        for j, i in np.ndindex(*s.weights.shape):
            connect(np.unravel_index(i, source), np.unravel_index(j, target), (j, i))
    for c, y, x in np.ndindex(*target):
        if s.connection in (Connection.CONVOLUTION, Connection.UNTIED):
            copy = (y * target[2] + x,) if s.connection is Connection.UNTIED else ()
            for channel, dy, dx in np.ndindex(*s.weights.shape[-3:]):
                seen = place_read(s, c, (y, x), channel, (dy, dx), target[0])
                if 0 <= seen[1] < source[1] and 0 <= seen[2] < source[2]:
                    connect(seen, (c, y, x), (*copy, c, channel, dy, dx))
        elif s.connection is Connection.POOL:
            for dy, dx in np.ndindex(2, 2):
                connect((c, 2 * y + dy, 2 * x + dx), (c, y, x), (dy, dx))
        elif s.connection is Connection.UNPOOL:
            if y // 2 < source[1] and x // 2 < source[2]:
                connect((c, y // 2, x // 2), (c, y, x), (y % 2, x % 2))
        elif s.connection is Connection.SUM:
            for row, column in np.ndindex(*source[1:]):
                connect((c, row, column), (c, y, x), (row, column))
        elif s.connection is Connection.SPREAD:
            connect((c, 0, 0), (c, y, x), (y, x))
    return found
