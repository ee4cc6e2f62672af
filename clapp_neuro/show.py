"""How results are shown: tables on standard output, JSON into a file."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from clapp_neuro.files import write_whole
from clapp_neuro.progress import follows

PLAIN_WIDTH = 160
"""Columns where the output is not a terminal: tables in a file should not be folded."""


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=PLAIN_WIDTH)


def table(header: Sequence[str], rows: Iterable[Sequence[str]], red: Collection[int] = ()) -> None:
    """Print a table; cells are plain text, and the rows with the indices `red` are shown in red."""
    if follows():
        return
    shown = Table(box=box.SIMPLE_HEAD, header_style="bold")
    for title in header:
        shown.add_column(title, overflow="fold")
    for index, row in enumerate(rows):
        style = "red" if index in red else None
        shown.add_row(*(cell.replace("[", r"\[") for cell in row), style=style)
    _console().print(shown)


def lines(*texts: str) -> None:
    """Print each text on a line of its own."""
    if follows():
        return
    console = _console()
    for text in texts:
        console.print(text, markup=False)


def dump(path: Path | None, result: Any) -> None:
    """Write a result as JSON, whole or not at all; nothing where `path` is None.

    A number that is not finite becomes null: JSON has none, and other programs refuse the file.
    """
    if path is None or follows():
        return
    text = json.dumps(plain(result), indent=2, allow_nan=False) + "\n"
    write_whole(path, lambda file: file.write(text.encode()))


def plain(value: Any) -> Any:
    """A result as JSON holds it; TypeError where it has no such form."""
    if hasattr(value, "to_json"):
        return plain(value.to_json())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "item"):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, (str, int, float)) or value is None:
        return value
    raise TypeError(f"{type(value).__name__} has no JSON form")
