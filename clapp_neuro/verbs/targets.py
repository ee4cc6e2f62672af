"""`targets`: the machines that programs can be compiled for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from compiler.targets import NeuromorphicMachine, load_target, target_names


@dataclass(frozen=True)
class TargetRow:
    """One target: what it is called, what it is, what one core and the machine hold."""

    name: str
    machine: NeuromorphicMachine
    backend: str

    def to_json(self) -> dict[str, Any]:
        """Plain data, with every limit's value, bounds, grade and source."""
        return {
            "name": self.name,
            "backend": self.backend,
            "machine": self.machine.model_dump(mode="json"),
        }


def targets() -> tuple[TargetRow, ...]:
    """All targets that ship."""
    rows = (load_target(name) for name in target_names())
    return tuple(TargetRow(t.name, t.machine, t.backend) for t in rows)
