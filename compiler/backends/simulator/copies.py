"""Operations on copies of kernels, one a position: learning epochs and averages; compiled.

Each takes one row of the operation table; `operations.Op` names the operands.
"""

from __future__ import annotations

import numpy as np

from compiler.backends.simulator import codes as c
from compiler.backends.simulator.adapt import count_epoch, traces
from compiler.backends.simulator.compiled import compiled
from compiler.backends.simulator.kernels import copies
from compiler.backends.simulator.kernels.maps import list_positions
from compiler.backends.simulator.kernels.random import draw_once, key
from compiler.backends.simulator.kernels.synapses import list_messages


@compiled(inline="always")
def learn_copies(w, op, fixation, clock):
    """One learning epoch of untied kernels; nothing happens where no post value is set."""
    synapses, start, register, target, exponent = op[1], op[2], op[8], op[9], op[10]
    stream, delay, n_post, channels, kernel = op[11], op[12], op[13], op[14], op[15]
    height, width = op[16], op[17]
    positions = height * width
    y = w.registers[register, target : target + positions * n_post]
    w.noted[op[18]] = 0
    if not np.any(y):
        return
    x1, begins = traces(w, op), w.begins[0]
    n = list_messages(w.rows, x1)
    list_positions(w.rows, n, channels, begins, positions)
    k = key(clock.seed, stream, fixation * clock.period + delay)
    noise = w.noise[: (n_post + 3) // 4]
    if clock.shared:
        draw_once(noise, k)
    window = (clock.shared, channels, height, width, kernel)
    rows, clipped = copies.learn_copies(
        w.tags, start, n_post, w.rows, begins, x1, y, exponent, k, w.maxima[0], noise, *window
    )
    count_epoch(w, synapses, op[18], rows, clipped)


@compiled(inline="always")
def average_copies(w, op, fixation):
    """The management processor averages the copies, after every so many fixations."""
    synapses, start, n_post, channels, kernel = op[1], op[2], op[3], op[4], op[5]
    height, width, real, every = op[6], op[7], op[8], op[9]
    if (fixation + 1) % every != 0:
        return
    window = (channels, height, width, kernel)
    scratch = (w.products, w.payload, w.rows)
    w_clipped, t_clipped = copies.average_copies(
        w.weights, w.tags, start, n_post, *window, w.maxima[1], w.maxima[0], *scratch
    )
    counts = w.synapse_counts[synapses]
    counts[c.AVERAGED] += real
    counts[c.W_CLIPPED] += w_clipped
    counts[c.T_CLIPPED] += t_clipped
