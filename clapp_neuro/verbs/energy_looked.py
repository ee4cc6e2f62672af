"""What `energy` shows a program: images of its own data set, or a user's samples; how well it does.

Whatever is looked at, the rest of the command is the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from clapp_neuro.data.images import ImageSet
from clapp_neuro.errors import InputError
from clapp_neuro.readout import layer_features
from clapp_neuro.readouts.logistic import logistic_readout
from clapp_neuro.verbs.answer import answer_of
from clapp_neuro.verbs.energy_here import Here, measure_images, measure_samples
from clapp_neuro.verbs.float_network import float_weights
from clapp_neuro.verbs.samples import Samples, samples_of
from clapp_neuro.verbs.sight import chip_features, experiment_of, gaze
from clapp_neuro.verbs.source import load_array
from compiler.program import Program
from compiler.trace import Stimulus

IMAGES = 200
READOUT_IMAGES = 500


@dataclass(frozen=True)
class Accuracy:
    """Accuracies in 0..1 that are stated beside the energy, found on `images` images.

    chip: of the program's integers, which every machine is taken to compute. reference: of the
    dense float network. None where nothing was judged. Of images a linear readout of the last layer
    is fitted on as many, and judged on others; of samples the output itself is held against labels.
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
class Looked:
    """A stimulus, how many images it is of, and what else is found out with it."""

    source: str
    stimulus: Stimulus
    images: int
    accuracy: Callable[[], Accuracy]
    here: Callable[[], Here]

    @property
    def fixations_per_image(self) -> float:
        """Of samples, one."""
        return self.stimulus.fixations / self.images


def look_at_images(
    program: Program, seen: ImageSet, images: int, seed: int, readout_images: int
) -> Looked:
    """The gaze over so many images of the program's data set."""
    stimulus = gaze(program, seen, images * experiment_of(program).data.positions, seed)
    return Looked(
        seen.source,
        stimulus,
        images,
        lambda: accuracy_of(program, seen, readout_images),
        lambda: measure_images(program, stimulus, images, seen),
    )


def look_at_samples(
    program: Program, path: str | os.PathLike[str], samples: Samples, labels: Samples | None
) -> Looked:
    """A user's samples; labels, whole numbers (B,), say which output neuron should win."""
    shown = samples_of(program, path, samples)
    wanted = None if labels is None else _labels(labels, shown.fixations)
    name = "an array" if isinstance(samples, np.ndarray) else str(samples)

    def accuracy() -> Accuracy:
        if wanted is None:
            return Accuracy(None, None, 0)
        best = answer_of(program, shown).best
        return Accuracy(float(np.mean(best == wanted)), None, len(wanted))

    return Looked(
        name,
        shown,
        shown.fixations,
        accuracy,
        lambda: measure_samples(program, shown),
    )


def _labels(labels: Samples, samples: int) -> np.ndarray:
    given = labels if isinstance(labels, np.ndarray) else load_array(labels)
    if given.shape != (samples,) or given.dtype.kind not in "iub":
        raise InputError(
            f"labels are {given.dtype} of shape {given.shape}: give a whole number for each of the "
            f"{samples} samples"
        )
    return given


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
