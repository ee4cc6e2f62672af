"""Random numbers for stochastic rounding, from a counter instead of a state.

A number depends only on (seed, stream, time step, index), so results do not depend on the order
of evaluation, the batch, the number of threads or the device. Streams name what is rounded: the
tags of one projection, one post value of one population, or the noise of one critic's scores. All
arithmetic is modulo 2^32.

The synapses of a projection are numbered by rows: all-to-all, row i are the synapses of the
presynaptic neuron i, its column j the postsynaptic neuron j, both in the program's order. Untied
convolutions have the row

    p * (k * k * C_in) + (dy * k + dx) * C_in + c_in

for the copy p of the kernels, which is the target's position row * width + column, and the entry
(dy, dx, c_in) of its window; the column is the target's channel. Rows off the map have numbers too,
and no synapses.
"""

from __future__ import annotations

import numpy as np

_GOLDEN = np.uint32(0x9E3779B9)


def mix(h: np.ndarray) -> np.ndarray:
    """A bijective 32-bit hash (constants of Wellons' "lowbias32", found by search, 2018)."""
    h = h ^ (h >> np.uint32(16))
    h = h * np.uint32(0x7FEB352D)
    h = h ^ (h >> np.uint32(15))
    h = h * np.uint32(0x846CA68B)
    return h ^ (h >> np.uint32(16))


def key(seed: int, stream: int, time_step: int) -> np.ndarray:
    """The 32-bit key of one (seed, stream, time step), shape (1,)."""
    k = mix(np.array([seed & 0xFFFFFFFF], np.uint32))
    k = mix(k ^ (np.array([stream], np.uint32) * _GOLDEN))
    return mix(k ^ np.array([time_step & 0xFFFFFFFF], np.uint32))


NOISE_STREAMS = 1 << 23  # random streams of the noise of scores; below it, those of post values
TRACE_STREAMS = 1 << 24  # and of exponential traces


def trace_stream(projection: int, trace: int) -> int:
    """The stream of one trace of a projection: x1, x2, y1, y2, y3 are traces 0 to 4."""
    return TRACE_STREAMS + 8 * projection + trace


def words(seed: int, stream: int, time_step: int, count: int) -> np.ndarray:
    """Random 32-bit words number 0 .. count-1, uint32."""
    index = np.arange(count, dtype=np.uint32)
    return mix(key(seed, stream, time_step) + index * _GOLDEN)


def words_per_row(n_post: int) -> int:
    """One word serves four synapses; every row starts at a word of its own."""
    return (n_post + 3) // 4


def synapse_bits(seed: int, stream: int, time_step: int, n_pre: int, n_post: int) -> np.ndarray:
    """Seven random bits for every synapse, int32 of shape (rows n_pre, columns n_post)."""
    row = words_per_row(n_post)
    drawn = words(seed, stream, time_step, n_pre * row).reshape(n_pre, row)
    lanes = np.stack([(drawn >> np.uint32(8 * lane)) & np.uint32(127) for lane in range(4)], axis=2)
    return lanes.reshape(n_pre, 4 * row)[:, :n_post].astype(np.int32)


def round_stochastically(
    value: np.ndarray, shift: int, seed: int, stream: int, time_step: int
) -> np.ndarray:
    """(value + random) >> shift with random uniform in [0, 2^shift); value int64, shift <= 31."""
    if shift == 0:
        return value
    mask = np.uint32((1 << shift) - 1)
    random = words(seed, stream, time_step, value.size) & mask
    return (value + random.astype(np.int64)) >> shift
