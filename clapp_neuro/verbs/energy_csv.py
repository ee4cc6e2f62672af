"""A comparison of machines, or the points of a sweep, as CSV."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from pathlib import Path

from clapp_neuro.files import write_whole
from clapp_neuro.verbs.energy import EnergyResult
from clapp_neuro.verbs.energy_here import phase_of
from clapp_neuro.verbs.energy_sweep import ENERGIES, Sweep
from compiler.energy import Band, Measured
from compiler.energy.estimate import TITLES

COLUMNS = ("machine", "variant", "phase", "line", "value", "low", "high", "unit", "grade", "note")
BOUNDS = ("low", "value", "high")
SWEEP = (
    *("setting", "steps", "widths", "margin", "lowest accuracy", "accuracy", "highest accuracy"),
    *(
        column
        for kind in ENERGIES
        for column in (*(f"{kind} {b}" for b in BOUNDS), f"{kind} front")
    ),
)


def write_csv(result: EnergyResult, path: str | os.PathLike[str]) -> Path:
    """One row a machine, phase and line, for one image; InputError where it cannot be written.

    A line without a figure has its reason as the note; phases are inference and learning, which
    holds the inference beside it. Last come the pieces of work that were measured here, or why not.
    """
    rows: list[tuple[object, ...]] = []
    for estimate in result.estimates:
        derived = ", ".join(estimate.derived_from)
        for phase, lines in estimate.phases():
            for name in TITLES:
                line = getattr(lines, name)
                start = (estimate.machine, estimate.variant, phase, name)
                if isinstance(line, Band):
                    figures = (line.value, line.low, line.high, line.unit, line.grade)
                    rows.append((*start, *figures, f"derived from {derived}" if derived else ""))
                else:
                    rows.append((*start, "", "", "", "", "", str(line)))
    for machine, found in (("this CPU", result.here.cpu), ("this GPU", result.here.gpu)):
        for what, work in found.items():
            start = (machine, what, phase_of(what), "measured")
            if isinstance(work, Measured):
                rows.append((*start, work.value, work.low, work.high, "J", "A", work.what))
            else:
                rows.append((*start, "", "", "", "", "", str(work)))
    return _write(COLUMNS, rows, path)


def write_sweep_csv(result: Sweep, path: str | os.PathLike[str]) -> Path:
    """One row a setting: accuracy of the seeds in 0..1, joules an image, and 1 on the front."""
    rows = []
    for point in result.points:
        row: list[object] = [point.setting, point.steps, "-".join(map(str, point.widths))]
        row += [point.margin, *point.accuracy]
        for kind in ENERGIES:
            row += [*getattr(point, kind), int(point.setting in result.fronts[kind])]
        rows.append(tuple(row))
    return _write(SWEEP, rows, path)


def _write(
    header: tuple[str, ...], rows: Iterable[tuple[object, ...]], path: str | os.PathLike[str]
) -> Path:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([header, *rows])
    return write_whole(path, lambda file: file.write(text.getvalue().encode()))
