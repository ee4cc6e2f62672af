"""`emit`: a program as a project that runs on another stack, without this package."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clapp_neuro.errors import InputError, unknown
from clapp_neuro.files import require_folder, write_whole_folder
from clapp_neuro.verbs.samples import is_foreign, random_samples
from clapp_neuro.verbs.sight import gaze, images_of
from compiler.backends import lava, simulator
from compiler.backends.lava.project.stored import read_arrays
from compiler.bundle import read_bundle
from compiler.parts import take_apart
from compiler.program import Program
from compiler.trace import Stimulus

BACKENDS = ("lava",)
FIXATIONS = 20
BINARY = ".npz"


@dataclass(frozen=True)
class EmittedFile:
    """One file of the project; lines are None where it is not text."""

    path: str
    lines: int | None
    bytes: int

    def row(self) -> tuple[str, str, str]:
        """As a row of a table."""
        return self.path, "–" if self.lines is None else f"{self.lines}", f"{self.bytes}"


@dataclass(frozen=True)
class EmitResult:
    """What was written."""

    path: Path
    backend: str
    fixations: int
    learns: bool
    files: tuple[EmittedFile, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "path": str(self.path)}


def emit(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    backend: str = "lava",
    fixations: int | None = None,
    stimulus: str | os.PathLike[str] | None = None,
    data: str | os.PathLike[str] | None = None,
    seed: int = 0,
) -> EmitResult:
    """Write a compiled program as a project into the folder `out`, which is new or empty.

    fixations: how many the project shows (default 20, or all of `stimulus`). stimulus: an npz file
    with `NAME.intensities` of each input, uint8 (F, N) or step by step int16 (F, T, N), and
    `NAME.signal` (F,) of each broadcast signal, in {-1, 0, +1} or -1 and the classes, instead of
    the program's own data. Equal programs and fixations give equal files.
    Raises InputError, before anything is written, for an unknown backend, bad files, a program
    that the backend cannot express, a place where it cannot be written.
    """
    if backend not in BACKENDS:
        raise unknown("backend", backend, BACKENDS)
    require_folder(out)
    program, _ = read_bundle(path)
    if stimulus is None:
        count = _or(fixations, FIXATIONS)
        if is_foreign(program):
            shown = random_samples(program, count, seed)
        else:
            shown = gaze(program, images_of(program, data), count, seed)
    elif data is not None or seed != 0:
        raise InputError("--data and --seed choose from the program's own data: leave them out")
    else:
        shown = _given(program, stimulus, fixations)
    for learn in (False, True) if program.plastic else (False,):
        lava.require_expressible(program, shown, learn)
    counts, _ = simulator.infer(program, shown)
    learned = _learned(program, shown) if program.plastic else None
    expected = _counts(counts) | _potentials(program, shown)
    files = lava.project_files(program, shown, expected, learned)
    written = write_whole_folder(out, files)
    return EmitResult(
        path=written,
        backend=backend,
        fixations=shown.fixations,
        learns=program.plastic,
        files=tuple(
            EmittedFile(name, None if name.endswith(BINARY) else text.count(b"\n"), len(text))
            for name, text in files.items()
        ),
    )


def _or(asked: int | None, otherwise: int) -> int:
    return otherwise if asked is None else asked


def _counts(counts: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {f"{name}.counts": seen for name, seen in counts.items()}


def _learned(program: Program, stimulus: Stimulus) -> dict[str, np.ndarray]:
    """What a run that learns ends with, by name, as the project's `run.py` compares it."""
    seen = [shown.counts for shown in simulator.trace(program, stimulus, learn=True)]
    result = simulator.simulate(program, stimulus)
    expected = _counts({name: np.stack([counts[name] for counts in seen]) for name in seen[0]})
    for i, gate in enumerate(program.gates):
        expected[f"{gate.name}.scores"] = result.scores[:, i]
        expected[f"{gate.name}.gates"] = result.gates[:, i]
    return expected | _potentials(program, stimulus) | take_apart(result.program)[1]


def _potentials(program: Program, stimulus: Stimulus) -> dict[str, np.ndarray]:
    """Of leaky integrators, as they end each presentation."""
    found = simulator.answer(program, stimulus)
    return {f"{name}.potential": seen[:, -1] for name, seen in found.potentials.items()}


def _given(program: Program, path: str | os.PathLike[str], fixations: int | None) -> Stimulus:
    """A stimulus of the user's own; InputError for anything that does not fit the program."""
    arrays = read_arrays(Path(path))
    inputs = {f"{p.name}.intensities": p for p in program.populations if p.soma is None}
    needed = {*inputs, *(f"{name}.signal" for name in program.modulators)}
    if arrays.keys() != needed:
        held, wanted = (", ".join(sorted(names)) for names in (arrays, needed))
        raise InputError(f"'{path}' holds {held or 'nothing'}: give {wanted}")
    for name, population in inputs.items():
        array = arrays[name]
        steps = [program.timetable.steps] if population.sequence else []
        sides, kind = (*steps, population.size), np.dtype(np.int16 if steps else np.uint8)
        shape = f"(F, {', '.join(map(str, sides))})"
        if array.dtype != kind or array.shape[1:] != sides:
            raise InputError(
                f"'{path}': {name} is {array.dtype} of shape {array.shape}, not {kind} of {shape}"
            )
    for modulator in program.modulators:
        array, highest = arrays[f"{modulator}.signal"], _highest_label(program, modulator)
        known = range(-1, highest + 1)
        if array.ndim != 1 or array.dtype.kind not in "iu" or not np.isin(array, known).all():
            raise InputError(
                f"'{path}': {modulator}.signal is not an integer from -1 to {highest} for each "
                "fixation"
            )
    lengths = {name: len(array) for name, array in arrays.items()}
    available = min(lengths.values())
    if max(lengths.values()) != available:
        text = ", ".join(f"{length} of {name}" for name, length in sorted(lengths.items()))
        raise InputError(f"'{path}' has {text}: give one row of each for each fixation")
    count = _or(fixations, available)
    if not 1 <= count <= available:
        raise InputError(
            f"{count} fixations of the {available} in '{path}': give 1 or more, at most all"
        )
    return Stimulus(
        {p.name: arrays[name][:count] for name, p in inputs.items()},
        {name: arrays[f"{name}.signal"][:count].astype(np.int8) for name in program.modulators},
    )


def _highest_label(program: Program, modulator: str) -> int:
    """1, or the last class where a critic hears the signal."""
    return max([1, *(g.classes - 1 for g in program.gates if g.modulator == modulator)])
