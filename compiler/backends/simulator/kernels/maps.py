"""Adding up what arrives through kernels: rows of weights, one position at a time.

Neurons lie by row, column, channel. What an output position sees of one source row is then one
run of the list of spikes, and its weights are as far apart as the neurons are: a spike of neuron i
needs row i plus a constant of the run. So nothing is copied or rearranged, and border positions
have shorter runs. Where each position has kernels of its own, their rows follow one another: the
constant is larger by as many rows for each position, by none where all positions share theirs.
"""

from __future__ import annotations

import numpy as np

from compiler.backends.simulator.compiled import compiled
from compiler.backends.simulator.kernels.synapses import ROWS_IN_16_BITS
from compiler.backends.simulator.kernels.vectors import (
    NARROW,
    TILE,
    add_graded_tile,
    add_narrow_graded_tile,
    add_narrow_runs_tile,
    add_narrow_tile,
    add_runs_tile,
    add_tile,
)


@compiled
def list_positions(rows, n, channels, begins, positions):
    """begins[p] is the first of rows[:n] (ascending) that lies at position p or behind."""
    s = 0
    for p in range(positions + 1):
        while s < n and rows[s] < p * channels:
            s += 1
        begins[p] = s


@compiled
def count_reached(begins, height, width, kernel):
    """Output positions that the listed neurons reach, summed up."""
    half = kernel // 2
    reached = 0
    for y in range(height):
        rows = min(height - 1, y + half) - max(0, y - half) + 1
        for x in range(width):
            columns = min(width - 1, x + half) - max(0, x - half) + 1
            n = begins[y * width + x + 1] - begins[y * width + x]
            reached += rows * columns * n
    return reached


@compiled(inline="always")
def run_of(begins, y, x, dy, height, width, kernel, channels):
    """(first, number, shift) of the run that position (y, x) sees of the row dy of its window."""
    half = kernel // 2
    row = y + dy - half
    if row < 0 or row >= height:
        return 0, 0, 0
    left, right = max(0, x - half), min(width - 1, x + half)
    first = begins[row * width + left]
    shift = (dy * kernel - x + half - row * width) * channels
    return first, begins[row * width + right + 1] - first, shift


@compiled
def add_map(out, weights, start, n_post, rows, begins, runs, channels, height, width, kernel, own):
    """out[t, (y, x, j)] += what the spikes rows[t], listed by begins[t], bring to channel j.

    Each position has `own` rows of weights, or 0 where all share the same. Shared ones stay at hand
    for all positions of a step, others for all steps of a position. `runs` (kernel, 3) int64 is
    scratch. Returns the number of rows of weights that were added.
    """
    steps = begins.shape[0]
    window = (channels, height, width, kernel)
    added = 0
    if own == 0:
        for t in range(steps):
            for y in range(height):
                for x in range(width):
                    added += add_position(
                        out, t, y, x, weights, start, n_post, rows, begins, runs, window
                    )
        return added
    for y in range(height):
        for x in range(width):
            first = start + (y * width + x) * own * n_post
            for t in range(steps):
                added += add_position(
                    out, t, y, x, weights, first, n_post, rows, begins, runs, window
                )
    return added


@compiled(inline="always")
def add_position(out, t, y, x, weights, start, n_post, rows, begins, runs, window):
    """`add_map` for one position at one step, whose rows of weights begin at `start`."""
    channels, height, width, kernel = window
    wide, most = out.shape[1], rows.shape[1]
    whole = n_post - n_post % TILE
    narrow = n_post - n_post % NARROW
    n = 0
    for dy in range(kernel):
        first, some, shift = run_of(begins[t], y, x, dy, height, width, kernel, channels)
        runs[dy, 0] = t * most + first
        runs[dy, 1] = some
        runs[dy, 2] = start + shift * n_post
        n += some
    to = t * wide + (y * width + x) * n_post
    if n > ROWS_IN_16_BITS:
        add_long_runs(out, to, weights, n_post, rows, runs)
    elif n > 0:
        for j in range(0, whole, TILE):
            add_runs_tile(out, to + j, weights, j, n_post, rows, runs, kernel)
        for j in range(whole, narrow, NARROW):
            add_narrow_runs_tile(out, to + j, weights, j, n_post, rows, runs, kernel)
    if n > 0 and narrow < n_post:
        add_rest(out[t], to - t * wide, weights, n_post, rows[t], t * most, runs)
    return n


