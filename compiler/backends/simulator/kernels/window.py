"""The learning epoch of one position of a map, from the neurons in its window."""

from __future__ import annotations

from compiler.backends.simulator.compiled import compiled
from compiler.backends.simulator.kernels.maps import run_of
from compiler.backends.simulator.kernels.plasticity import learn_row


@compiled
def learn_window(
    tags, start, own, n_post, rows, begins, x1, post, exponent, k, tag_max, noise, shared, p, window
):
    """`plasticity.learn` at position p, whose synapses begin with the row `own`.

    rows: the neurons with a trace x1, listed by `begins`; post (n_post,). window: (C_in, h, w, k).
    Returns (rows touched, clipped tags).
    """
    channels, height, width, kernel = window
    learned, clipped = 0, 0
    for dy in range(kernel):
        first, n, shift = run_of(begins, p // width, p % width, dy, height, width, kernel, channels)
        learned += n
        for s in range(first, first + n):
            i = rows[s]
            row = i + shift + own
            clipped += learn_row(
                tags, start, row, n_post, x1[i], post, exponent, k, tag_max, noise, shared
            )
    return learned, clipped
