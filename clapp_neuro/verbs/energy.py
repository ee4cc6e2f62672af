"""`energy`: what a program costs on its machine and on others, with bands."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from clapp_neuro.errors import InputError
from clapp_neuro.progress import Report, silent
from clapp_neuro.verbs.energy_here import Here
from clapp_neuro.verbs.energy_looked import (
    IMAGES,
    READOUT_IMAGES,
    Accuracy,
    Looked,
    look_at_images,
    look_at_samples,
)
from clapp_neuro.verbs.energy_reach import Reach, learn_until
from clapp_neuro.verbs.samples import Samples
from clapp_neuro.verbs.sight import images_of, machine_of
from compiler import energy as costs
from compiler.backends.simulator import infer, simulate
from compiler.bundle import read_bundle
from compiler.energy.core_rows import core_rows
from compiler.events import messages_sent, neurobench
from compiler.passes.placing.place import place
from compiler.program import Program


@dataclass(frozen=True)
class EnergyResult:
    """The estimate on the program's own machine, others beside it, and this machine measured."""

    source: str
    images: int
    estimate: costs.Estimate
    comparison: costs.Comparison | None
    accuracy: Accuracy
    reach: Reach | None
    here: Here
    metrics: dict[str, Any]

    @property
    def estimates(self) -> tuple[costs.Estimate, ...]:
        """Of all machines, or of the program's own where none are compared."""
        return (self.estimate,) if self.comparison is None else self.comparison.estimates

    @property
    def conclusion(self) -> str | None:
        """What the comparison allows to conclude, and what not."""
        return None if self.comparison is None else costs.conclude(self.comparison)

    def core_rows(self) -> list[tuple[str, ...]]:
        """What each core of the program's machine did, the busiest first."""
        return core_rows(self.estimate)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "source": self.source,
            "images": self.images,
            "estimate": {
                **self.estimate.to_json(),
                "cores": [asdict(core) for core in self.estimate.cores],
            },
            "comparison": None if self.comparison is None else self.comparison.to_json(),
            "conclusion": self.conclusion,
            "accuracy": vars(self.accuracy),
            "reach": None if self.reach is None else self.reach.to_json(),
            "this_cpu": {what: m.to_json() for what, m in self.here.cpu.items()},
            "this_gpu": {what: m.to_json() for what, m in self.here.gpu.items()},
            "neurobench": self.metrics,
        }


def energy(
    path: str | os.PathLike[str],
    *,
    compare: str | None = None,
    images: int | None = None,
    data: str | os.PathLike[str] | None = None,
    seed: int | None = None,
    readout_images: int | None = None,
    reach: float | None = None,
    samples: Samples | None = None,
    labels: Samples | None = None,
    report: Report = silent,
) -> EnergyResult:
    """Estimate the energy of a compiled program while it looks at (and learns from) images.

    compare: names of machines or machine files with commas between, or "all"; the program's own
    machine is among them whether it is named or not. images, seed: of the
    gaze (default: 200, 0). readout_images: how many labelled images the accuracy beside the energy
    is fitted on, and how many it is tested on (default: 500); 0 leaves it out. reach: an accuracy
    in 0..1; the program goes on learning until its readout has it, and what that takes is
    estimated. samples: what a program of another tool's network is shown, as `answer` takes it;
    labels: int (B,), the output neuron that should win each. Raises InputError for files, data or
    machines that do not fit.
    """
    program, _ = read_bundle(path)
    machine = machine_of(program)
    names = None if compare is None else _listed(compare)
    reached = None
    if samples is None and labels is None:
        readout = READOUT_IMAGES if readout_images is None else readout_images
        count = IMAGES if images is None else images
        _require_numbers(program, count, readout, reach)
        seen = images_of(program, data)
        if readout_images is not None and readout_images > len(seen.train_images):
            raise InputError(
                f"{readout_images} images for the readout were asked for, there are "
                f"{len(seen.train_images)}: give at most that"
            )
        looked = look_at_images(program, seen, count, seed or 0, readout)
        if reach is not None:
            judged = program, seen, reach, seed or 0
            reached = partial(learn_until, *judged, names, machine, readout, report)
    else:
        given = (images, data, seed, readout_images, reach)
        looked = _samples(program, path, samples, labels, given)
    counts, forward = infer(program, looked.stimulus)
    # without plastic synapses there is nothing to learn, and no such line
    events = simulate(program, looked.stimulus).events if program.plastic else forward
    each = looked.fixations_per_image
    comparison = None
    if compare is not None:
        comparison = costs.compare(events, program, names, fixations_per_image=each, own=machine)
    return EnergyResult(
        source=looked.source,
        images=looked.images,
        estimate=costs.estimate(events, place(program, machine), machine, fixations_per_image=each),
        comparison=comparison,
        accuracy=looked.accuracy(),
        reach=None if reached is None else reached(),
        here=looked.here(),
        metrics=neurobench(
            program, forward, messages_sent(program, looked.stimulus, counts), events
        ),
    )


def _listed(compare: str) -> tuple[str, ...]:
    """Names of machines and machine files; "all" stands for those that ship."""
    given = [name.strip() for name in compare.split(",")]
    return tuple(
        name
        for some in given
        for name in (costs.event_driven_first() if some == "all" else (some,))
    )


def _require_numbers(program: Program, images: int, readout: int, reach: float | None) -> None:
    if images < 1:
        raise InputError(f"{images} images: give at least 1")
    if readout < 0:
        raise InputError(f"{readout} images for the readout: give 0 or more")
    if reach is not None and not 0 < reach <= 1:
        raise InputError(f"an accuracy of {reach:g} cannot be reached: give more than 0, at most 1")
    if reach is not None and (not program.plastic or not readout):
        raise InputError(
            "an accuracy is reached by learning, and seen by a readout: give a program with "
            "plastic synapses, and --readout-images"
        )


def _samples(
    program: Program,
    path: str | os.PathLike[str],
    samples: Samples | None,
    labels: Samples | None,
    of_images: tuple[object, ...],
) -> Looked:
    if samples is None:
        raise InputError("labels are of samples: give --input SAMPLES.npy together with --labels")
    looked = look_at_samples(program, path, samples, labels)
    if any(value is not None for value in of_images):
        raise InputError(
            "--images, --data, --seed, --readout-images and --reach are for a program's own "
            "images: leave them out where --input gives samples"
        )
    return looked
