"""Means over seeds, what was kept of a gain, and their 95 % intervals."""

from __future__ import annotations

from typing import Any

import numpy as np

from clapp_neuro.reproduce.intervals import interval


def kept_of_means(way: dict[str, Any]) -> list[float]:
    """(chip − untrained) / (float − untrained), of the means over the seeds, by layer."""
    kept, gained = _gains(way)
    return list(kept.mean(0) / gained.mean(0))


def interval_of_kept(way: dict[str, Any]) -> list[float]:
    """Half width of the 95 % interval of `kept_of_means`, by layer; 0 for a single seed.

    A ratio R of means has, to first order, the error of the mean of kept − R gained, over the mean
    of what was gained. Seeds are paired.
    """
    kept, gained = _gains(way)
    ratio = kept.mean(0) / gained.mean(0)
    rest = kept - ratio * gained
    return [
        interval(list(layer)) / abs(gain)
        for layer, gain in zip(rest.T, gained.mean(0), strict=True)
    ]


def _gains(way: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    before, known, chip = (np.array(way[k]) for k in ("untrained", "online", "accuracy"))
    return chip - before, known - before
