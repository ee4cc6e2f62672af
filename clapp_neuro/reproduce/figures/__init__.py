"""The paper's figures: how all of them look, and how they reach the disk.

Figures are plain `matplotlib.figure.Figure` objects drawn by Agg: no window, no pyplot, nothing
global that a program that imports this would find changed.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from clapp_neuro.files import picture_kind, write_whole

DPI = 150
WITHOUT_TIME = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
"""By kind of file, what matplotlib would otherwise write about its version or the time."""

COLOURS = (
    "#3f90da",
    "#ffa90e",
    "#bd1f01",
    "#94a4a2",
    "#832db6",
    "#a96b59",
    "#e76300",
    "#b9ac70",
    "#717581",
    "#92dadd",
)
"""Ten colours that people with colour vision deficiencies tell apart (Petroff 2021,
arXiv:2107.02270)."""

MARKERS = "os^Dv*P<X>phd"
"""Thirteen, no multiple of ten: what shares a colour has another marker."""


def look(number: int) -> dict[str, Any]:
    """Colour and marker of the line or class with this number, from 0."""
    return {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)]}


def save(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Write a figure as PNG, SVG or PDF, by the name's ending, whole or not at all.

    The bytes depend on the figure, matplotlib and its settings, not on time or place. Raises
    InputError for other endings, and where the system refuses to write.
    """
    kind = picture_kind(path)
    FigureCanvasAgg(figure)  # takes the place of the figure's canvas, whatever it was
    # first into memory: Pillow's writer turns a full disk into an error of its own
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "clapp-neuro"}):  # else its names are random
        figure.savefig(buffer, format=kind, dpi=DPI, metadata=WITHOUT_TIME[kind])
    return write_whole(path, lambda file: file.write(buffer.getbuffer()))
