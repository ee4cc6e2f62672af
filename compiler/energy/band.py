"""A quantity with its band, grade and source; or the statement that nobody published it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from compiler.targets import Figure

PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"))
SMALL_PREFIXES = ((1e-9, "n"), (1e-12, "p"), (1e-15, "f"))


@dataclass(frozen=True)
class Band:
    """`value` between `low` and `high`; the grade of a sum is its worst part's.

    Bounds of a sum are the sums of the bounds: errors of coefficients are taken as going the same
    way, which is the widest that they can go.
    """

    value: float
    low: float
    high: float
    unit: str
    grade: str
    source: str

    @classmethod
    def of(cls, figure: Figure) -> Band:
        """The band of one figure of a machine."""
        f = figure
        return cls(f.value, f.low, f.high, f.unit, f.grade, f.source)

    def __add__(self, other: Band) -> Band:
        sources = self.source.split("; ")
        sources += [s for s in other.source.split("; ") if s not in sources]
        return Band(
            self.value + other.value,
            self.low + other.low,
            self.high + other.high,
            self.unit,
            max(self.grade, other.grade),
            "; ".join(sources),
        )

    def scaled(self, factor: float) -> Band:
        """The band of `factor` such quantities; the factor (>= 0) is taken as exact."""
        low, high = self.low * factor, self.high * factor
        return Band(self.value * factor, low, high, self.unit, self.grade, self.source)

    def times(self, other: Band, unit: str) -> Band:
        """The product of two uncertain quantities, in `unit`."""
        product = self + other  # joins grade and source
        return Band(
            self.value * other.value,
            self.low * other.low,
            self.high * other.high,
            unit,
            product.grade,
            product.source,
        )

    def __str__(self) -> str:
        scale, prefix = _prefix(self.value or self.high)
        low, value, high = (_digits(x / scale) for x in (self.low, self.value, self.high))
        return f"{value} {prefix}{self.unit} [{low} – {high}]"

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


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


Line = Band | NotPublished


def total(lines: list[Line]) -> Line:
    """The sum of lines, or the reasons why there is none."""
    unknown = [x for x in lines if isinstance(x, NotPublished)]
    bands = [x for x in lines if isinstance(x, Band)]
    if unknown:
        reasons = dict.fromkeys(x.reason for x in unknown)
        parts = dict.fromkeys(part for x in unknown for part in x.parts)
        return NotPublished("; ".join(reasons), tuple(parts))
    if not bands:
        raise ValueError("a sum of no lines has no unit")
    result = bands[0]
    for band in bands[1:]:
        result = result + band
    return result


def scaled(line: Line, factor: float) -> Line:
    """A line times an exact factor; what is not published stays so."""
    return line.scaled(factor) if isinstance(line, Band) else line


def _prefix(value: float) -> tuple[float, str]:
    for scale, prefix in (*PREFIXES, *SMALL_PREFIXES):
        if value >= scale:
            return scale, prefix
    return (1.0, "") if value == 0 else SMALL_PREFIXES[-1]


def _digits(x: float) -> str:
    if x == 0:
        return "0"
    return f"{x:,.0f}" if x >= 100 else f"{x:.2g}" if x < 10 else f"{x:.3g}"
