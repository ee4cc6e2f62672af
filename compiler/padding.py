"""A convolution padded alike on both sides of a map, as other tools have it, with so many targets.

A program says where the first window begins and how many there are. Where padding as much behind a
map as before it makes too many windows or too few, taps of weight zero behind the others, or before
them with more padding, make it right.
"""

from __future__ import annotations

import numpy as np

from compiler.connectivity import Windows
from compiler.terms import Map

Sides = tuple[int, int]  # of rows and of columns


def padded_alike(
    kernels: np.ndarray, along: Windows, source: Map, target: Map
) -> tuple[np.ndarray, Sides, Sides]:
    """Kernels (C_out, C_in, k_h, k_w), padding and dilation that lead to the target's map."""
    padding, dilation = [0, 0], [1, 1]
    for axis, window in enumerate(along):
        covered = source[1 + axis] + 2 * window.padding - window.reach
        before = max(0, (target[1 + axis] - 1) * window.stride - covered)
        behind = max(0, covered - target[1 + axis] * window.stride + 1)
        padding[axis], dilation[axis] = window.padding + before, window.dilation
        if before or behind:
            kernels = _widened(kernels, 2 + axis, window.dilation, before, behind)
            dilation[axis] = 1
    return kernels, (padding[0], padding[1]), (dilation[0], dilation[1])


def _widened(kernels: np.ndarray, axis: int, dilation: int, before: int, behind: int) -> np.ndarray:
    """The same taps where they were, with zeros between, before and behind them."""
    taps = np.arange(kernels.shape[axis]) * dilation + before
    shape = list(kernels.shape)
    shape[axis] = int(taps[-1]) + 1 + behind
    wide = np.zeros(shape, kernels.dtype)
    np.moveaxis(wide, axis, 0)[taps] = np.moveaxis(kernels, axis, 0)
    return wide
