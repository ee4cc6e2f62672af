"""Kernels of which each position has its own copy: their learning epoch, and their average.

Rows lie by position, row and column of the window, source channel, as `compiler.rounding` numbers
them; a row has the target's channels.
"""

from __future__ import annotations

import numpy as np

from compiler.backends.simulator.compiled import compiled
from compiler.backends.simulator.kernels.window import learn_window
from compiler.program import TAG_UNITS


@compiled
def learn_copies(
    tags,
    start,
    n_post,
    rows,
    begins,
    x1,
    y,
    exponent,
    k,
    tag_max,
    noise,
    shared,
    channels,
    height,
    width,
    kernel,
):
    """`plasticity.learn` at each position where some post value is not 0.

    rows: the neurons with a trace x1, listed by `begins`; y (h * w * n_post,). Returns (rows
    touched, clipped tags).
    """
    learned, clipped = 0, 0
    own, window = kernel * kernel * channels, (channels, height, width, kernel)
    for p in range(height * width):
        post = y[p * n_post : (p + 1) * n_post]
        if not np.any(post):
            continue
        found = learn_window(
            tags, start, p * own, n_post, rows, begins, x1, post, exponent, k, tag_max, noise,
            shared, p, window,
        )  # fmt: skip
        learned, clipped = learned + found[0], clipped + found[1]
    return learned, clipped


@compiled
def average_copies(
    weights,
    tags,
    start,
    n_post,
    channels,
    height,
    width,
    kernel,
    weight_max,
    tag_max,
    sums,
    mean_weights,
    mean_tags,
):
    """Writes the mean of the copies, `compiler.program.Synapses`, into all that are on the map.

    The last three are scratch of n_post int64, int32, int32. Returns the numbers of synapses whose
    weight or tag was clipped.
    """
    half, own = kernel // 2, kernel * kernel * channels
    w_clipped, t_clipped = 0, 0
    for e in range(own):
        dy, dx = e // channels // kernel - half, e // channels % kernel - half
        top, bottom = max(0, -dy), min(height, height - dy)
        left, right = max(0, -dx), min(width, width - dx)
        copies = max(0, bottom - top) * max(0, right - left)
        if copies == 0:
            continue
        sums[:n_post] = 0
        for y in range(top, bottom):
            for x in range(left, right):
                row = start + ((y * width + x) * own + e) * n_post
                for j in range(n_post):
                    sums[j] += TAG_UNITS * np.int64(weights[row + j]) + np.int64(tags[row + j])
        for j in range(n_post):
            mean = (2 * sums[j] + copies) // (2 * copies)
            whole = (mean + TAG_UNITS // 2) // TAG_UNITS
            weight = min(max(whole, -weight_max), weight_max)
            rest = mean - TAG_UNITS * weight
            tag = min(max(rest, -tag_max), tag_max)
            mean_weights[j], mean_tags[j] = np.int32(weight), np.int32(tag)
            w_clipped += copies * np.int64(weight != whole)
            t_clipped += copies * np.int64(tag != rest)
        for y in range(top, bottom):
            for x in range(left, right):
                row = start + ((y * width + x) * own + e) * n_post
                for j in range(n_post):
                    weights[row + j] = np.int8(mean_weights[j])
                    tags[row + j] = np.int16(mean_tags[j])
    return w_clipped, t_clipped
