"""What a learning epoch does to tags and weights, lane for lane as `compiler.program` says.

All of it fits 16-bit lanes, and every cast keeps them there: numba widens integers otherwise.
"""

from __future__ import annotations

import numpy as np

from compiler.backends.simulator.compiled import compiled
from compiler.backends.simulator.kernels.random import draw

SPAN = 1 << 14  # synapses that are worked on at a time, so that a 16-bit lane can count them


@compiled
def learn(tags, start, n_post, x1, y, exponent, k, tag_max, noise, shared):
    """One learning epoch of `dt = 2^exponent*x0*x1*y` on the tags, rounded with bits of key k.

    Or of `dw` on weights, int8, whose largest is then `tag_max`.

    x1 int32 (n_pre,), y int16 (n_post,). The engine forms (t << 7) + (((x1 * y) >> 3) <<
    (exponent + 7)) and rounds it stochastically to a multiple of 128; adding 127 - random before
    the shift rounds up exactly where the random bits are below the fraction. As t << 7 is such a
    multiple already, only the product needs rounding; exponents up to -3 keep it within 15 bits.
    `noise` is scratch of words_per_row(n_post) uint32, or holds the bits of every row where they
    are `shared`. Returns (rows touched, clipped tags).
    """
    rows = 0
    clipped = 0
    for i in range(x1.shape[0]):
        if x1[i] != 0:
            rows += 1
            clipped += learn_row(
                tags, start, i, n_post, x1[i], y, exponent, k, tag_max, noise, shared
            )
    return rows, clipped


@compiled(inline="always")
def learn_row(tags, start, i, n_post, x1, y, exponent, k, tag_max, noise, shared):
    """`learn` for row i, whose presynaptic trace is x1; returns the number of clipped tags."""
    if not shared:
        draw(noise, np.uint32(i * noise.shape[0]), k)
    row = tags[start + i * n_post : start + (i + 1) * n_post]
    bits = noise.view(np.uint8)
    x, scale = np.int16(x1), np.int16(1 << (exponent + 7))
    high, low = np.int16(tag_max), np.int16(-tag_max)
    clipped = 0
    for first in range(0, n_post, SPAN):
        part = slice(first, min(first + SPAN, n_post))
        clipped += learn_span(row[part], y[part], bits[part], x, scale, high, low)
    return clipped


@compiled
def learn_span(tags, y, bits, x, scale, high, low):
    """`learn` for up to SPAN synapses of one presynaptic neuron."""
    clipped = np.int16(0)
    for j in range(tags.shape[0]):
        product = np.int16(np.int16(np.int16(x * y[j]) >> np.int16(3)) * scale)
        product = np.int16(product + np.int16(np.int16(127) - np.int16(bits[j])))
        moved = np.int16(tags[j] + np.int16(product >> np.int16(7)))
        kept = np.int16(min(max(moved, low), high))
        clipped = np.int16(clipped + np.int16(kept != moved))
        tags[j] = kept
    return clipped


@compiled
def carry(weights, tags, weight_max, tag_units):
    """dw = u*sgn(t), dt = -tag_units*u*sgn(t). Returns the numbers of (moved, clipped) weights."""
    moved = 0
    clipped = 0
    for first in range(0, tags.shape[0], SPAN):
        part = slice(first, min(first + SPAN, tags.shape[0]))
        m, c = carry_span(weights[part], tags[part], np.int16(weight_max), np.int16(tag_units))
        moved += m
        clipped += c
    return moved, clipped


@compiled
def carry_span(weights, tags, high, unit):
    """`carry` for up to SPAN synapses."""
    moved = np.int16(0)
    clipped = np.int16(0)
    low = np.int16(-high)
    for s in range(tags.shape[0]):
        t = tags[s]
        sign = np.int16(np.int16(t > np.int16(0)) - np.int16(t < np.int16(0)))
        w = np.int16(np.int16(weights[s]) + sign)
        kept = np.int16(min(max(w, low), high))
        clipped = np.int16(clipped + np.int16(kept != w))
        moved = np.int16(moved + np.int16(sign != np.int16(0)))
        weights[s] = np.int8(kept)
        tags[s] = np.int16(t - np.int16(sign * unit))
    return moved, clipped


@compiled
def transfer(weights, tags, n_post, weight_max, k, noise, shared):
    """dw = 2^-6*u*t, dt = -u*t, the weights rounded with bits of key k as in `learn`.

    Returns the numbers of (moved, clipped) weights.
    """
    bits = noise.view(np.uint8)
    moved = 0
    clipped = 0
    for i in range(weights.shape[0] // n_post):
        if not shared:
            draw(noise, np.uint32(i * noise.shape[0]), k)
        for j in range(n_post):
            s = i * n_post + j
            before = np.int64(weights[s])
            exact = (before << 7) + (np.int64(tags[s]) << 1)
            rounded = (exact + 127 - np.int64(bits[j])) >> 7
            kept = min(max(rounded, -weight_max), weight_max)
            moved += kept != before
            clipped += kept != rounded
            weights[s] = np.int8(kept)
            tags[s] = np.int16(0)
    return moved, clipped
