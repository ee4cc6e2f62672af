"""Adding up what arrives: rows of weights, one for each presynaptic spike or message.

Weights lie as rows of the presynaptic neuron, (n_pre, n_post) flattened, so that one spike adds
one contiguous row.
"""

from __future__ import annotations

import numpy as np

from compiler.backends.simulator.compiled import compiled
from compiler.backends.simulator.kernels.vectors import (
    NARROW,
    TILE,
    add_graded_tile,
    add_narrow_graded_tile,
    add_narrow_tile,
    add_tile,
)
from compiler.program import MEMBRANE_MAX

CACHED_WEIGHTS = 1 << 17  # bytes, of a cache of the second level
ROWS_IN_16_BITS = 256  # 256 * 127 < 2^15


@compiled
def add_rows(out, weights, start, n_post, rows, n_rows, reached):
    """out[t, j] += sum over the first n_rows[t] of rows[t] (ascending) of weights[row, j].

    As many presynaptic neurons at a time as have their weights in a cache, for all time steps t:
    a large layer is read from memory once, not in every step. `reached` (steps, 2) int64 is
    scratch.
    """
    steps = n_rows.shape[0]
    at_once = max(1, CACHED_WEIGHTS // n_post)
    stop, left = at_once, 0
    for t in range(steps):
        reached[t, 1] = 0
        left += n_rows[t]
    while left > 0:
        for t in range(steps):
            reached[t, 0] = reached[t, 1]
            end = n_rows[t]
            if end > 0 and rows[t, end - 1] >= stop:
                end = reached[t, 0]
                while rows[t, end] < stop:
                    end += 1
            reached[t, 1] = end
            left -= end - reached[t, 0]
        add_block(out, weights, start, n_post, rows, reached)
        stop += at_once


@compiled
def add_block(out, weights, start, n_post, rows, reached):
    """`add_rows` for rows[t, reached[t, 0] : reached[t, 1]].

    Tile by tile, so that all time steps t use the same few weights while they are at hand.
    """
    steps = reached.shape[0]
    wide, most = out.shape[1], rows.shape[1]
    whole = n_post - n_post % TILE
    narrow = n_post - n_post % NARROW
    for j in range(0, narrow, TILE):
        for t in range(steps):
            to, stop = t * wide + j, reached[t, 1]
            for first in range(reached[t, 0], stop, ROWS_IN_16_BITS):
                some, listed = min(ROWS_IN_16_BITS, stop - first), t * most + first
                if j < whole:
                    add_tile(out, to, weights, start + j, n_post, rows, listed, some)
                    continue
                for k in range(0, narrow - whole, NARROW):
                    at = start + j + k
                    add_narrow_tile(out, to + k, weights, at, n_post, rows, listed, some)
    if narrow < n_post:
        for t in range(steps):
            for r in range(reached[t, 0], reached[t, 1]):
                place = start + rows[t, r] * n_post
                for j in range(narrow, n_post):
                    out[t, j] = np.int32(out[t, j] + np.int32(weights[place + j]))


@compiled(inline="always")
def list_messages(rows, payload):
    """rows[:n] are the neurons that sent one, ascending; n. Silence is a payload of 0."""
    n = 0
    for i in range(payload.shape[0]):
        rows[n] = i
        n += payload[i] != 0
    return n


@compiled
def add_graded(out, weights, start, n_post, payload, rows):
    """out[j] += sum_i payload[i] * weights[i, j]; silent rows cost nothing.

    `rows` is scratch for the indices of the messages.
    """
    n = list_messages(rows, payload)
    whole = n_post - n_post % TILE
    for j in range(0, whole, TILE):
        add_graded_tile(out, j, weights, start + j, n_post, rows, payload, n)
    narrow = n_post - n_post % NARROW
    for j in range(whole, narrow, NARROW):
        add_narrow_graded_tile(out, j, weights, start + j, n_post, rows, payload, n)
    if narrow < n_post:
        for r in range(n):
            place = start + rows[r] * n_post
            sent = payload[rows[r]]
            for j in range(narrow, n_post):
                out[j] = np.int32(out[j] + np.int32(sent * np.int32(weights[place + j])))


@compiled
def clip_membrane(x):
    """Clips in place to 24 bits with sign; returns how many values were clipped."""
    clipped = 0
    for j in range(x.shape[0]):
        if x[j] > MEMBRANE_MAX:
            x[j] = MEMBRANE_MAX
            clipped += 1
        elif x[j] < -MEMBRANE_MAX:
            x[j] = -MEMBRANE_MAX
            clipped += 1
    return clipped
