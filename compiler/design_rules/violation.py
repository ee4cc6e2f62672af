"""One limit that a program or network exceeds: by how much, and what would make it fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from compiler.targets.limits import Limits


@dataclass(frozen=True)
class Violation:
    """`node` needs `actual` of `limit` where the machine has `allowed`; capabilities are 0 or 1.

    `key` is the limit's in a machine file, and `needs` the value there that would do; empty and 0
    where no figure is exceeded.
    """

    node: str
    limit: str
    actual: float
    allowed: float
    unit: str
    remedy: str
    key: str = ""
    needs: int = 0

    @property
    def times(self) -> float:
        """How many times too much it is; a capability that is missing comes before all."""
        return self.actual / self.allowed if self.allowed else float("inf")

    @property
    def excess(self) -> float:
        """By how much the limit is exceeded, in `unit`."""
        return self.actual - self.allowed

    def __str__(self) -> str:
        if self.unit == "capability":
            return f"{self.node}: needs {self.limit}, which the machine lacks; {self.remedy}"
        unit = self.unit.removesuffix("s") if self.allowed == 1 else self.unit
        return (
            f"{self.node}: {self.limit} {self.actual:,.10g} exceeds {self.allowed:,.10g} "
            f"{unit} by {self.excess:,.10g}; {self.remedy}"
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data, with the excess."""
        return {**asdict(self), "excess": self.excess}


def over(
    node: str,
    limit: str,
    actual: float,
    limits: Limits,
    key: str,
    unit: str,
    remedy: str,
    *,
    most: float | None = None,
    needs: int | None = None,
) -> Iterator[Violation]:
    """The violation, if there is one, of the limit that has this key in a machine file.

    most: what `actual` is compared with, where that is not the figure itself. needs: the figure
    that would do, where that is not `actual`. A limit that a machine does not state binds nothing.
    """
    figure = getattr(limits, key)
    if figure is None:
        return
    allowed = figure.value if most is None else most
    note = "" if figure.public else " (limit not public)"
    if actual > allowed:
        needed = int(actual) if needs is None else needs
        yield Violation(node, limit + note, actual, allowed, unit, remedy, key, needed)


def farthest_first(violations: Iterable[Violation]) -> tuple[Violation, ...]:
    """Those that exceed their limit the most times come first."""
    return tuple(sorted(violations, key=lambda v: -v.times))
