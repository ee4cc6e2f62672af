"""What of a source cannot be taken: all of it at once, by node, with what would mend it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clapp_neuro.errors import InputError


@dataclass(frozen=True)
class Violation:
    """What of a source cannot be taken: the place, what is wrong there, and what would mend it."""

    node: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.node}: {self.what}; {self.remedy}"


class SourceError(InputError):
    """What of a source cannot be taken, and what all its nodes are, by name."""

    def __init__(
        self, text: str, violations: tuple[Violation, ...], nodes: Mapping[str, str]
    ) -> None:
        super().__init__(text)
        self.violations, self.nodes = violations, nodes


def refuse(
    where: str, violations: tuple[Violation, ...], nodes: Mapping[str, str] | None = None
) -> None:
    """SourceError that lists all violations; returns where there is none.

    nodes: kinds of all nodes by name, where more are known than are at fault.
    """
    if violations:
        count = "1 thing" if len(violations) == 1 else f"{len(violations)} things"
        lines = [f"{where} cannot be taken, for {count}:", *(f"  {v}" for v in violations)]
        raise SourceError("\n".join(lines), violations, nodes or {})
