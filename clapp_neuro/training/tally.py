"""What training reports: loss, open gates and firing rates, averaged over stretches of the run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LayerReport:
    """Means over a stretch of training.

    loss: Eq. 3, untrained about 1. gate: fraction of fixations that changed weights.
    rate: mean activity z.
    """

    loss: float
    gate: float
    rate: float


@dataclass(frozen=True)
class Stretch:
    """The steps (first, last] of a run, and one report a layer."""

    first: int
    last: int
    layers: tuple[LayerReport, ...]


class Tally:
    """Running sums since the last `take`."""

    def __init__(self, layers: int, start: int) -> None:
        self.layers = layers
        self._begin(start)

    def _begin(self, step: int) -> None:
        self.first = step
        self.count = 0
        self.sums = [[0.0, 0.0, 0.0] for _ in range(self.layers)]

    def add(self, layer: int, loss: float, gate: float, rate: float) -> None:
        """Add one layer's values of one step; layers count from 0."""
        sums = self.sums[layer]
        sums[0] += loss
        sums[1] += gate
        sums[2] += rate
        if layer == 0:
            self.count += 1

    def take(self, step: int) -> Stretch:
        """The means up to `step`; what follows is counted anew."""
        count = max(1, self.count)
        reports = tuple(LayerReport(*(value / count for value in sums)) for sums in self.sums)
        stretch = Stretch(self.first, step, reports)
        self._begin(step)
        return stretch
