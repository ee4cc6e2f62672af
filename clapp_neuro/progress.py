"""Progress of long work: a bar on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import os
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


def follows() -> bool:
    """Whether torchrun started this process and it is not the first."""
    return os.environ.get("RANK", "0") != "0"


@contextmanager
def track(description: str) -> Iterator[Report]:
    """A `Report` that writes to standard error, so that results on standard output stay clean.

    Of several processes that torchrun started, the first one speaks for all.
    """
    if follows():
        yield silent
    elif sys.stderr.isatty():
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
    began = last = time.monotonic()
    first: int | None = None

    def report(done: int, total: int, note: str) -> None:
        nonlocal first, last
        now = time.monotonic()
        first = done if first is None else first
        if done >= total or now - last >= SECONDS_BETWEEN_LINES:
            last = now
            left = _left(now - began, done - first, total - done)
            text = f"{description}: {done}/{total} {left}{note}".rstrip()
            print(text, file=sys.stderr, flush=True)

    return report


def _left(seconds: float, done: int, missing: int) -> str:
    """The time that what is missing will take, judged by what was done in so many seconds."""
    if done <= 0 or missing <= 0:
        return ""
    minutes, rest = divmod(round(seconds * missing / done), 60)
    return f"({f'{minutes} min' if minutes else f'{rest} s'} left) "
