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
from courses import course, network, raised_there, unchanged
from scales import DEFAULT, Scale

from clapp_neuro.data.drift import NEW_CLASSES
from clapp_neuro.files import write_whole
from clapp_neuro.verbs.adapt import Setting

Found = dict[str, Any]
Job = tuple[str, int, str, Setting]
"""What, seed, drift, and how a chip of "course" learns on."""

MEASURES: dict[str, Callable[[Scale, int, str, Path, str | None], Found]] = {
    "network": network,
    "unchanged": unchanged,
    "native": raised_there,
}


def place(folder: Path, job: Job) -> Path:
    """Where a job's result is stored."""
    what, seed, drift, setting = job
    how = f"-{setting.margin:g}-{setting.halvings}-{setting.every}" if what == "course" else ""
    return folder / str(seed) / f"{what}-{drift}{how}.json"


def do(scale: Scale, job: Job, folder: Path, data: str | None) -> str:
    """Makes one measurement, if it is not there yet; its name."""
    what, seed, drift, setting = job
    path = place(folder, job)
    if not path.exists():
        began = time.perf_counter()
        if what == "long":
            found = long_run.measure(scale.preset, scale.long, scale.stretches, seed, data)
        elif what == "course":
            found = course(scale, seed, drift, setting, folder, data)
        else:
            found = MEASURES[what](scale, seed, drift, folder, data)
        text = json.dumps({**found, "seconds": time.perf_counter() - began})
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
    """All measurements; what others need comes first, then what tells most."""
    homes = {home(drift): drift for drift in scale.drifts}.values()
    folder.mkdir(parents=True, exist_ok=True)
    for drift in homes:
        old_data(scale, drift, folder, data)

    def make(maker: Callable[..., str]) -> None:
        calls = [(scale, seed, d, folder, data) for seed in scale.seeds for d in homes]
        _tell(pool, maker, calls)

    def run(jobs: Iterable[Job]) -> None:
        _tell(pool, do, [(scale, job, folder, data) for job in jobs])

    def each(*names: str, drifts: Iterable[str] = scale.drifts) -> list[Job]:
        return [(what, seed, d, DEFAULT) for d in drifts for seed in scale.seeds for what in names]

    make(raise_chip)
    run(each("course"))
    run(("long", seed, "million", DEFAULT) for seed in scale.seeds)
    make(train_offline)
    run(each("network"))
    run(each("native", drifts=(d for d in scale.drifts if d == NEW_CLASSES)))
    run(each("unchanged", drifts=controls(scale)))
    tried = [setting for setting in scale.settings if setting != DEFAULT]
    run(("course", s, d, n) for n in tried for d in scale.drifts for s in scale.seeds)


def controls(scale: Scale) -> list[str]:
    """One change for each old world, to learn on in the old world beside it."""
    first = next((drift for drift in scale.drifts if drift != NEW_CLASSES), None)
    return [drift for drift in scale.drifts if drift in (first, NEW_CLASSES)]


def _tell(pool: Executor, function: Callable[..., str], calls: list[tuple[Any, ...]]) -> None:
    for future in as_completed([pool.submit(function, *call) for call in calls]):
        print(future.result(), flush=True)
