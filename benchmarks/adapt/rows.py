"""Cells and tables of the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from shares import half_width


def cell(values: np.ndarray) -> str:
    """Mean ± half width of the interval over the seeds."""
    text = f"{np.mean(values):.2f}"
    return text if len(values) < 2 else f"{text} ± {half_width(values):.2f}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])
