"""What the management processor does with copies of a kernel and with pairs, in plain numpy."""

from __future__ import annotations

import numpy as np

from compiler.program import TAG_UNITS


def averaged_copies(
    weights: np.ndarray, tags: np.ndarray, kernel: np.ndarray, weight_max: int, tag_max: int
) -> tuple[np.ndarray, np.ndarray]:
    """Weights and tags, int (n,), where all synapses of one `kernel` entry, int (n,), are equal.

    The mean of 64 * w + t over the copies, rounded, and taken apart again: see
    `compiler.program.Synapses`. Written apart from the simulator's kernels, as all arithmetic here.
    """
    units = TAG_UNITS * weights.astype(np.int64) + tags
    copies = np.bincount(kernel)
    total = np.zeros(len(copies), np.int64)
    np.add.at(total, kernel, units)
    mean = (2 * total + copies) // np.maximum(1, 2 * copies)
    whole = np.clip((mean + TAG_UNITS // 2) // TAG_UNITS, -weight_max, weight_max)
    rest = np.clip(mean - TAG_UNITS * whole, -tag_max, tag_max)
    return whole[kernel], rest[kernel]


def carried_pair(
    high: np.ndarray, low: np.ndarray, fine: int, weight_max: int
) -> tuple[np.ndarray, np.ndarray]:
    """High and low weights, int of one shape, once whole units are in the high ones.

    A low weight counts 2^-fine of a unit of the high ones.
    """
    units = 1 << fine
    exact = units * high.astype(np.int64) + low
    whole = np.clip((exact + units // 2) // units, -weight_max, weight_max)
    return whole, np.clip(exact - units * whole, -weight_max, weight_max)
