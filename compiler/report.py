"""What a pass did and what precision it cost: the lines that `compile` prints."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Note:
    """One fact: which pass, about what, in words; `cost` is the share of precision lost, if any."""

    stage: str
    subject: str
    text: str
    cost: float | None = None

    def __str__(self) -> str:
        return f"{self.stage:10} {self.subject:26} {self.text}"
