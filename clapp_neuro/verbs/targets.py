"""`targets`: the machines that programs can be compiled for, and the limits of one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from compiler.targets import NeuromorphicMachine, load_target, target_names
from compiler.targets.figures import Capability, Figure, whole_of


@dataclass(frozen=True)
class TargetRow:
    """One target: what it is called, what it is, what one core and the machine hold."""

    name: str
    machine: NeuromorphicMachine
    backend: str

    def limits(self) -> list[tuple[str, ...]]:
        """A row for each limit: key, what it is, value with band and unit, grade, source.

        Where nothing is published, the grade says so: the value is a choice.
        """
        limits = self.machine.limits
        rows = []
        for key in type(limits).model_fields:
            figure, whole = getattr(limits, key), whole_of(type(limits), key)
            assert whole is not None, "every limit says what it counts"
            shown = _shown(figure) if isinstance(figure, Figure) else ("not limited", "–", "–")
            rows.append((key, whole.what, *shown))
        return rows

    def capabilities(self) -> list[tuple[str, ...]]:
        """A row for each capability: key, yes or no, grade, source."""
        capabilities = self.machine.capabilities
        return [
            (key, "yes" if c.value else "no", _grade(c), c.source)
            for key in type(capabilities).model_fields
            for c in [getattr(capabilities, key)]
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain data, with every limit's value, bounds, grade and source."""
        return {
            "name": self.name,
            "backend": self.backend,
            "machine": self.machine.model_dump(mode="json"),
        }


def targets(name: str | None = None) -> tuple[TargetRow, ...]:
    """All targets that ship, or the one of that name or machine file.

    Raises InputError for an unknown name and for a broken file.
    """
    rows = (load_target(n) for n in (target_names() if name is None else (name,)))
    return tuple(TargetRow(t.name, t.machine, t.backend) for t in rows)


def _shown(figure: Figure) -> tuple[str, ...]:
    """Value with its band where it has one, and unit; grade; source."""
    value = f"{figure.value:,.10g}"
    if figure.low != figure.high:
        value += f" [{figure.low:,.10g} – {figure.high:,.10g}]"
    return f"{value} {figure.unit}", _grade(figure), figure.source


def _grade(figure: Figure | Capability) -> str:
    return figure.grade if figure.public else f"{figure.grade}, not public"
