"""A comparison of machines as CSV and as a figure."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

from matplotlib.figure import Figure

from clapp_neuro.files import write_whole
from clapp_neuro.reproduce.figures import COLOURS, MARKERS, save
from clapp_neuro.verbs.energy import EnergyResult
from compiler.energy import Band, Estimate, Lines, Measured
from compiler.energy.estimate import TITLES

COLUMNS = ("machine", "variant", "phase", "line", "value", "low", "high", "unit", "grade", "note")


def write_csv(result: EnergyResult, path: str | os.PathLike[str]) -> Path:
    """One row a machine, phase and line, for one image; InputError where it cannot be written.

    A line without a figure has its reason as the note; phases are inference and learning, which
    holds the inference beside it.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for estimate in _estimates(result):
        for phase, lines in _phases(estimate):
            for name in TITLES:
                line = getattr(lines, name)
                start = (estimate.machine, estimate.variant, phase, name)
                if isinstance(line, Band):
                    figures = (line.value, line.low, line.high, line.unit, line.grade)
                    derived = ", ".join(estimate.derived_from)
                    note = f"derived from {derived}" if derived else ""
                    writer.writerow((*start, *figures, note))
                else:
                    writer.writerow((*start, "", "", "", "", "", str(line)))
    return write_whole(path, lambda file: file.write(text.getvalue().encode()))


def plot(result: EnergyResult, path: str | os.PathLike[str]) -> Path:
    """Dynamic energy of an image on each machine with its 90 % band, logarithmic, as PNG."""
    estimates = _estimates(result)[::-1]
    figure = Figure(figsize=(8, 1.6 + 0.42 * len(estimates)), layout="constrained")
    axes = figure.add_subplot()
    for number, phase in enumerate(("inference", "learning")):
        rows, bands = [], []
        for row, estimate in enumerate(estimates):
            line = dict(_phases(estimate)).get(phase)
            if line is not None and isinstance(line.dynamic, Band):
                rows.append(row + 0.12 - 0.24 * number)
                bands.append(line.dynamic)
        values = [band.value for band in bands]
        apart = [
            [value - band.low for value, band in zip(values, bands, strict=True)],
            [band.high - value for value, band in zip(values, bands, strict=True)],
        ]
        label = "inference" if number == 0 else "learning, inference included"
        marker, colour = MARKERS[number], COLOURS[number]
        axes.errorbar(values, rows, xerr=apart, label=label, fmt=marker, color=colour, capsize=3)
    measured = (*result.here.cpu.values(), *result.here.gpu.values())
    shown = [m.value for m in measured if isinstance(m, Measured) and m.value > 0]
    if shown:
        axes.plot(shown, [-0.8] * len(shown), "*", color=COLOURS[2], label="measured here")
    axes.set_xscale("log")
    axes.set_yticks(range(len(estimates)), [e.label for e in estimates])
    axes.set_xlabel("dynamic energy of an image, J (90 % band)")
    figure.suptitle(f"{result.images} images from {result.source}\n{result.accuracy}", fontsize=9)
    axes.grid(axis="x", alpha=0.3)
    axes.legend(fontsize=8)
    return save(figure, path)


def _estimates(result: EnergyResult) -> tuple[Estimate, ...]:
    return (result.estimate,) if result.comparison is None else result.comparison.estimates


def _phases(estimate: Estimate) -> list[tuple[str, Lines]]:
    """Lines of one image by phase."""
    phases = (("inference", estimate.inference), ("learning", estimate.sample))
    return [(name, lines.each(estimate.images)) for name, lines in phases if lines is not None]
