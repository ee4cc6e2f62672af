"""Figures of machines: a number with its band, unit, grade and source, or words for its absence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator, model_validator

Grade = Literal["A", "B", "C"]
SECTIONS = {"energy": "J", "power": "W", "time": "s"}
"""Sections of coefficients, and their unit."""


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
        if not self.low <= self.value <= self.high:
            band = f"{self.low:g}, {self.value:g}, {self.high:g}"
            raise ValueError(f"low <= value <= high must hold, not {band}")
        return self


class Measure(Figure):
    """A coefficient, and the conditions under which it holds: voltage, process, load.

    `factor` names one of the machine's factors that multiplies it, as it does others: an error
    that they share, such as that of the fit which gave them all.
    """

    conditions: str
    factor: str | None = None


class Derived(Part):
    """A coefficient of which nothing is published: `like` another one, times a named factor.

    `like` is machine.section.name of a machine that ships, or of this one.
    """

    like: str
    factor: str
    source: str
    conditions: str

    @field_validator("like")
    @classmethod
    def _path(cls, path: str) -> str:
        parts = path.split(".")
        if len(parts) != 3 or parts[1] not in SECTIONS:
            raise ValueError(f"'{path}' is no coefficient, give machine.energy.name (power, time)")
        return path


class Missing(Part):
    """A figure that nobody published; `missing` says so in words. Never read as zero."""

    missing: str


class Included(Part):
    """An event whose cost is part of another published figure."""

    included_in: str


Coefficient = Measure | Derived | Missing | Included


class Capability(Part):
    """Something that a machine can or cannot do."""

    value: bool
    grade: Grade
    source: str
    public: bool = True


@dataclass(frozen=True)
class Whole:
    """What a limit counts, in which units, and the whole numbers that are possible."""

    what: str
    units: tuple[str, ...]
    least: int
    most: int

    def require(self, figure: Figure) -> None:
        """ValueError with what would be possible, where the figure is not."""
        if figure.unit not in self.units:
            raise ValueError(
                f"the unit '{figure.unit}' is not possible, give the value in {self.units[0]}"
            )
        if not (self.least <= figure.value <= self.most and figure.value.is_integer()):
            raise ValueError(
                f"{figure.value:.10g} is not possible, use a whole number from "
                f"{self.least} to {self.most}"
            )


class Section(Part):
    """Figures of one kind. Those annotated with a `Whole` are counts and have to be such."""

    @field_validator("*", mode="after")
    @classmethod
    def _possible(cls, value: object, info: ValidationInfo) -> object:
        assert info.field_name is not None
        whole = whole_of(cls, info.field_name)
        if whole is not None and isinstance(value, Figure):
            whole.require(value)
        return value


class Amounts(Part):
    """Figures of one unit, none of them negative."""

    UNIT: ClassVar[str]

    @field_validator("*", mode="after")
    @classmethod
    def _possible(cls, value: object) -> object:
        if isinstance(value, Figure):
            if value.unit != cls.UNIT:
                raise ValueError(f"the unit '{value.unit}' is not possible, use '{cls.UNIT}'")
            if value.low < 0:
                raise ValueError(f"0 <= low must hold, not {value.low:g}")
        return value


def require_figures(name: str, section: Amounts, *known: Amounts) -> None:
    """ValueError where the cost of an event is part of no coefficient that stands for itself.

    Such a cost would be left out of every sum without a word. known: sections that may have it.
    """
    found = {key for part in known for key in type(part).model_fields}
    within = {key for part in known for key, of in vars(part).items() if isinstance(of, Included)}
    for key, coefficient in vars(section).items():
        if isinstance(coefficient, Included) and coefficient.included_in not in found - within:
            raise ValueError(
                f"{name}.{key} is included in '{coefficient.included_in}', which is no coefficient "
                f"of its own: give one of {', '.join(sorted(found - within))}"
            )


def whole_of(section: type[Part], name: str) -> Whole | None:
    """What a limit's annotation says of it; None where it has none."""
    found = (m for m in section.model_fields[name].metadata if isinstance(m, Whole))
    return next(found, None)
