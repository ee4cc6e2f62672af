"""`energy --sweep`: accuracy against energy over time steps, layer widths and gate thresholds.

Each network is trained online, compiled, read out, and costed while it looks at and learns from
images. Every finished one is in the results file, so that the same command goes on where it was
stopped.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any

import clapp_neuro
from clapp_neuro.data.images import ImageSet
from clapp_neuro.errors import InputError
from clapp_neuro.files import require_place, write_whole
from clapp_neuro.progress import Report, silent
from clapp_neuro.verbs.energy_looked import accuracy_of
from clapp_neuro.verbs.sight import experiment_of, gaze, images_of
from compiler.backends.simulator import simulate
from compiler.bundle import read_bundle
from compiler.energy import Band, Estimate, estimate
from compiler.passes.placing.place import place
from compiler.program import Program
from compiler.targets import load_target

PRESET = "fashion-dense"
ENERGIES = ("inference", "learning")
"""What an image costs to look at, and to look at and learn from."""


@dataclass(frozen=True)
class Grid:
    """The networks of a sweep, every combination with every seed, and how each is judged.

    fixations: of the training; images: looked at for the energy; readout: labelled images behind
    the accuracy.
    """

    steps: tuple[int, ...] = (4, 8, 16)
    widths: tuple[tuple[int, ...], ...] = ((64, 64), (128, 128), (256, 256))
    margins: tuple[float, ...] = (0.5, 1.0, 2.0)
    seeds: tuple[int, ...] = (0, 1, 2)
    fixations: int = 45_000
    images: int = 50
    readout: int = 2_000
    target: str = "loihi2-sim"

    def networks(self) -> Iterator[Network]:
        """All of them."""
        for combination in product(self.steps, self.widths, self.margins):
            for seed in self.seeds:
                yield Network(*combination, seed)


QUICK = Grid(
    steps=(4, 8),
    widths=((32, 32), (64, 64)),
    margins=(0.5, 1.0),
    seeds=(0, 1),
    fixations=3_000,
    images=20,
    readout=500,
)
"""Minutes instead of hours: which way things go, not by how much."""


@dataclass(frozen=True)
class Network:
    """One network to train: T, neurons of each layer, the gate's margin, and the seed."""

    steps: int
    widths: tuple[int, ...]
    margin: float
    seed: int

    @property
    def name(self) -> str:
        """Its key in the results."""
        return f"{self.setting}, seed {self.seed}"

    @property
    def setting(self) -> str:
        """What networks of all seeds have in common."""
        return f"T {self.steps}, {'-'.join(map(str, self.widths))}, margin {self.margin:g}"


@dataclass(frozen=True)
class Point:
    """All seeds of one setting: accuracy in 0..1 as (lowest, mean, highest), joules an image.

    Energies are (low, value, high): the mean of the values, the outermost bounds of the 90 % bands.
    """

    setting: str
    steps: int
    widths: tuple[int, ...]
    margin: float
    accuracy: tuple[float, float, float]
    inference: tuple[float, float, float]
    learning: tuple[float, float, float]


@dataclass(frozen=True)
class Sweep:
    """What was found: a point a setting, and which of them lie on a Pareto front, by energy.

    failed: networks that could not be trained or compiled, and why.
    """

    path: Path
    source: str
    machine: str
    points: tuple[Point, ...]
    fronts: dict[str, tuple[str, ...]]
    failed: dict[str, str]

    def rows(self) -> list[tuple[str, ...]]:
        """Table rows, the most accurate first; a star where no other setting is better in both."""
        rows: list[tuple[str, ...]] = [("setting", "accuracy", *ENERGIES)]
        for point in sorted(self.points, key=lambda p: -p.accuracy[1]):
            low, middle, high = (f"{a:.1%}" for a in point.accuracy)
            cells = [f"{middle} [{low} – {high}]"]
            for kind in ENERGIES:
                least, value, most = (1e6 * joules for joules in getattr(point, kind))
                star = " *" if point.setting in self.fronts[kind] else ""
                cells.append(f"{value:.3g} µJ [{least:.3g} – {most:.3g}]{star}")
            rows.append((point.setting, *cells))
        return rows

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "path": str(self.path)}


def sweep(
    out: str | os.PathLike[str],
    grid: Grid | None = None,
    *,
    data: str | os.PathLike[str] | None = None,
    report: Report = silent,
) -> Sweep:
    """Train, compile and cost every network of the grid that the results in `out` lack.

    InputError where `out` holds something else or results of another grid, or at Ctrl-C.
    """
    grid = grid or Grid()
    path = Path(out)
    require_place(path)
    settings = json.loads(json.dumps(asdict(grid)))
    results = _stored(path, settings)
    networks = list(grid.networks())
    results.setdefault("settings", settings)
    found = results.setdefault("networks", {})
    try:
        for network in networks:
            if network.name not in found:
                found[network.name] = _result(network, grid, data)
                _write(path, results)
            report(len(found), len(networks), network.name)
    except KeyboardInterrupt:
        raise InputError(
            f"interrupted; {len(found)} of {len(networks)} networks are in '{path}', and the same "
            "command goes on with the others"
        ) from None
    return _summary(path, networks, found, load_target(grid.target).machine.title)


