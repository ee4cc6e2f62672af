"""What the stored measurements say together: docs/results/adapt.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from chips import home
from plan import Job, controls, place
from scales import DEFAULT, Scale

from clapp_neuro.verbs.adapt import Setting

Found = dict[str, Any]
PARTS = ("validation", "test")


def summarise(scale: Scale, folder: Path) -> Found:
    """Everything that there is, as seeds × layers; what is missing is None or left out."""
    drifts = {drift: _drift(scale, folder, drift) for drift in scale.drifts}
    return {
        "scale": scale.to_json(),
        "drifts": {drift: found for drift, found in drifts.items() if found is not None},
        "unchanged": {home(drift): _controls(scale, folder, drift) for drift in controls(scale)},
        "long": [run for run in _of_seeds(scale, folder, "long", "million") if run is not None],
    }


def _drift(scale: Scale, folder: Path, drift: str) -> Found | None:
    """One change; None where no seed has met it."""
    course = _course(scale, folder, "course", drift, DEFAULT)
    if course is None:
        return None
    runs = _of_seeds(scale, folder, "course", drift)
    frozen = _together(scale, [None if run is None else run["frozen"] for run in runs])
    others = (*scale.settings[1:], *([scale.far] if drift in scale.far_drifts else []))
    tried = {str(some): _course(scale, folder, "course", drift, some) for some in others}
    return {
        "source": frozen["source"],
        "tested": frozen["tested"],
        "frozen": frozen,
        "course": course,
        "network": _standing(scale, folder, "network", drift),
        "native": _standing(scale, folder, "native", drift),
        "pixels": _standing(scale, folder, "pixels", drift),
        "settings": {name: found for name, found in tried.items() if found is not None},
    }


def _controls(scale: Scale, folder: Path, drift: str) -> dict[str, Found]:
    """Chips that learn on in the old world of a change, by setting."""
    courses = {
        str(setting): _course(scale, folder, "unchanged", drift, setting)
        for setting in (DEFAULT, scale.far)
    }
    return {name: course for name, course in courses.items() if course is not None}


def _standing(scale: Scale, folder: Path, what: str, drift: str) -> Found | None:
    """An encoder that learns nothing meanwhile."""
    runs = _of_seeds(scale, folder, what, drift)
    return _together(scale, runs) if any(runs) else None


def _course(scale: Scale, folder: Path, what: str, drift: str, setting: Setting) -> Found | None:
    """A chip that learns on, look by look."""
    runs = _of_seeds(scale, folder, what, drift, setting)
    there = [run for run in runs if run is not None]
    if not there:
        return None
    looks = []
    for number, look in enumerate(there[0]["looks"]):
        seen = [None if run is None else run["looks"][number] for run in runs]
        gates = [run["looks"][number]["gate"] for run in there]
        looks.append({"fixations": look["fixations"], "gate": gates, **_together(scale, seen)})
    return {"seeds": looks[0]["seeds"], "looks": looks}


def _together(scale: Scale, runs: Sequence[Found | None]) -> Found:
    """Accuracies of the seeds that are there: a part of the test images → kind → seeds × layers."""
    there = [run for run in runs if run is not None]
    found: Found = {
        "seeds": [seed for seed, run in zip(scale.seeds, runs, strict=True) if run is not None],
        "source": there[0]["source"],
        "tested": there[0]["tested"],
    }
    if "dead" in there[0]:
        found["dead"] = [run["dead"] for run in there]
    for part in PARTS:
        found[part] = {
            kind: None
            if there[0][part][kind] is None
            else (100 * np.array([run[part][kind] for run in there])).round(4).tolist()
            for kind in there[0][part]
        }
    return found


def _of_seeds(
    scale: Scale, folder: Path, what: str, drift: str, setting: Setting = DEFAULT
) -> list[Found | None]:
    return [_read(folder, (what, seed, drift, setting)) for seed in scale.seeds]


def _read(folder: Path, job: Job) -> Found | None:
    path = place(folder, job)
    return json.loads(path.read_text()) if path.exists() else None
