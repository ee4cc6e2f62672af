"""What a compiled network of another tool is shown: a user's samples, or random ones."""

from __future__ import annotations

import os

import numpy as np

from clapp_neuro.errors import InputError
from clapp_neuro.verbs.source import load_array
from compiler.frontends.compile_source import stimulus
from compiler.program import Program
from compiler.trace import Stimulus

DENSITY = 0.3  # of random spikes

Samples = str | os.PathLike[str] | np.ndarray
"""An array as `compiler.stimulus` takes it, or a .npy file of one."""


def is_foreign(program: Program) -> bool:
    """Whether it was compiled from another tool's network, which has no images of its own."""
    return "inputs" in program.provenance


def samples_of(program: Program, path: str | os.PathLike[str], samples: Samples) -> Stimulus:
    """A user's samples for the program that was read from `path`, one a fixation.

    Raises InputError for samples that do not fit, for none, and for programs that have images.
    """
    if not is_foreign(program):
        raise InputError(
            f"'{path}' was compiled from a checkpoint and looks at images of its own: "
            "clapp-neuro run and energy show it those, without samples"
        )
    given = samples if isinstance(samples, np.ndarray) else load_array(samples)
    shown = stimulus(program, given)
    if shown.fixations == 0:
        raise InputError("there are no samples to look at: give at least one")
    return shown


def random_samples(program: Program, fixations: int, seed: int) -> Stimulus:
    """Samples drawn from a seed, one a fixation: uniform numbers, or spikes of density 0.3."""
    if fixations < 1:
        raise InputError(f"{fixations} fixations: give at least 1")
    if seed < 0:
        raise InputError(f"seed {seed}: give 0 or more")
    kind, random = program.provenance["inputs"], np.random.default_rng(seed)
    size = sum(p.size for p in program.populations if p.soma is None)
    steps = () if kind == "intensities" else (program.timetable.steps,)
    drawn = random.random((*steps, fixations, size))
    if kind == "spikes":
        return stimulus(program, drawn < DENSITY)
    return stimulus(program, 2 * drawn - 1 if kind == "graded" else drawn)
