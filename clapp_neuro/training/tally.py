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


def last_fifth(history: tuple[Stretch, ...], first: int, step: int) -> tuple[LayerReport, ...]:
    """Means of each layer over the last fifth of the steps from `first` to `step`."""
    late = [s for s in history if s.last > step - max(1, (step - first) // 5)]
    if not late:
        return ()
    sizes = [s.last - s.first for s in late]
    return tuple(
        LayerReport(
            *(
                sum(
                    size * getattr(s.layers[layer], name)
                    for size, s in zip(sizes, late, strict=True)
                )
                / sum(sizes)
                for name in ("loss", "gate", "rate")
            )
        )
        for layer in range(len(late[0].layers))
    )


def note(stretch: Stretch) -> str:
    """A stretch in one line of a progress report."""
    losses = " ".join(f"{layer.loss:.3f}" for layer in stretch.layers)
    gates = " ".join(f"{100 * layer.gate:.0f}%" for layer in stretch.layers)
    rates = " ".join(f"{layer.rate:.3f}" for layer in stretch.layers)
    return f"loss {losses}, gate open {gates}, activity {rates}"
