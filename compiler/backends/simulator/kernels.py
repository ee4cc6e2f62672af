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
                out[j] = np.int32(out[j] + np.int32(p * np.int32(a[j])))
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
def lif_step(v, current, held, spiked, decay, threshold, shift, keep):
    """One step of `compiler.program.Soma`; v and spiked int32 are changed in place.

    The current is `current` + `held`. (|v| * decay) >> 12 is formed in two halves so that it fits
    32-bit lanes. `keep` is 1 for reset by subtraction and 0 for reset to zero. Returns the numbers
    of active neurons (any current or potential) and of clipped potentials.
    """
    active = np.int32(0)
    clipped = np.int32(0)
    high = np.int32(MEMBRANE_MAX)
    low = np.int32(-MEMBRANE_MAX)
    fall = np.int32(threshold * keep)
    for j in range(v.shape[0]):
        drive = np.int32(np.int32(current[j] + held[j]) << shift)
        old = v[j]
        active = np.int32(active + np.int32((old | drive) != np.int32(0)))
        size = np.int32(abs(old))
        leaked = np.int32(np.int32(np.int32(size & np.int32(4095)) * decay) >> np.int32(12))
        leaked = np.int32(leaked + np.int32(np.int32(size >> np.int32(12)) * decay))
        sign = np.int32(old >> np.int32(31))
        leaked = np.int32(np.int32(leaked ^ sign) - sign)
        # a neuron that spiked keeps its leaked potential only where reset is by subtraction
        leaked = np.int32(leaked * np.int32(np.int32(1) - np.int32(spiked[j] * (1 - keep))))
        new = np.int32(np.int32(leaked + drive) - np.int32(spiked[j] * fall))
        kept = np.int32(min(max(new, low), high))
        clipped = np.int32(clipped + np.int32(kept != new))
        v[j] = kept
        spiked[j] = np.int32(kept > threshold)
    return active, clipped


@njit(cache=True, nogil=True)
def list_spikes(spiked, rows):
    """Writes the indices of the neurons that spiked into `rows`; returns their number.

    Most blocks of eight are silent, and are passed over at once.
    """
    size = spiked.shape[0]
    n = 0
    for first in range(0, size, 8):
        last = min(first + 8, size)
        some = np.int32(0)
        for j in range(first, last):
            some = np.int32(some | spiked[j])
        if some != 0:
            for j in range(first, last):
                rows[n] = j
                n += spiked[j]
    return n


@njit(cache=True, nogil=True)
def count_equal(x, value):
    """How many elements of the int32 array equal `value`."""
    n = np.int32(0)
    for j in range(x.shape[0]):
        n = np.int32(n + np.int32(x[j] == value))
    return n


@njit(cache=True, nogil=True)
def learn(tags, start, n_post, x1, y, exponent, k, tag_max, noise):
    """One learning epoch of `dt = 2^exponent*x0*x1*y` on the tags, rounded with bits of key k.

    The engine forms (t << 7) + (((x1 * y) >> 3) << (exponent + 7)) and rounds it stochastically to
    a multiple of 128; adding 127 - random before the shift rounds up exactly where the random bits
    are below the fraction. Exponents up to -3 keep the product within the engine's 15 bits.
    `noise` is scratch of words_per_row(n_post) uint32. Returns (rows touched, clipped tags).
    """
    rows = 0
    clipped = 0
    lift = np.int32(exponent + 7)
    high = np.int32(tag_max)
    low = np.int32(-tag_max)
    bits = noise.view(np.uint8)
    for i in range(x1.shape[0]):
        if x1[i] == 0:
            continue
        rows += 1
        draw(noise, np.uint32(i * noise.shape[0]), k)
        row = tags[start + i * n_post : start + (i + 1) * n_post]
        clipped += learn_row(row, y, bits, x1[i], lift, high, low)
    return rows, clipped


@njit(cache=True, nogil=True)
def draw(noise, first, k):
    """Fills `noise` with the words from `first` on, cut to seven bits a byte."""
    for q in range(noise.shape[0]):
        noise[q] = np.uint32(word(k, np.uint32(first + np.uint32(q))) & np.uint32(0x7F7F7F7F))


@njit(cache=True, nogil=True)
def learn_row(tags, y, bits, x, lift, high, low):
    """`learn` for the synapses of one presynaptic neuron; every cast keeps 32-bit lanes."""
    clipped = np.int32(0)
    for j in range(tags.shape[0]):
        product = np.int32(np.int32(np.int32(x * y[j]) >> np.int32(3)) << lift)
        total = np.int32(np.int32(np.int32(tags[j]) * np.int32(128)) + product)
        total = np.int32(total + np.int32(127) - np.int32(bits[j]))
        rounded = np.int32(total >> np.int32(7))
        kept = np.int32(min(max(rounded, low), high))
        clipped = np.int32(clipped + np.int32(kept != rounded))
        tags[j] = np.int16(kept)
    return clipped


@njit(cache=True, nogil=True)
def carry(weights, tags, weight_max, tag_units):
    """dw = u*sgn(t), dt = -tag_units*u*sgn(t). Returns the numbers of (moved, clipped) weights."""
    moved = np.int32(0)
    clipped = np.int32(0)
    high = np.int32(weight_max)
    low = np.int32(-weight_max)
    unit = np.int32(tag_units)
    for s in range(tags.shape[0]):
        t = np.int32(tags[s])
        sign = np.int32(np.int32(t > np.int32(0)) - np.int32(t < np.int32(0)))
        w = np.int32(np.int32(weights[s]) + sign)
        kept = np.int32(min(max(w, low), high))
        clipped = np.int32(clipped + np.int32(kept != w))
        moved = np.int32(moved + np.int32(sign * sign))
        weights[s] = np.int8(kept)
        tags[s] = np.int16(t - np.int32(sign * unit))
    return moved, clipped
