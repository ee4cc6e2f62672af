"""Copies from array to array. numba's own would make room for an overlap, and so need a runtime."""

from __future__ import annotations

from compiler.backends.simulator.compiled import compiled


@compiled
def copy(to, source):
    """to[j] = source[j] for arrays of one length that do not overlap."""
    for j in range(to.shape[0]):
        to[j] = source[j]
