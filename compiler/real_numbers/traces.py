"""Traces of presynaptic spikes in real numbers, as `compiler.ir.PreTraces` defines them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from compiler.ir import PreTraces, Quantity, Schedule

Heard = Mapping[Quantity, np.ndarray]
"""What synapses know of their presynaptic neurons, (N,): count and previous count."""


@dataclass
class RealTraces:
    """The traces of one population, fixation after fixation; `kept` are X^ (2, N), from 0 on."""

    traces: PreTraces
    schedule: Schedule
    kept: np.ndarray = field(default_factory=lambda: np.zeros((2, 1)))

    def fixation(self, spikes: np.ndarray) -> Heard:
        """One more presentation, spikes (T, N)."""
        taus = np.array([self.traces.fast, self.traces.slow])[:, None]
        age = np.arange(len(spikes) - 1, -1, -1)
        share = np.exp(-age / taus)
        left = np.exp(-(self.schedule.steps + self.schedule.rest) / taus)
        self.kept = left * self.kept + share @ spikes / share.sum(1, keepdims=True)
        fast, slow = self.kept
        before = (slow - fast) / (left[1] - left[0])
        return {Quantity.COUNT: fast, Quantity.PREVIOUS_COUNT: before}


def encoded(intensities: np.ndarray, steps: int) -> np.ndarray:
    """The spikes (T, N) of an input that is shown 8-bit intensities (N,); `ir.Population`."""
    reached = (intensities.astype(np.int64) * np.arange(steps + 1)[:, None] + 128) >> 8
    return np.diff(reached, axis=0)
