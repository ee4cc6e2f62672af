"""`answer`: what a compiled network of another tool gives for a user's samples."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from clapp_neuro.files import require_place, write_whole
from clapp_neuro.verbs.samples import Samples, samples_of
from compiler.backends import simulator
from compiler.bundle import read_bundle
from compiler.program import Program
from compiler.trace import Stimulus


@dataclass(frozen=True)
class AnswerResult:
    """values: (B, T, N) spikes of the output's neurons, or a readout's potential as in the source.

    totals: (B, N) their sum over time, of a potential the last value; best: the largest of each.
    """

    population: str
    spiking: bool
    values: np.ndarray
    out: Path | None

    @property
    def totals(self) -> np.ndarray:
        """One number a sample and neuron."""
        found: np.ndarray = self.values.sum(1) if self.spiking else self.values[:, -1]
        return found

    @property
    def best(self) -> np.ndarray:
        """(B,) which neuron has the largest total; the first of several."""
        return self.totals.argmax(1)

    def to_json(self) -> dict[str, Any]:
        """Plain data, without the values step by step."""
        return {
            "population": self.population,
            "spiking": self.spiking,
            "samples": len(self.values),
            "totals": self.totals.tolist(),
            "best": self.best.tolist(),
            "out": None if self.out is None else str(self.out),
        }


def answer(
    path: str | os.PathLike[str],
    samples: Samples,
    out: str | os.PathLike[str] | None = None,
) -> AnswerResult:
    """Run samples, an array or a .npy file, as `compiler.stimulus` takes them.

    out: a .npy file for the values (B, T, N).
    Raises InputError for samples that do not fit, and for programs with images of their own.
    """
    if out is not None:
        require_place(out)
    program, _ = read_bundle(path)
    found = answer_of(program, samples_of(program, path, samples))
    if out is None:
        return found
    values = found.values
    written = write_whole(out, lambda file: np.save(file, values, allow_pickle=False))
    return replace(found, out=written)


def answer_of(program: Program, shown: Stimulus) -> AnswerResult:
    """What a program that was compiled from another tool's network says to a stimulus."""
    name = program.provenance["output"]
    found = simulator.answer(program, shown, keep=(name,))
    if name in found.spikes:
        return AnswerResult(name, True, found.spikes[name], None)
    values = found.potentials[name] * program.potential_unit(name)
    return AnswerResult(name, False, values, None)
