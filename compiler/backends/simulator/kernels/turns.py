"""Kernels that learn in turn: the epochs of a map's positions, and what is carried afterwards.

Rows lie by row and column of the window, source channel, as `compiler.rounding` numbers them; a
row has the target's channels.
"""

from __future__ import annotations

import numpy as np

from compiler.backends.simulator.compiled import compiled
from compiler.backends.simulator.kernels.random import draw_once, key
from compiler.backends.simulator.kernels.window import learn_window


@compiled
def learn_in_turn(
    tags, start, n_post, rows, begins, x1, y, exponent, when, tag_max, noise, window, first, stop
):
    """`plasticity.learn` for the positions first .. stop-1, one after the other.

    rows: the neurons with a trace x1, listed by `begins`; y (h * w * n_post,). when: seed, stream
    and time step of the first position, and whether all synapses of an epoch share a random number;
    `compiler.turns` says when the others learn. window: (C_in, h, w, k). Returns (rows touched,
    clipped tags).
    """
    _, _, width, kernel = window
    seed, stream, began, shared = when
    stride = width + kernel // 2
    learned, clipped = 0, 0
    for p in range(first, stop):
        post = y[p * n_post : (p + 1) * n_post]
        if not np.any(post):
            continue
        k = key(seed, stream, began + p // width * stride + p % width)
        if shared:
            draw_once(noise, k)
        found = learn_window(
            tags, start, 0, n_post, rows, begins, x1, post, exponent, k, tag_max, noise, shared,
            p, window,
        )  # fmt: skip
        learned, clipped = learned + found[0], clipped + found[1]
    return learned, clipped


@compiled
def carry_over(weights, tags, weight_max, tag_max, units):
    """w = floor((A + n / 2) / n) and t = A - n * w with A = n * w + t, n = units.

    `compiler.program.Synapses` says for whom n is 64, and for whom 4096. Of a pair `tags` are the
    low synapses' weights, int8.

    Returns the numbers of synapses whose weight or tag was clipped.
    """
    w_clipped, t_clipped = 0, 0
    for s in range(weights.shape[0]):
        exact = units * np.int64(weights[s]) + np.int64(tags[s])
        whole = (exact + units // 2) // units
        weight = min(max(whole, -weight_max), weight_max)
        rest = exact - units * weight
        tag = min(max(rest, -tag_max), tag_max)
        w_clipped += weight != whole
        t_clipped += tag != rest
        weights[s] = np.int8(weight)
        tags[s] = np.int16(tag)
    return w_clipped, t_clipped
