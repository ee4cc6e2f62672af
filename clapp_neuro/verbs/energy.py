"""`energy`: what a program costs on its machine and on others, with bands."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Any

from clapp_neuro.data.images import ImageSet
from clapp_neuro.errors import InputError
from clapp_neuro.progress import Report, silent
from clapp_neuro.readout import layer_features
from clapp_neuro.readouts.logistic import logistic_readout
from clapp_neuro.verbs.energy_here import Here, measure_here
from clapp_neuro.verbs.energy_reach import Reach, learn_until
from clapp_neuro.verbs.float_network import float_weights
from clapp_neuro.verbs.sight import chip_features, experiment_of, gaze, images_of, machine_of
from compiler import energy as costs
from compiler.backends.simulator import infer, simulate
from compiler.bundle import read_bundle
from compiler.energy.core_rows import core_rows
from compiler.events import messages_sent, neurobench
from compiler.passes.place import place
from compiler.program import Program

READOUT_IMAGES = 500


@dataclass(frozen=True)
class Accuracy:
    """Test accuracies in 0..1 of a linear readout of the last layer, fitted on `images` images.

    chip: of the program's integers, which every machine is taken to compute. reference: of the
    dense float network. None where nothing was read out.
    """

    chip: float | None
    reference: float | None
    images: int

    def __str__(self) -> str:
        if self.chip is None:
            return "accuracy not measured"
        dense = "" if self.reference is None else f", {self.reference:.1%} as the float network"
        return f"accuracy {self.chip:.1%} as the program's integers{dense} ({self.images} images)"


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
    images: int = 200,
    data: str | os.PathLike[str] | None = None,
    seed: int = 0,
    readout_images: int = READOUT_IMAGES,
    reach: float | None = None,
    report: Report = silent,
) -> EnergyResult:
    """Estimate the energy of a compiled program while it looks at (and learns from) images.

    compare: "all", or names of machines or machine files with commas between. readout_images: how
    many labelled images the accuracy beside the energy is fitted on, and how many it is tested on;
    0 leaves it out. reach: an accuracy in 0..1; the program goes on learning until its readout has
    it, and what that takes is estimated. Raises InputError for files, data or machines that do not
    fit.
    """
    if images < 1:
        raise InputError(f"{images} images: give at least 1")
    if readout_images < 0:
        raise InputError(f"{readout_images} images for the readout: give 0 or more")
    if reach is not None and not 0 < reach <= 1:
        raise InputError(f"an accuracy of {reach:g} cannot be reached: give more than 0, at most 1")
    program, _ = read_bundle(path)
    if reach is not None and (not program.plastic or not readout_images):
        raise InputError(
            "an accuracy is reached by learning, and seen by a readout: give a program with "
            "plastic synapses, and --readout-images"
        )
    machine = machine_of(program)
    positions = experiment_of(program).data.positions
    seen = images_of(program, data)
    stimulus = gaze(program, seen, images * positions, seed)
    counts, forward = infer(program, stimulus)
    # without plastic synapses there is nothing to learn, and no such line
    events = simulate(program, stimulus).events if program.plastic else forward
    names = tuple(n.strip() for n in compare.split(",")) if compare not in (None, "all") else None
    comparison = None
    if compare is not None:
        comparison = costs.compare(
            events, program, names, fixations_per_image=positions, reference=machine.name
        )
    return EnergyResult(
        source=seen.source,
        images=images,
        estimate=costs.estimate(
            events, place(program, machine), machine, fixations_per_image=positions
        ),
        comparison=comparison,
        accuracy=accuracy_of(program, seen, readout_images),
        reach=None
        if reach is None
        else learn_until(program, seen, reach, seed, names, readout_images, report),
        here=measure_here(program, stimulus, images, seen),
        metrics=neurobench(program, forward, messages_sent(program, stimulus, counts), events),
    )


def accuracy_of(program: Program, seen: ImageSet, images: int) -> Accuracy:
    """How well the last layer's counts tell the classes apart, in integers and in float.

    The first `images` labelled images fit the readout, the first `images` test images judge it.
    """
    if images == 0:
        return Accuracy(None, None, 0)
    train, test = seen.train_images[:images], seen.test_images[:images]
    labels = seen.train_labels[:images], seen.test_labels[:images]

    def judged(train_x: Any, test_x: Any) -> float:
        return logistic_readout(train_x, labels[0], test_x, labels[1])

    *_, last = chip_features(program, train[:1])
    chip = judged(chip_features(program, train)[last], chip_features(program, test)[last])
    weights, experiment = float_weights(program), experiment_of(program)
    dense = [layer_features(weights, experiment, part)[-1] for part in (train, test)]
    return Accuracy(chip, judged(*dense), len(train))
