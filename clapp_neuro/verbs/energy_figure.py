"""A comparison of machines as a figure."""

from __future__ import annotations

import os
from pathlib import Path

from matplotlib.figure import Figure

from clapp_neuro.reproduce.figures import COLOURS, MARKERS, save
from clapp_neuro.verbs.energy import EnergyResult
from compiler.energy import Band, Measured


def plot(result: EnergyResult, path: str | os.PathLike[str]) -> Path:
    """Dynamic energy of an image on each machine with its 90 % band, logarithmic, as PNG."""
    estimates = result.estimates[::-1]
    figure = Figure(figsize=(8, 1.6 + 0.42 * len(estimates)), layout="constrained")
    axes = figure.add_subplot()
    for number, phase in enumerate(("inference", "learning")):
        rows, bands = [], []
        for row, estimate in enumerate(estimates):
            line = dict(estimate.phases()).get(phase)
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
