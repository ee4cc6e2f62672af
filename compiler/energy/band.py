"""A quantity with its 90 % band, grade and source; or the statement that nobody published it.

A band carries the draws that it comes from, so that sums, products and ratios of quantities which
share a coefficient share its error as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from compiler.energy.draws import QUANTILES, draw
from compiler.targets.figures import Figure

PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"))
SMALL_PREFIXES = ((1e-9, "n"), (1e-12, "p"), (1e-15, "f"))


@dataclass(frozen=True, eq=False)
class Band:
    """A value, the same with all coefficients drawn anew, and the worst grade of its parts.

    `value` is what the coefficients' own values give, not the draws' mean.
    """

    value: float
    samples: np.ndarray = field(repr=False)  # (SAMPLES,), all of them the value where it is exact
    unit: str
    grade: str
    source: str

    @classmethod
    def of(cls, figure: Figure, key: str, seed: int = 0) -> Band:
        """The band of one figure; `key` names it among all figures."""
        f = figure
        samples = draw(f.value, f.low, f.high, key, seed)
        return cls(f.value, samples, f.unit, f.grade, f.source)

    @property
    def low(self) -> float:
        """5 % of the draws lie below it; never above the value."""
        return min(self.value, float(np.quantile(self.samples, QUANTILES[0])))

    @property
    def high(self) -> float:
        """5 % of the draws lie above it; never below the value."""
        return max(self.value, float(np.quantile(self.samples, QUANTILES[1])))

    def __add__(self, other: Band) -> Band:
        return Band(
            self.value + other.value,
            self.samples + other.samples,
            self.unit,
            max(self.grade, other.grade),
            self._sources(other),
        )

    def scaled(self, factor: float) -> Band:
        """The band of `factor` such quantities; the factor (>= 0) is taken as exact."""
        scaled = self.samples * factor
        return Band(self.value * factor, scaled, self.unit, self.grade, self.source)

    def times(self, other: Band, unit: str) -> Band:
        """The product of two uncertain quantities, in `unit`."""
        grade = max(self.grade, other.grade)
        product = self.samples * other.samples
        return Band(self.value * other.value, product, unit, grade, self._sources(other))

    def over(self, other: Band) -> Band:
        """The ratio to another quantity: what both have in common cancels in every draw.

        ZeroDivisionError where the other's value is 0, or all that was drawn of it may be.
        """
        if other.value == 0 or not np.any(other.samples > 0):
            raise ZeroDivisionError("the ratio to a quantity of 0")
        least = float(other.samples[other.samples > 0].min())
        ratio = self.samples / np.maximum(other.samples, least)
        grade = max(self.grade, other.grade)
        return Band(self.value / other.value, ratio, "", grade, self._sources(other))

    def __str__(self) -> str:
        scale, prefix = _prefix(self.value or self.high) if self.unit else (1.0, "")
        low, value, high = (digits(x / scale) for x in (self.low, self.value, self.high))
        unit = f" {prefix}{self.unit}" if self.unit else ""
        return f"{value}{unit} [{low} – {high}] {self.grade}"

    def to_json(self) -> dict[str, Any]:
        """Plain data, without the draws."""
        names = ("value", "low", "high", "unit", "grade", "source")
        return {name: getattr(self, name) for name in names}

    def _sources(self, other: Band) -> str:
        both = [*self.source.split("; "), *other.source.split("; ")]
        return "; ".join(dict.fromkeys(both))


@dataclass(frozen=True)
class NotPublished:
    """A line that cannot be estimated, and why; `parts` are what it lacks.

    It is never zero, and a sum with it is not published either.
    """

    reason: str
    parts: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.reason

    def to_json(self) -> dict[str, Any]:
        """Plain data: `value` is null."""
        nothing = {"value": None, "low": None, "high": None}
        return {**nothing, "reason": self.reason, "parts": list(self.parts)}


@dataclass(frozen=True)
class Within:
    """A line whose cost is part of another published figure: a sum goes on without it."""

    other: str

    def __str__(self) -> str:
        return f"in {self.other.replace('_', ' ')}"

    def to_json(self) -> dict[str, Any]:
        """Plain data: `value` is null."""
        return {"value": None, "low": None, "high": None, "reason": str(self)}


Line = Band | NotPublished | Within


def total(lines: Sequence[Line]) -> Line:
    """The sum of lines, or the reasons why there is none; ValueError for no lines."""
    unknown = [x for x in lines if isinstance(x, NotPublished)]
    bands = [x for x in lines if isinstance(x, Band)]
    if unknown:
        reasons = dict.fromkeys(x.reason for x in unknown)
        parts = dict.fromkeys(part for x in unknown for part in x.parts)
        return NotPublished("; ".join(reasons), tuple(parts))
    if bands:
        result = bands[0]
        for band in bands[1:]:
            result = result + band
        return result
    if not lines:
        raise ValueError("a sum of no lines has no unit")
    return lines[0]


def scaled(line: Line, factor: float) -> Line:
    """A line times an exact factor; what is not published stays so."""
    return line.scaled(factor) if isinstance(line, Band) else line


def product(one: Line, other: Line, unit: str) -> Line:
    """The product of two lines, or why there is none."""
    for line in (one, other):
        if not isinstance(line, Band):
            return line
    assert isinstance(one, Band) and isinstance(other, Band)
    return one.times(other, unit)


def _prefix(value: float) -> tuple[float, str]:
    for scale, prefix in (*PREFIXES, *SMALL_PREFIXES):
        if value >= scale:
            return scale, prefix
    return (1.0, "") if value == 0 else SMALL_PREFIXES[-1]


def digits(x: float) -> str:
    """A number with two or three digits."""
    if x == 0:
        return "0"
    return f"{x:,.0f}" if x >= 100 else f"{x:.2g}" if x < 10 else f"{x:.3g}"