@compiled
def add_long_runs(out, to, weights, n_post, rows, runs):
    """All whole tiles of one position whose rows are too many for sums of 16 bits."""
    whole = n_post - n_post % TILE
    narrow = n_post - n_post % NARROW
    for r in range(runs.shape[0]):
        first, number, base = runs[r, 0], runs[r, 1], runs[r, 2]
        for s in range(first, first + number, ROWS_IN_16_BITS):
            some = min(ROWS_IN_16_BITS, first + number - s)
            for j in range(0, whole, TILE):
                add_tile(out, to + j, weights, base + j, n_post, rows, s, some)
            for j in range(whole, narrow, NARROW):
                add_narrow_tile(out, to + j, weights, base + j, n_post, rows, s, some)


@compiled
def add_rest(out, to, weights, n_post, rows, before, runs):
    """The columns of one position that fill no tile; `before` rows lie before this step's."""
    for r in range(runs.shape[0]):
        for s in range(runs[r, 0] - before, runs[r, 0] - before + runs[r, 1]):
            row = runs[r, 2] + rows[s] * n_post
            for j in range(n_post - n_post % NARROW, n_post):
                out[to + j] = np.int32(out[to + j] + np.int32(weights[row + j]))


@compiled
def add_graded_map(
    out, weights, start, n_post, rows, begins, payload, channels, height, width, kernel, own
):
    """out[(y, x, j)] += what the messages of the neurons `rows`, payload[i] of neuron i, bring.

    `own` as for `add_map`.
    """
    whole = n_post - n_post % TILE
    narrow = n_post - n_post % NARROW
    for y in range(height):
        for x in range(width):
            for dy in range(kernel):
                first, n, shift = run_of(begins, y, x, dy, height, width, kernel, channels)
                base = start + (shift + (y * width + x) * own) * n_post
                to = (y * width + x) * n_post
                run = rows[first : first + n]
                for j in range(0, whole, TILE):
                    add_graded_tile(out, to + j, weights, base + j, n_post, run, payload, n)
                for j in range(whole, narrow, NARROW):
                    add_narrow_graded_tile(out, to + j, weights, base + j, n_post, run, payload, n)
                if narrow < n_post:
                    for r in range(n):
                        row = base + run[r] * n_post
                        sent = payload[run[r]]
                        for j in range(narrow, n_post):
                            out[to + j] = np.int32(
                                out[to + j] + np.int32(sent * np.int32(weights[row + j]))
                            )


@compiled
def add_neighbours(out, weights, start, side, rows, begins, channels, height, width):
    """Adds each spike's bit to the relay of its side x side neighbours; returns how many have one.

    A last row or column that fills no neighbourhood is heard by nobody.
    """
    heard = 0
    across = width // side
    for y in range(height // side * side):
        for x in range(across * side):
            p = y * width + x
            bit = np.int32(weights[start + y % side * side + x % side])
            to = (y // side * across + x // side) * channels - p * channels
            for s in range(begins[p], begins[p + 1]):
                out[to + rows[s]] = np.int32(out[to + rows[s]] + bit)
            heard += begins[p + 1] - begins[p]
    return heard


@compiled
def add_channels(out, weights, start, rows, begins, channels, positions):
    """Adds each spike's weight, that of its position, to the one neuron of its channel."""
    for p in range(positions):
        weight = np.int32(weights[start + p])
        for s in range(begins[p], begins[p + 1]):
            channel = rows[s] - p * channels
            out[channel] = np.int32(out[channel] + weight)
