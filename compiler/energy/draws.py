"""The distribution that stands for a figure with a band, and draws from it.

A figure's value is the median, its low and high the 5 % and 95 % points of a *two-piece
log-normal*: with z standard normal and q = 1.645, its 95 % point,

    x = value * (low / value)^(-z / q)   where z < 0
    x = value * (high / value)^(z / q)   where z >= 0

so that each half is as wide as its own bound says. A half whose bound is 0, or whose value is, has
no logarithm: it is linear in z and cut at 0. Coefficients span decades, which a triangle between
the bounds would turn into a mean near the upper one.

Draws are stratified (a Latin hypercube): each figure's are the same 10,000 equally likely points of
its distribution, in an order of its own, so that a figure alone has its own band exactly.
"""

from __future__ import annotations

from functools import lru_cache
from zlib import crc32

import numpy as np
from scipy.special import ndtri

SAMPLES = 10_000
QUANTILES = (0.05, 0.95)  # a 90 % band
POINT = 1.6448536269514722  # of a standard normal: 95 % lies below


@lru_cache(maxsize=4096)
def draw(value: float, low: float, high: float, key: str, seed: int = 0) -> np.ndarray:
    """`SAMPLES` draws of a figure, read-only float64; they depend on seed and key alone.

    The key names the figure, so that two lines which use it use the same draws.
    """
    order = np.random.default_rng([seed, crc32(key.encode())]).permutation(SAMPLES)
    z = ndtri((order + 0.5) / SAMPLES) / POINT
    below, above = np.minimum(z, 0.0), np.maximum(z, 0.0)
    lower = value * ((value / low) ** below if low > 0 else np.maximum(1.0 + below, 0.0))
    samples = lower * (high / value) ** above if value > 0 else high * above
    samples.flags.writeable = False
    return samples
