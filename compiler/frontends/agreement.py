"""Whether two runs of a network agree: to rounding, and but for a few spikes at a threshold."""

from __future__ import annotations

import numpy as np

TOLERANCE = 1e-4  # relative to the largest value
SPARED = 1e-3  # of values: a potential within rounding of its threshold may go either way


def agrees(found: np.ndarray, wanted: np.ndarray, tolerance: float = TOLERANCE) -> bool:
    """Whether all but `SPARED` of the values are the same, relative to the largest."""
    return bool(_off(found, wanted, tolerance).mean() <= SPARED)


def differing(
    found: np.ndarray, wanted: np.ndarray, tolerance: float = TOLERANCE
) -> tuple[list[int], float, float]:
    """The first place where they differ, and the values there: wanted, found."""
    if found.shape != wanted.shape:
        return [0], float(wanted.ravel()[0]), float(found.ravel()[0])
    off = _off(found, wanted, tolerance)
    place = [int(i) for i in np.argwhere(off)[0]]
    return place, float(wanted[off][0]), float(found[off][0])


def _off(found: np.ndarray, wanted: np.ndarray, tolerance: float) -> np.ndarray:
    bound = tolerance * max(1.0, float(np.abs(wanted).max(initial=0)))
    off: np.ndarray = ~(np.abs(found - wanted) <= bound)
    return off
