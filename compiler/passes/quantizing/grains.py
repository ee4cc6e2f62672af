"""The steps in which a machine's numbers of somata come: decays, thresholds and biases.

A threshold is a mantissa shifted left; a bias a mantissa times a power of two, the smallest one
that lets the mantissa hold it. Without limits every whole number that engines hold is possible.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from compiler.program import DECAY_ONE
from compiler.targets.limits import Limits

Grain = Callable[[np.ndarray], np.ndarray]
"""The step for each of some values."""


def of_one(values: np.ndarray) -> np.ndarray:
    """Every whole number is possible."""
    return np.ones_like(values)


@dataclass(frozen=True)
class Grains:
    """Steps of decays in 1/4096, and of thresholds and biases in units of the potential."""

    decay: int
    threshold: Grain
    bias: Grain


def grains_of(limits: Limits | None) -> Grains:
    """The steps that a machine's limits leave."""
    if limits is None:
        return Grains(1, of_one, of_one)
    decay = 1
    if limits.decay_bits is not None:
        decay = max(1, DECAY_ONE >> int(limits.decay_bits.value))
    shift = 0 if limits.threshold_shift is None else int(limits.threshold_shift.value)

    def threshold(values: np.ndarray) -> np.ndarray:
        return np.full_like(values, 2.0**shift)

    def bias(values: np.ndarray) -> np.ndarray:
        if limits.bias_bits is None:
            return of_one(values)
        # one unit of room, as rounding up may need another digit
        most = 2.0**limits.bias_bits.value - 1
        exponents = np.ceil(np.log2(np.maximum(np.abs(values) / most, 1.0)))
        step: np.ndarray = 2.0**exponents
        return step

    return Grains(decay, threshold, bias)
