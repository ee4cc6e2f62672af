"""What a projection makes of what its source sends, in real numbers."""

from __future__ import annotations

import numpy as np

from compiler.connectivity import kernel_of, windows
from compiler.terms import CENTRED, WITHIN_CHANNELS, Connection, Geometry, Map


def through(
    connection: Connection,
    weights: np.ndarray,
    sent: np.ndarray,
    source: Map,
    target: Map,
    geometry: Geometry = CENTRED,
) -> np.ndarray:
    """What arrives (B, N_target) of what was sent (B, N_source); off the map there is nothing.

    weights: as the connection has them. Not for untied kernels, whose copies are one kernel.
    """
    if connection is Connection.ALL_TO_ALL:
        arriving: np.ndarray = sent @ weights.T
        return arriving
    if connection is Connection.ONE_TO_ONE:
        return sent * weights
    along = windows(connection, kernel_of(weights.shape), geometry)
    assert along is not None and connection is not Connection.UNTIED
    maps = sent.reshape(len(sent), *source)
    found = np.zeros((len(sent), *target))
    for dy, dx in np.ndindex(*weights.shape[-2:]):
        rows = along[0].sources(dy, 0, target[1])
        columns = along[1].sources(dx, 0, target[2])
        down = np.flatnonzero((rows >= 0) & (rows < source[1]))
        right = np.flatnonzero((columns >= 0) & (columns < source[2]))
        seen = maps[:, :, rows[down][:, None], columns[right]]
        heard = _across(connection, weights[..., dy, dx], seen, geometry.groups)
        found[:, :, down[:, None], right] += heard
    return found.reshape(len(sent), -1)


def _across(
    connection: Connection, weight: np.ndarray, seen: np.ndarray, groups: int
) -> np.ndarray:
    """(B, C_out, h, w) of (B, C_in, h, w), through one tap of all kernels."""
    if connection in WITHIN_CHANNELS:
        return weight * seen
    apart = seen.reshape(len(seen), groups, seen.shape[1] // groups, *seen.shape[2:])
    kernels = weight.reshape(groups, -1, weight.shape[1])
    heard: np.ndarray = np.einsum("goc,bgcyx->bgoyx", kernels, apart, optimize=True)
    return heard.reshape(len(seen), len(weight), *seen.shape[2:])
