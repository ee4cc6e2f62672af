"""Numbers of machine files: each with its band, unit, grade and source."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

Grade = Literal["A", "B", "C"]
SECTIONS = ("energy", "power", "time")
MOST = 2**40  # more cores, neurons or bytes than any machine has; integers stay exact in floats


class Part(BaseModel):
    """Base of all parts: frozen, finite, and no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Figure(Part):
    """A number with its band, unit, grade (A measured, B vendor, C derived) and source.

    `public=False` marks a conservative choice where nothing is published.
    """

    value: float
    low: float
    high: float
    unit: str
    grade: Grade
    source: str
    public: bool = True

    @model_validator(mode="after")
    def _ordered(self) -> Figure:
        if not 0 <= self.low <= self.value <= self.high:
            band = f"{self.low:g}, {self.value:g}, {self.high:g}"
            raise ValueError(f"0 <= low <= value <= high must hold, not {band}")
        return self


class Measure(Figure):
    """A coefficient, and the conditions under which it holds: voltage, process, load.

    `factor` names one of the machine's factors that multiplies it, as it does others: an error
    that they share, such as that of the fit which gave them all.
    """

    conditions: str
    factor: str | None = None


def _coefficient_path(path: str) -> str:
    if len(path.split(".")) != 3 or path.split(".")[1] not in SECTIONS:
        raise ValueError(f"'{path}' is no coefficient: use machine.energy.name, or power, or time")
    return path


class Derived(Part):
    """A coefficient of which nothing is published: `like` another one, times a named factor.

    `like` is machine.section.name of a machine that ships, or of this one.
    """

    like: Annotated[str, AfterValidator(_coefficient_path)]
    factor: str
    source: str
    conditions: str


class Missing(Part):
    """A figure that nobody published; `missing` says so in words. Never read as zero."""

    missing: str


class Included(Part):
    """An event whose cost is part of another published figure."""

    included_in: str


Coefficient = Measure | Derived | Missing | Included


def whole(low: int, high: int) -> Callable[[Figure], Figure]:
    """A check that the value is a whole number in low..high; ValueError says so."""

    def checked(figure: Figure) -> Figure:
        if not (low <= figure.value <= high and figure.value.is_integer()):
            raise ValueError(
                f"{figure.value:.10g} is not possible, use a whole number from {low} to {high}"
            )
        return figure

    return checked
