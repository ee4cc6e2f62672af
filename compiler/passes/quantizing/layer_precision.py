"""What rounding made of a layer, in numbers: the figures that `compile` shows and writes."""

from __future__ import annotations

from dataclasses import dataclass

from compiler.passes.quantizing.rate_shift import RateShift


@dataclass(frozen=True)
class LayerPrecision:
    """Units and errors of one population of LIF neurons.

    unit: what an integer weight onto its somata counts in the source's unit; exponent: a weight
    counts 2^(6 + exponent) units of the potential. threshold and decay: errors, relative to the
    norm and the largest one. rate: the shift of the firing rate that rounding will cause, None for
    what never spikes. potential, threshold_distance: the bounds of
    `compiler.passes.quantizing.deviation.Deviation`, the largest of all neurons; None where weights
    learn. lowest_threshold: in the same unit; None for what never spikes.
    """

    population: str
    unit: float
    exponent: int
    threshold: float | None
    decay: float
    rate: RateShift | None
    potential: float | None
    threshold_distance: float | None
    lowest_threshold: float | None

    @property
    def in_thresholds(self) -> float | None:
        """How near a potential has to come, as a share of the lowest threshold."""
        if self.threshold_distance is None or not self.lowest_threshold:
            return None
        return self.threshold_distance / self.lowest_threshold
