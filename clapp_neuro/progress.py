"""Progress of long work: a bar on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

Report = Callable[[int, int, str], None]
"""report(done, total, note): what long-running functions call now and then."""

SECONDS_BETWEEN_LINES = 5.0


def silent(done: int, total: int, note: str) -> None:
    """A `Report` for callers that want to see nothing."""


@contextmanager
def track(description: str) -> Iterator[Report]:
    """A `Report` that writes to standard error, so that results on standard output stay clean."""
    if sys.stderr.isatty():
        with _bar(description) as report:
            yield report
    else:
        yield _lines(description)


@contextmanager
def _bar(description: str) -> Iterator[Report]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(description, total=None, note="")

        def report(done: int, total: int, note: str) -> None:
            progress.update(task, completed=done, total=total, note=note)

        yield report


def _lines(description: str) -> Report:
    last = time.monotonic()

    def report(done: int, total: int, note: str) -> None:
        nonlocal last
        now = time.monotonic()
        if done >= total or now - last >= SECONDS_BETWEEN_LINES:
            last = now
            print(f"{description}: {done}/{total} {note}".rstrip(), file=sys.stderr, flush=True)

    return report
