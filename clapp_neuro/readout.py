"""`probe`: how well the frozen activity of each layer tells the classes apart."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from clapp_neuro.checkpoint import load_checkpoint
from clapp_neuro.config import Experiment
from clapp_neuro.data.augmentation import augmentation, augmented
from clapp_neuro.data.images import load_images
from clapp_neuro.data.patches import image_inputs
from clapp_neuro.device import find_device
from clapp_neuro.encoders.activity import activities
from clapp_neuro.encoders.initial import initial_weights
from clapp_neuro.errors import InputError
from clapp_neuro.progress import Report, silent
from clapp_neuro.randomness import Purpose, keyed_generator
from clapp_neuro.readouts import find_readout
from clapp_neuro.readouts.adam import EPOCHS, adam_readouts
from clapp_neuro.readouts.features import Features

IMAGES_AT_ONCE = 250

Labelled = tuple[npt.NDArray[np.uint8], npt.NDArray[Any]]
"""Images (N, H, W) and their classes (N,)."""


@dataclass(frozen=True)
class LayerProbe:
    """Test accuracies in 0..1 of one layer's readout: of the checkpoint, and untrained."""

    layer: int
    accuracy: float
    untrained: float | None = None


@dataclass(frozen=True)
class ProbeResult:
    """Readouts of all layers, and of the raw inputs averaged over the positions."""

    layers: tuple[LayerProbe, ...]
    inputs: float
    readout: str
    source: str
    train_images: int
    test_images: int
    seconds: float


def layer_features(
    weights: Mapping[str, Tensor], experiment: Experiment, images: npt.NDArray[np.uint8]
) -> list[npt.NDArray[np.float64]]:
    """Mean activity z over an image's positions, (images, N), for each layer.

    Images (B, H, W) are seen in their centre crop. Computed on a GPU where there is one.
    """
    device = find_device(None)
    weights = {name: weight.to(device) for name, weight in weights.items()}
    parts: list[list[npt.NDArray[np.float64]]] = [[] for _ in experiment.encoder.layers]
    for start in range(0, len(images), IMAGES_AT_ONCE):
        inputs = torch.from_numpy(
            image_inputs(images[start : start + IMAGES_AT_ONCE], experiment.data)
        ).to(device)
        for layer, z in enumerate(activities(weights, inputs.flatten(0, 1), experiment)):
            grid = z.view(len(inputs), -1, z.shape[1])
            parts[layer].append(grid.mean(1).double().cpu().numpy())
    return [np.concatenate(part) for part in parts]


def augmented_features(
    weights: Mapping[str, Tensor], experiment: Experiment, images: npt.NDArray[np.uint8]
) -> Iterator[list[npt.NDArray[np.float64]]]:
    """`layer_features` in each epoch of the paper's readout, images cut and mirrored afresh."""
    data, seed = experiment.data, experiment.train.seed
    for epoch in range(1, EPOCHS + 1):
        random = keyed_generator(seed, Purpose.READOUT, epoch)
        draws = augmentation(data, images.shape[1], random, len(images))
        yield layer_features(weights, experiment, augmented(images, data, *draws))


def accuracies(
    readouts: Sequence[str],
    weights: Mapping[str, Tensor],
    experiment: Experiment,
    train: Labelled,
    test: Labelled,
    done: Callable[[int], None] = lambda layer: None,
) -> dict[str, list[float]]:
    """Test accuracy in 0..1 by readout and layer, from features that are computed once.

    The paper's readout alone sees the training images as its networks do: cut and mirrored afresh
    in each epoch, where the experiment does so. done: told the number of each layer from 1.
    Raises InputError for an unknown readout.
    """
    fits = {name: find_readout(name) for name in readouts}
    (train_x, train_y), (test_x, test_y) = train, test
    seed = experiment.train.seed
    theirs = layer_features(weights, experiment, test_x)
    found: dict[str, list[float]] = {}
    if experiment.data.augment and fits.pop("adam", None) is not None:
        epochs = augmented_features(weights, experiment, train_x)
        found["adam"] = adam_readouts(epochs, train_y, theirs, test_y, seed)
    ours = layer_features(weights, experiment, train_x) if fits else []
    for name, fit in fits.items():
        found[name] = []
        for layer, (x, other) in enumerate(zip(ours, theirs, strict=True), 1):
            found[name].append(fit(x, train_y, other, test_y, seed))
            done(layer)
    return found


def probe(
    path: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | None = None,
    train_images: int | None = None,
    test_images: int | None = None,
    readout: str = "logistic",
    untrained: bool = True,
    report: Report = silent,
) -> ProbeResult:
    """Readout of every layer of a checkpoint, and of the same network untrained if asked for.

    Both are trained on the same labelled images and tested on the test split; `train_images` and
    `test_images` use only the first so many. data: see `load_images`. readout: logistic, adam (the
    paper's) or three-factor (the lecture's), see `readouts`.
    Raises InputError for a file that is no checkpoint or data that are not there.
    """
    began = time.perf_counter()
    fit = find_readout(readout)
    checkpoint = load_checkpoint(path)
    experiment = checkpoint.experiment
    images = load_images(experiment.data, data)
    train_count = _count(train_images, len(images.train_images), "training")
    test_count = _count(test_images, len(images.test_images), "test")
    train_x, train_y = images.train_images[:train_count], images.train_labels[:train_count]
    test_x, test_y = images.test_images[:test_count], images.test_labels[:test_count]
    networks = [("trained", checkpoint.weights)]
    if untrained:
        networks.append(("untrained", initial_weights(experiment)))
    depth = len(experiment.encoder.layers)
    total = len(networks) * depth + 1
    found: list[list[float]] = []
    for number, (name, network) in enumerate(networks):

        def done(layer: int, before: int = number * depth, name: str = name) -> None:
            report(before + layer, total, f"{name}, layer {layer}")

        train, test = (train_x, train_y), (test_x, test_y)
        found.append(accuracies([readout], network, experiment, train, test, done)[readout])
    inputs = [_mean_inputs(side, experiment) for side in (train_x, test_x)]
    raw = fit(inputs[0], train_y, inputs[1], test_y, experiment.train.seed)
    report(total, total, "inputs")
    return ProbeResult(
        layers=tuple(
            LayerProbe(layer, *values) for layer, values in enumerate(zip(*found, strict=True), 1)
        ),
        inputs=raw,
        readout=readout,
        source=images.source,
        train_images=train_count,
        test_images=test_count,
        seconds=time.perf_counter() - began,
    )


def _mean_inputs(images: npt.NDArray[np.uint8], experiment: Experiment) -> Features:
    parts = [
        image_inputs(images[start : start + IMAGES_AT_ONCE], experiment.data).mean(1)
        for start in range(0, len(images), IMAGES_AT_ONCE)
    ]
    return np.concatenate(parts)


def _count(wanted: int | None, available: int, kind: str) -> int:
    if wanted is None:
        return available
    if not 1 <= wanted <= available:
        raise InputError(f"{wanted} {kind} images were asked for, there are 1 to {available}")
    return wanted
