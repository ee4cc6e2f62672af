"""Draws cases until two engines disagree; then makes the case small and writes it down."""

from __future__ import annotations

import shlex
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis.database import ExampleDatabase

from fuzz.agreement import difference
from fuzz.cases import Case, cases, write_case

FOUND = Path(__file__).parents[2] / "found"
REPORT_EVERY = 100  # draws


class EnginesDisagreeError(AssertionError):
    """Names the difference, the smallest network that shows it, its file and how to run it."""


@dataclass
class Hunt:
    """Draws against one engine; `folder` is where a find is written."""

    against: str
    folder: Path = FOUND
    loud: bool = False
    began: float = field(default_factory=time.monotonic)
    drawn: int = 0
    learned: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    def look(self, case: Case | None) -> None:
        """EnginesDisagreeError where the engines do."""
        self.drawn += 1
        if self.loud and self.drawn % REPORT_EVERY == 0:
            print(self, flush=True)
        if case is None:
            return
        self.learned += case.learn and case.program.plastic
        found = difference(self.against, case)
        if found is not None:
            path = write_case(self.folder / f"{self.against}.clapp", case)
            again = f"{shlex.quote(str(path))} --against {self.against}"
            raise EnginesDisagreeError(
                f"simulator and {self.against} disagree on {case}\n  {found}\n"
                f"reproduce with: python tests/rerun_case.py {again}"
            )

    def refuse(self, reason: str) -> None:
        """Counts a network that the compiler refuses."""
        self.refused[reason] += 1

    def __str__(self) -> str:
        seconds = time.monotonic() - self.began
        return (
            f"simulator and {self.against}: {self.drawn:,} draws in {seconds:,.0f} s, "
            f"{self.learned:,} of them learned, the compiler refused {self.refused.total():,}"
        )


def hunt(
    against: str,
    draws: int,
    *,
    folder: Path = FOUND,
    database: ExampleDatabase | None = None,
    loud: bool = False,
    most: int = 6,
) -> Hunt:
    """Looks at so many cases; EnginesDisagreeError with the smallest one that shows a difference.

    `database` keeps what failed, so that the next hunt begins with it.
    """
    hunter = Hunt(against, folder, loud)
    # Lava does not run without fixations
    strategy = cases(hunter.refuse, least=int(against == "lava"), most=most)

    @settings(
        max_examples=draws,
        deadline=None,
        database=database,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(strategy)
    def look(case: Case | None) -> None:
        hunter.look(case)

    look()
    return hunter
