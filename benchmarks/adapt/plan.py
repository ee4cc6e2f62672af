"""Which measurement is made when, each once, by processes side by side."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, as_completed
from pathlib import Path
from typing import Any

import long_run
from chips import grown, home, offline, old_data
from courses import course, network, pixels, raised_there, unchanged
from scales import DEFAULT, Scale

from clapp_neuro.data.drift import NEW_CLASSES
from clapp_neuro.files import write_whole
from clapp_neuro.verbs.adapt import Setting

Found = dict[str, Any]
Job = tuple[str, int, str, Setting]
"""What, seed, drift, and how a chip of `LEARNING` learns on."""

STANDING: dict[str, Callable[[Scale, int, str, Path, str | None], Found]] = {
    "network": network,
    "native": raised_there,
    "pixels": pixels,
}
LEARNING: dict[str, Callable[[Scale, int, str, Setting, Path, str | None], Found]] = {
    "course": course,
    "unchanged": unchanged,
}


def place(folder: Path, job: Job) -> Path:
    """Where a job's result is stored."""
    what, seed, drift, setting = job
    how = f"-{setting.margin:g}-{setting.rate:g}-{setting.every}" if what in LEARNING else ""
    return folder / str(seed) / f"{what}-{drift}{how}.json"


def do(scale: Scale, job: Job, folder: Path, data: str | None) -> str:
    """Makes one measurement, if it is not there yet; its name."""
    what, seed, drift, setting = job
    path = place(folder, job)
    if not path.exists():
        began = time.process_time()
        if what == "long":
            found = long_run.measure(scale.preset, scale.long, scale.stretches, seed, data)
        elif what in LEARNING:
            found = LEARNING[what](scale, seed, drift, setting, folder, data)
        else:
            found = STANDING[what](scale, seed, drift, folder, data)
        text = json.dumps({**found, "processor_seconds": time.process_time() - began})
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, lambda file: file.write(text.encode()))
    return path.relative_to(folder).as_posix()


def raise_chip(scale: Scale, seed: int, drift: str, folder: Path, data: str | None) -> str:
    """Makes the chip that meets a change, if it is not there yet."""
    grown(scale, seed, drift, folder, data)
    return f"{seed}: a chip that has learned from {home(drift)}"


def train_offline(scale: Scale, seed: int, drift: str, folder: Path, data: str | None) -> str:
    """Makes the float network that is compared with it, if it is not there yet."""
    offline(scale, seed, drift, folder, data)
    return f"{seed}: a float network that has learned from {home(drift)}"


def everything(scale: Scale, folder: Path, data: str | None, pool: Executor) -> None:
    """All measurements, seed by seed: a run that is stopped has something to say about each."""
    homes = {home(drift): drift for drift in scale.drifts}.values()
    folder.mkdir(parents=True, exist_ok=True)
    for drift in homes:
        old_data(scale, drift, folder, data)

    def make(maker: Callable[..., str], seed: int) -> None:
        _tell(pool, maker, [(scale, seed, drift, folder, data) for drift in homes])

    def run(jobs: Iterable[Job]) -> None:
        _tell(pool, do, [(scale, job, folder, data) for job in jobs])

    for seed in scale.seeds:
        make(raise_chip, seed)
        run(("course", seed, drift, DEFAULT) for drift in scale.drifts)
        run(("course", seed, drift, scale.far) for drift in scale.far_drifts)
        run(("native", seed, drift, DEFAULT) for drift in ceilings(scale))
        run([("long", seed, "million", DEFAULT)])
    run(("pixels", scale.seeds[0], drift, DEFAULT) for drift in scale.far_drifts)
    for seed in scale.seeds:
        make(train_offline, seed)
        run(("network", seed, drift, DEFAULT) for drift in scale.drifts)
        run(("unchanged", seed, drift, DEFAULT) for drift in controls(scale))
        run(("unchanged", seed, d, scale.far) for d in controls(scale) if d != NEW_CLASSES)
    for setting in (some for some in scale.settings if some != DEFAULT):
        run(("course", seed, d, setting) for d in scale.drifts for seed in scale.seeds)


def ceilings(scale: Scale) -> list[str]:
    """Changes in whose new world a chip is raised, to see what can be reached there."""
    return [d for d in scale.drifts if d in scale.far_drifts or d == NEW_CLASSES]


def controls(scale: Scale) -> list[str]:
    """One change for each old world, to learn on in the old world beside it."""
    first = next((drift for drift in scale.drifts if drift != NEW_CLASSES), None)
    return [drift for drift in scale.drifts if drift in (first, NEW_CLASSES)]


def _tell(pool: Executor, function: Callable[..., str], calls: list[tuple[Any, ...]]) -> None:
    for future in as_completed([pool.submit(function, *call) for call in calls]):
        print(future.result(), flush=True)
