"""What a projection makes of what its source sends, in real numbers."""

from __future__ import annotations

import numpy as np

from compiler.connectivity import window
from compiler.terms import WITHIN_CHANNELS, Connection, Map


def through(
    connection: Connection, weights: np.ndarray, sent: np.ndarray, source: Map, target: Map
) -> np.ndarray:
    """What arrives (B, N_target) of what was sent (B, N_source); off the map there is nothing.

    weights: as the connection has them. Not for untied kernels, whose copies are one kernel.
    """
    if connection is Connection.ALL_TO_ALL:
        arriving: np.ndarray = sent @ weights.T
        return arriving
    if connection is Connection.ONE_TO_ONE:
        return sent * weights
    along = window(connection, weights.shape[-1])
    assert along is not None and connection is not Connection.UNTIED
    maps = sent.reshape(len(sent), *source)
    found = np.zeros((len(sent), *target))
    first = [np.array([along.first(t) for t in range(side)]) for side in target[1:]]
    for dy in range(weights.shape[-2]):
        for dx in range(weights.shape[-1]):
            rows, columns = first[0] + dy, first[1] + dx
            down = np.flatnonzero((rows >= 0) & (rows < source[1]))
            right = np.flatnonzero((columns >= 0) & (columns < source[2]))
            seen = maps[:, :, rows[down][:, None], columns[right]]
            weight = weights[..., dy, dx]
            heard = (
                weight * seen
                if connection in WITHIN_CHANNELS
                else np.einsum("oc,bcyx->boyx", weight, seen, optimize=True)
            )
            found[:, :, down[:, None], right] += heard
    return found.reshape(len(sent), -1)
