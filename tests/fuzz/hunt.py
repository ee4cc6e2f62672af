"""Draws cases until two engines disagree; then makes the case small and writes it down."""

from __future__ import annotations

import shlex
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.database import ExampleDatabase

from compiler.ir import Network
from fuzz.agreement import difference
from fuzz.cases import Case, cases, write_case

FOUND = Path(__file__).parents[2] / "found"
REPORT_EVERY = 100  # draws
SHRINKS = 1500  # cases that are looked at once one has failed; the smallest so far is then taken


class EnginesDisagreeError(AssertionError):
    """Names the difference, the smallest network that shows it, its file and how to run it."""


class _EnoughError(BaseException):
    """Ends the search for a smaller case. Hypothesis catches whatever is an Exception."""


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
    told: EnginesDisagreeError | None = None
    shrunk: int = 0

    def look(self, case: Case | None) -> None:
        """EnginesDisagreeError where the engines do; `told` keeps that of the smallest case."""
        self.drawn += 1
        self.shrunk += self.told is not None
        if self.shrunk > SHRINKS:
            raise _EnoughError
        if self.loud and self.drawn % REPORT_EVERY == 0:
            print(self, flush=True)
        if case is None:
            return
        self.learned += case.learn and case.program.plastic
        found = difference(self.against, case)
        if found is not None:
            path = write_case(self.folder / f"{self.against}.clapp", case)
            again = f"{shlex.quote(str(path))} --against {self.against}"
            self.told = EnginesDisagreeError(
                f"simulator and {self.against} disagree on {case}\n  {found}\n"
                f"reproduce with: python tests/rerun_case.py {again}"
            )
            raise self.told

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
    sources: st.SearchStrategy[Network] | None = None,
) -> Hunt:
    """Looks at so many cases; EnginesDisagreeError with the smallest one that shows a difference.

    sources: of networks, any if None. `database` keeps what failed, so that the next hunt begins
    with it. A find is made smaller for at most SHRINKS cases.
    """
    hunter = Hunt(against, folder, loud)
    # Lava does not run without fixations
    strategy = cases(hunter.refuse, least=int(against == "lava"), most=most, sources=sources)

    @settings(
        max_examples=draws,
        deadline=None,
        database=database,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        phases=set(Phase) - {Phase.explain},  # which would run as many cases again
        print_blob=False,
    )
    @given(strategy)
    def look(case: Case | None) -> None:
        hunter.look(case)

    try:
        look()
    except _EnoughError:
        assert hunter.told is not None
        raise hunter.told from None
    return hunter