def pareto(points: Sequence[tuple[float, float]]) -> tuple[int, ...]:
    """Which (energy, accuracy) no other point beats: at most its energy, at least its accuracy,
    and one of the two better."""

    def beaten(energy: float, accuracy: float) -> bool:
        return any(
            e <= energy and a >= accuracy and (e < energy or a > accuracy) for e, a in points
        )

    return tuple(i for i, point in enumerate(points) if not beaten(*point))


def _stored(path: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """The results so far; InputError where they are of another sweep."""
    if not path.exists():
        return {}
    try:
        results = json.loads(path.read_text("utf-8"))
        known = results["settings"]
        whole = isinstance(known, dict) and isinstance(results["networks"], dict)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        whole = False
    if not whole:
        raise InputError(f"'{path}' is no results file of a sweep: give another --out")
    changed = next((k for k in settings if known.get(k) != settings[k]), None)
    if changed is not None:
        raise InputError(
            f"'{path}' has the results of another sweep (its {changed} differ): give another --out"
        )
    return dict(results)


def _write(path: Path, results: dict[str, Any]) -> None:
    text = json.dumps(results, indent=1) + "\n"
    write_whole(path, lambda file: file.write(text.encode()))


def _result(network: Network, grid: Grid, data: str | os.PathLike[str] | None) -> dict[str, Any]:
    """Accuracy and energy of one network, or why there are none."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            program = _compiled(network, grid, Path(folder), data)
        seen = images_of(program, data)
        accuracy = accuracy_of(program, seen, grid.readout).chip
        costs = _costs(program, seen, grid, network.seed)
    except InputError as error:
        return {"failed": str(error)}
    return {"accuracy": accuracy, "source": seen.source, **costs}


def _compiled(
    network: Network, grid: Grid, folder: Path, data: str | os.PathLike[str] | None
) -> Program:
    experiment = clapp_neuro.with_settings(
        clapp_neuro.load_preset(PRESET),
        encoder={"steps": network.steps, "layers": network.widths},
        train={
            "mode": "online",
            "steps": grid.fixations,
            "margin": network.margin,
            "seed": network.seed,
        },
    )
    model = folder / "model.pt"
    clapp_neuro.train(experiment, model, data=data)
    clapp_neuro.compile(model, grid.target, seed=network.seed)
    return read_bundle(model.with_suffix(".clapp"))[0]


def _costs(program: Program, seen: ImageSet, grid: Grid, seed: int) -> dict[str, Any]:
    """Bands of an image's dynamic energy and total, inference and learning."""
    positions = experiment_of(program).data.positions
    machine = load_target(grid.target).machine
    events = simulate(program, gaze(program, seen, grid.images * positions, seed)).events
    found = estimate(events, place(program, machine), machine, fixations_per_image=positions)
    return {kind: _lines(found, kind) for kind in ENERGIES}


def _lines(found: Estimate, kind: str) -> dict[str, Any]:
    lines = found.inference if kind == "inference" else found.sample
    assert lines is not None  # every network of the sweep learns
    image = lines.each(found.images)
    kept = {name: getattr(image, name) for name in ("dynamic", "total")}
    return {
        name: {"low": band.low, "value": band.value, "high": band.high, "grade": band.grade}
        for name, band in kept.items()
        if isinstance(band, Band)
    }


def _summary(path: Path, networks: list[Network], found: dict[str, Any], machine: str) -> Sweep:
    """Seeds of a setting together, and the fronts."""
    groups: dict[str, list[Network]] = {}
    failed = {}
    for network in networks:
        if "failed" in found[network.name]:
            failed[network.name] = found[network.name]["failed"]
        else:
            groups.setdefault(network.setting, []).append(network)
    points = []
    for setting, same in groups.items():
        results = [found[n.name] for n in same]
        scores = [r["accuracy"] for r in results]
        bands = {kind: [r[kind]["dynamic"] for r in results] for kind in ENERGIES}
        energies = {
            kind: (
                min(b["low"] for b in some),
                mean(b["value"] for b in some),
                max(b["high"] for b in some),
            )
            for kind, some in bands.items()
        }
        spread = (min(scores), mean(scores), max(scores))
        first = same[0]
        points.append(Point(setting, first.steps, first.widths, first.margin, spread, **energies))
    fronts = {}
    for kind in ENERGIES:
        best = pareto([(getattr(p, kind)[1], p.accuracy[1]) for p in points])
        fronts[kind] = tuple(points[i].setting for i in best)
    source = next((r["source"] for r in found.values() if "source" in r), "nowhere")
    return Sweep(path, source, machine, tuple(points), fronts, failed)
