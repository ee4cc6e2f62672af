"""The few integer kernels that the simulator is made of, compiled by numba.

Weights lie as rows of the presynaptic neuron, (n_pre, n_post) flattened, so that one spike adds
one contiguous row and one learning epoch touches contiguous rows. Every kernel repeats, lane for
lane, the arithmetic that `compiler.program` documents; `compiler.rounding` is the numpy twin of
the random numbers.
"""

from __future__ import annotations

import numpy as np
from numba import njit

MEMBRANE_MAX = (1 << 23) - 1
ACCUMULATOR_MAX = (1 << 15) - 1


@njit(cache=True, nogil=True, inline="always")
def mix(h):
    """Twin of `compiler.rounding.mix`; numba widens uint32 products, so each is cut back."""
    h = np.uint32(h ^ (h >> np.uint32(16)))
    h = np.uint32(h * np.uint32(0x7FEB352D))
    h = np.uint32(h ^ (h >> np.uint32(15)))
    h = np.uint32(h * np.uint32(0x846CA68B))
    return np.uint32(h ^ (h >> np.uint32(16)))


@njit(cache=True, nogil=True)
def key(seed, stream, time_step):
    """Twin of `compiler.rounding.key`."""
    k = mix(np.uint32(seed))
    k = mix(np.uint32(k ^ np.uint32(np.uint32(stream) * np.uint32(0x9E3779B9))))
    return mix(np.uint32(k ^ np.uint32(time_step)))


@njit(cache=True, nogil=True, inline="always")
def word(k, index):
    """Random word `index` of the key."""
    return mix(np.uint32(k + np.uint32(np.uint32(index) * np.uint32(0x9E3779B9))))


@njit(cache=True, nogil=True)
def add_rows(out, weights, start, n_post, rows, n_rows):
    """out[j] += sum over the listed rows of weights[row, j]; four rows a sweep."""
    r = 0
    while r + 4 <= n_rows:
        a = weights[start + rows[r] * n_post : start + (rows[r] + 1) * n_post]
        b = weights[start + rows[r + 1] * n_post : start + (rows[r + 1] + 1) * n_post]
        c = weights[start + rows[r + 2] * n_post : start + (rows[r + 2] + 1) * n_post]
        d = weights[start + rows[r + 3] * n_post : start + (rows[r + 3] + 1) * n_post]
        for j in range(n_post):
            out[j] += np.int32(np.int32(a[j]) + np.int32(b[j]) + np.int32(c[j]) + np.int32(d[j]))
        r += 4
    while r < n_rows:
        a = weights[start + rows[r] * n_post : start + (rows[r] + 1) * n_post]
        for j in range(n_post):
            out[j] += np.int32(a[j])
        r += 1


@njit(cache=True, nogil=True)
def add_graded(out, weights, start, n_post, payload):
    """out[j] += sum_i payload[i] * weights[i, j]; silent rows cost nothing."""
    n = payload.shape[0]
    i = 0
    while i < n:
        p = payload[i]
        if p != 0:
            a = weights[start + i * n_post : start + (i + 1) * n_post]
            for j in range(n_post):
                out[j] += np.int32(p * np.int32(a[j]))
        i += 1


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def lif_step(v, current, spiked, decay, threshold, shift, zero_reset):
    """One step of `compiler.program.Soma`; v, current, spiked int32, changed in place.

    (|v| * decay) >> 12 is formed in two halves so that it fits 32-bit lanes. Returns the numbers
    of active neurons (any current or potential) and of clipped potentials.
    """
    active = 0
    clipped = 0
    for j in range(v.shape[0]):
        old = v[j]
        drive = np.int32(current[j] << shift)
        active += np.int32((old != 0) | (drive != 0))
        size = abs(old)
        low = np.int32(np.int32(size & 4095) * decay) >> 12
        leaked = np.int32(np.int32(size >> 12) * decay) + low
        leaked = -leaked if old < 0 else leaked
        if zero_reset:
            leaked = 0 if spiked[j] else leaked
            new = np.int32(leaked + drive)
        else:
            new = np.int32(leaked + drive - spiked[j] * threshold)
        clipped += np.int32(new > MEMBRANE_MAX) + np.int32(new < -MEMBRANE_MAX)
        new = min(max(new, -MEMBRANE_MAX), MEMBRANE_MAX)
        v[j] = new
        spiked[j] = np.int32(new > threshold)
    return active, clipped


@njit(cache=True, nogil=True)
def learn(weights, tags, start, n_post, x1, y, exponent, k, tag_max, noise):
    """One learning epoch of `dt = 2^exponent*x0*x1*y`, rounded with bits of the key k.

    `noise` is scratch of words_per_row(n_post) uint32. Returns (rows touched, clipped tags).
    """
    rows = 0
    clipped = 0
    lift = exponent + 7
    row_words = noise.shape[0]
    bits = noise.view(np.uint8)
    for i in range(x1.shape[0]):
        x = x1[i]
        if x == 0:
            continue
        rows += 1
        for q in range(row_words):
            noise[q] = word(k, i * row_words + q)
        t = tags[start + i * n_post : start + (i + 1) * n_post]
        for j in range(n_post):
            product = np.int32(np.int32(np.int32(x * y[j]) >> 3) << lift)
            product = min(max(product, -ACCUMULATOR_MAX - 2), ACCUMULATOR_MAX)
            total = np.int32(np.int32(np.int32(t[j]) << 7) + product)
            total = min(max(total, -ACCUMULATOR_MAX - 2), ACCUMULATOR_MAX)
            up = np.int32(np.int32(bits[j] & 127) < np.int32(total & 127))
            new = np.int32(np.int32(total >> 7) + up)
            clipped += np.int32(new > tag_max) + np.int32(new < -tag_max)
            t[j] = np.int16(min(max(new, -tag_max), tag_max))
    return rows, clipped


@njit(cache=True, nogil=True)
def carry(weights, tags, start, size, weight_max, tag_units):
    """dw = u*sgn(t), dt = -tag_units*u*sgn(t). Returns the numbers of (moved, clipped) weights."""
    moved = 0
    clipped = 0
    for s in range(start, start + size):
        t = np.int32(tags[s])
        sign = np.int32(t > 0) - np.int32(t < 0)
        w = np.int32(np.int32(weights[s]) + sign)
        over = np.int32(w > weight_max) + np.int32(w < -weight_max)
        clipped += over
        moved += np.int32(sign != 0)
        weights[s] = np.int8(min(max(w, -weight_max), weight_max))
        tags[s] = np.int16(t - sign * tag_units)
    return moved, clipped
