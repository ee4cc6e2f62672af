"""Linear readout: how well a layer's frozen activity separates the classes."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from clapp_neuro.checkpoint import load_checkpoint
from clapp_neuro.config import Experiment
from clapp_neuro.data.images import ImageSet, load_images
from clapp_neuro.data.patches import image_inputs
from clapp_neuro.encoders.activity import activities
from clapp_neuro.encoders.initial import initial_weights
from clapp_neuro.errors import InputError
from clapp_neuro.progress import Report, silent

IMAGES_AT_ONCE = 250
ITERATIONS = 1000
TOLERANCE = 1e-3
PENALTY = 1e-3
"""L2 penalty of the readout, relative to the mean log-loss of a sample."""

Features = npt.NDArray[Any]


@dataclass(frozen=True)
class LayerProbe:
    """Test accuracies in 0..1 of one layer's readout: of the checkpoint, and untrained."""

    layer: int
    accuracy: float
    untrained: float


@dataclass(frozen=True)
class ProbeResult:
    """Readouts of all layers, and of the raw inputs averaged over the positions."""

    layers: tuple[LayerProbe, ...]
    inputs: float
    source: str
    train_images: int
    test_images: int
    seconds: float


def linear_readout(
    train_x: Features, train_y: Features, test_x: Features, test_y: Features
) -> float:
    """Accuracy in 0..1 on the test set of a logistic regression fitted to the training set.

    x: (N, features), whatever computed them (float activity, or counts read from a chip);
    y: (N,) class numbers. Features are standardised by the training set. The fit is
    deterministic. Raises InputError for shapes that do not fit or fewer than two classes.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    for name, x, y in (("training", train_x, train_y), ("test", test_x, test_y)):
        if x.ndim != 2 or len(x) != len(y) or len(x) == 0:
            raise InputError(
                f"{name} features {x.shape} and labels {y.shape} must be (N, features) and (N,)"
            )
        if not np.isfinite(x).all():
            raise InputError(f"{name} features hold NaN or infinite values")
    if train_x.shape[1] != test_x.shape[1]:
        raise InputError(f"{train_x.shape[1]} training but {test_x.shape[1]} test features")
    if len(np.unique(train_y)) < 2:
        raise InputError("a readout needs images of at least two classes to train on")
    scaler = StandardScaler().fit(train_x)
    classifier = LogisticRegression(
        C=1 / (PENALTY * len(train_x)), max_iter=ITERATIONS, tol=TOLERANCE, random_state=0
    )
    classifier.fit(scaler.transform(train_x), train_y)
    return float(classifier.score(scaler.transform(test_x), test_y))


def layer_features(
    weights: Mapping[str, Tensor], experiment: Experiment, images: npt.NDArray[np.uint8]
) -> list[npt.NDArray[np.float64]]:
    """Mean activity z over an image's positions, (images, N), for each layer.

    Images (B, H, W) are seen in their centre crop.
    """
    parts: list[list[npt.NDArray[np.float64]]] = [[] for _ in experiment.encoder.layers]
    for start in range(0, len(images), IMAGES_AT_ONCE):
        inputs = torch.from_numpy(
            image_inputs(images[start : start + IMAGES_AT_ONCE], experiment.data)
        )
        for layer, z in enumerate(activities(weights, inputs.flatten(0, 1), experiment)):
            grid = z.view(len(inputs), -1, z.shape[1])
            parts[layer].append(grid.mean(1).double().numpy())
    return [np.concatenate(part) for part in parts]


def probe(
    path: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | None = None,
    train_images: int | None = None,
    test_images: int | None = None,
    report: Report = silent,
) -> ProbeResult:
    """Linear readout of every layer of a checkpoint, beside the same network untrained.

    Both are trained on the same labelled images and tested on the test split; `train_images` and
    `test_images` use only the first so many. data: see `load_images`.
    Raises InputError for a file that is no checkpoint or data that are not there.
    """
    checkpoint = load_checkpoint(path)
    experiment = checkpoint.experiment
    images = load_images(experiment.data, data)
    began = time.perf_counter()
    return _probe(
        checkpoint.weights,
        experiment,
        images,
        _count(train_images, len(images.train_images), "training"),
        _count(test_images, len(images.test_images), "test"),
        began,
        report,
    )


def _probe(
    weights: Mapping[str, Tensor],
    experiment: Experiment,
    images: ImageSet,
    train_count: int,
    test_count: int,
    began: float,
    report: Report,
) -> ProbeResult:
    train_x, train_y = images.train_images[:train_count], images.train_labels[:train_count]
    test_x, test_y = images.test_images[:test_count], images.test_labels[:test_count]
    total = 2 * len(experiment.encoder.layers) + 1
    done = 0
    accuracies: list[list[float]] = []
    for name, network in (("trained", weights), ("untrained", initial_weights(experiment))):
        train_features = layer_features(network, experiment, train_x)
        test_features = layer_features(network, experiment, test_x)
        accuracies.append([])
        for layer, (ours, theirs) in enumerate(zip(train_features, test_features, strict=True), 1):
            accuracies[-1].append(linear_readout(ours, train_y, theirs, test_y))
            done += 1
            report(done, total, f"{name}, layer {layer}")
    raw = linear_readout(
        _mean_inputs(train_x, experiment), train_y, _mean_inputs(test_x, experiment), test_y
    )
    report(total, total, "inputs")
    layers = tuple(
        LayerProbe(layer, trained, untrained)
        for layer, (trained, untrained) in enumerate(zip(*accuracies, strict=True), 1)
    )
    return ProbeResult(
        layers=layers,
        inputs=raw,
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
