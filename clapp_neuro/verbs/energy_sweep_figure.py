"""Accuracy against energy of a sweep, with the Pareto front, as PNG."""

from __future__ import annotations

import os
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from clapp_neuro.errors import InputError
from clapp_neuro.reproduce.figures import COLOURS, MARKERS, save
from clapp_neuro.verbs.energy_sweep import ENERGIES, Sweep

TITLES = {"inference": "looking at an image", "learning": "looking and learning"}


def plot_sweep(result: Sweep, path: str | os.PathLike[str]) -> Path:
    """Colours are widths, markers time steps, sizes margins; lines lead along the fronts.

    InputError where no network of the sweep has succeeded.
    """
    if not result.points:
        raise InputError("no network of the sweep could be trained and compiled: nothing to draw")
    figure = Figure(figsize=(11, 5), layout="constrained")
    widths = sorted({p.widths for p in result.points})
    steps = sorted({p.steps for p in result.points})
    margins = sorted({p.margin for p in result.points})
    axes = figure.subplots(1, len(ENERGIES), sharey=True)
    for side, kind in zip(axes, ENERGIES, strict=True):
        for point in result.points:
            low, value, high = getattr(point, kind)
            least, accuracy, most = (100 * a for a in point.accuracy)
            side.errorbar(
                [value],
                [accuracy],
                xerr=[[value - low], [high - value]],
                yerr=[[accuracy - least], [most - accuracy]],
                fmt=MARKERS[steps.index(point.steps)],
                color=COLOURS[widths.index(point.widths)],
                markersize=5 + 3 * margins.index(point.margin),
                elinewidth=0.6,
                alpha=0.8,
            )
        front = [p for p in result.points if p.setting in result.fronts[kind]]
        front.sort(key=lambda p: getattr(p, kind)[1])
        best = [(getattr(p, kind)[1], 100 * p.accuracy[1]) for p in front]
        side.plot(*zip(*best, strict=True), "k--", linewidth=1, label="Pareto front")
        side.set_xscale("log")
        side.xaxis.set_minor_formatter(NullFormatter())  # so narrow a range would label them all
        side.set_xlabel(f"dynamic energy of {TITLES[kind]}, J (90 % band)")
        side.grid(alpha=0.3)
    for number, width in enumerate(widths):
        label = f"neurons {'-'.join(map(str, width))}"
        axes[0].plot([], [], "o", color=COLOURS[number], label=label)
    for number, time in enumerate(steps):
        axes[0].plot([], [], MARKERS[number], color="grey", label=f"{time} time steps")
    for number, margin in enumerate(margins):
        size = 5 + 3 * number
        axes[0].plot([], [], "o", color="grey", markersize=size, label=f"margin {margin:g}")
    axes[0].set_ylabel("test accuracy of a readout, percent")
    axes[0].legend(fontsize=8)
    figure.suptitle(f"{result.machine} (assumed coefficients), {result.source}", fontsize=9)
    return save(figure, path)
