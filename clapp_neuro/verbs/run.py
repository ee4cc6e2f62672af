"""`run`: a program on the simulator, looking at images, learning or not."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clapp_neuro.data.images import ImageSet
from clapp_neuro.errors import InputError
from clapp_neuro.progress import Report, silent
from clapp_neuro.readout import linear_readout
from clapp_neuro.verbs.sight import chip_features, experiment_of, gaze, images_of, scan
from compiler.backends.simulator import Result, infer, simulate
from compiler.bundle import read_bundle, write_bundle
from compiler.events import Events
from compiler.program import Program
from compiler.targets import load_target

PROBE_IMAGES = 20_000


@dataclass(frozen=True)
class RunResult:
    """What the chip did. Losses and gates are of the last fifth of the run, by layer."""

    source: str
    images: int
    fixations: int
    learned: bool
    rates: dict[str, float]
    loss: dict[str, float]
    gate_open: dict[str, float]
    accuracy: dict[str, float]
    events: Events
    out: Path | None

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        data = {k: v for k, v in self.__dict__.items() if k not in ("events", "out")}
        out = None if self.out is None else str(self.out)
        return {**data, "out": out, "events": self.events.to_json()}


def run(
    path: str | os.PathLike[str],
    *,
    images: int | None = None,
    learn: bool = False,
    out: str | os.PathLike[str] | None = None,
    data: str | os.PathLike[str] | None = None,
    seed: int = 0,
    probe: bool = False,
    train_images: int | None = None,
    report: Report = silent,
) -> RunResult:
    """Run a compiled program on the simulator.

    images: how many to look at (default: all of the test split, or all learning images with
    `learn`); with `learn` the chip's gaze makes as many fixations as that many images have
    positions. out: where to write the learned program. probe: linear readout of the counts, fitted
    on the first `train_images` labelled images (default: at most 20,000).
    Raises InputError for files or data that do not fit.
    """
    program, notes = read_bundle(path)
    _require_simulator(program)
    if out is not None and not learn:
        raise InputError("nothing to write: give --learn together with --out")
    if learn and not program.plastic:
        raise InputError(
            f"'{path}' has no plastic synapses: compile a model trained with the method clapp"
        )
    seen = images_of(program, data)
    available = len(seen.train_images)
    if train_images is None:
        labelled = min(PROBE_IMAGES, available)
    else:
        labelled = _at_most(train_images, available, "labelled images")
    result: Result | None = None
    if learn:
        count = _at_least_one(images, len(seen.learning_images))
        fixations = count * experiment_of(program).data.positions
        stimulus = gaze(program, seen, fixations, seed)
        result = simulate(
            program, stimulus, progress=lambda done: report(done, fixations, "fixations")
        )
        program, events = result.program, result.events
    else:
        count = _at_most(images, len(seen.test_images), "test images")
        stimulus = scan(program, seen.test_images[:count])
        fixations = stimulus.fixations
        _, events = infer(program, stimulus)
    written = write_bundle(out, program, notes) if out is not None else None
    loss, opened = _learning_curve(program, stimulus.signals, result)
    steps = program.timetable.steps
    rates = {
        p.name: p.spikes / (program.population(p.name).size * steps * fixations)
        for p in events.populations
        if program.population(p.name).soma is not None
    }
    accuracy = readout(program, seen, labelled) if probe else {}
    return RunResult(
        seen.source, count, fixations, learn, rates, loss, opened, accuracy, events, written
    )


def readout(program: Program, images: ImageSet, labelled: int) -> dict[str, float]:
    """Test accuracy in 0..1 of a linear readout of each layer's counts on the chip."""
    train_x = chip_features(program, images.train_images[:labelled])
    test_x = chip_features(program, images.test_images)
    labels = images.train_labels[:labelled]
    return {
        name: linear_readout(train_x[name], labels, test_x[name], images.test_labels)
        for name in train_x
    }


def _at_least_one(asked: int | None, available: int) -> int:
    """How many images to learn from: the gaze goes round those there are as often as asked."""
    if asked is not None and asked < 1:
        raise InputError(f"{asked} images: give at least 1")
    return available if asked is None else asked


def _at_most(asked: int | None, available: int, kind: str) -> int:
    """How many of the images to look at once each."""
    if _at_least_one(asked, available) > available:
        raise InputError(f"{asked} {kind} were asked for, there are {available}: give at most that")
    return available if asked is None else asked


def _require_simulator(program: Program) -> None:
    if not program.target.endswith(".json"):
        load_target(program.target)


def _learning_curve(
    program: Program, signals: dict[str, np.ndarray], result: Result | None
) -> tuple[dict[str, float], dict[str, float]]:
    """Hinge loss (Eq. 3) and share of open gates over the last fifth, for each gate."""
    if result is None:
        return {}, {}
    last = max(1, len(result.scores) // 5)
    loss, opened = {}, {}
    for i, gate in enumerate(program.gates):
        y = signals[gate.modulator][-last:].astype(np.float64)
        u = result.scores[-last:, i] / gate.margin
        loss[gate.population] = float(np.maximum(0.0, 1.0 - y * u).mean())
        opened[gate.population] = float((result.gates[-last:, i] != 0).mean())
    return loss, opened
