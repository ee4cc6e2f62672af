"""`energy`: what a program costs on its machine and on others, with bands."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from clapp_neuro.encoders.activity import activities
from clapp_neuro.errors import InputError
from clapp_neuro.verbs.float_network import float_weights
from clapp_neuro.verbs.sight import experiment_of, gaze, images_of, machine_of
from compiler import energy as costs
from compiler.backends.simulator import infer, simulate
from compiler.bundle import read_bundle
from compiler.events import neurobench
from compiler.passes.place import place
from compiler.program import Program
from compiler.trace import Stimulus


@dataclass(frozen=True)
class EnergyResult:
    """The estimate on the program's own machine, others beside it, and this CPU measured."""

    source: str
    images: float
    estimate: costs.Estimate
    comparison: costs.Comparison | None
    this_cpu: costs.Measured | costs.NotMeasured
    metrics: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "source": self.source,
            "images": self.images,
            "estimate": self.estimate.to_json(),
            "comparison": None if self.comparison is None else self.comparison.to_json(),
            "this_cpu": self.this_cpu.to_json(),
            "neurobench": self.metrics,
        }


def energy(
    path: str | os.PathLike[str],
    *,
    compare: str | None = None,
    images: int = 200,
    data: str | os.PathLike[str] | None = None,
    seed: int = 0,
) -> EnergyResult:
    """Estimate the energy of a compiled program while it looks at (and learns from) images.

    compare: "all", or machine names with commas between. Raises InputError for files, data or
    machines that do not fit.
    """
    if images < 1:
        raise InputError(f"{images} images: give at least 1")
    program, _ = read_bundle(path)
    machine = machine_of(program)
    positions = experiment_of(program).data.positions
    seen = images_of(program, data)
    stimulus = gaze(program, seen, images * positions, seed)
    # without plastic synapses there is nothing to learn, and no such line
    events = (
        simulate(program, stimulus).events
        if program.plastic
        else infer(program, stimulus, keep=())[1]
    )
    estimate = costs.estimate(
        events, place(program, machine), machine, fixations_per_image=positions
    )
    comparison = None
    if compare is not None:
        names = None if compare == "all" else tuple(n.strip() for n in compare.split(","))
        comparison = costs.compare(
            events, program, names, fixations_per_image=positions, reference=machine.name
        )
    measured = costs.measure_cpu(lambda: _float_forward(program, stimulus))
    metrics = neurobench(program, events)
    return EnergyResult(seen.source, images, estimate, comparison, measured, metrics)


def _float_forward(program: Program, stimulus: Stimulus) -> None:
    """The float network on this CPU, looking at the same fixations: inference only."""
    inputs = torch.from_numpy(stimulus.intensities["input"].astype(np.float32) / 255)
    activities(float_weights(program), inputs, experiment_of(program))
