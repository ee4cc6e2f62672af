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

ROWS_IN_16_BITS = 256  # 256 * 127 < 2^15


@compiled
def add_rows(out, weights, start, n_post, rows, n_rows):
    """out[t, j] += sum over the first n_rows[t] of rows[t] of weights[row, j].

    Tile by tile, so that all time steps t use the same few weights while they are at hand.
    """
    steps = n_rows.shape[0]
    wide, most = out.shape[1], rows.shape[1]
    whole = n_post - n_post % TILE
    for j in range(0, whole, TILE):
        for t in range(steps):
            to = t * wide + j
            for first in range(0, n_rows[t], ROWS_IN_16_BITS):
                some = min(ROWS_IN_16_BITS, n_rows[t] - first)
                add_tile(out, to, weights, start + j, n_post, rows, t * most + first, some)
    narrow = n_post - n_post % NARROW
    for j in range(whole, narrow, NARROW):
        for t in range(steps):
            to = t * wide + j
            for first in range(0, n_rows[t], ROWS_IN_16_BITS):
                some = min(ROWS_IN_16_BITS, n_rows[t] - first)
                add_narrow_tile(out, to, weights, start + j, n_post, rows, t * most + first, some)
    if narrow < n_post:
        for t in range(steps):
            for r in range(n_rows[t]):
                place = start + rows[t, r] * n_post
                for j in range(narrow, n_post):
                    out[t, j] = np.int32(out[t, j] + np.int32(weights[place + j]))


@compiled
def add_graded(out, weights, start, n_post, payload, rows):
    """out[j] += sum_i payload[i] * weights[i, j]; silent rows cost nothing.

    `rows` is scratch for the indices of the messages.
    """
    n = 0
    for i in range(payload.shape[0]):
        rows[n] = i
        n += payload[i] != 0
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
