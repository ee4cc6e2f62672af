"""Minibatches of images, one a step, cut and flipped in worker processes where there are any."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from clapp_neuro.config import Experiment
from clapp_neuro.data.augmentation import augmentation, augmented
from clapp_neuro.data.images import ImageSet
from clapp_neuro.data.patches import centre_crop
from clapp_neuro.errors import InputError
from clapp_neuro.randomness import Purpose, keyed_generator
from clapp_neuro.rules.registry import METHODS
from clapp_neuro.training.crew import Crew


class Minibatches(Dataset):
    """Item number `step` is this process's part of that minibatch.

    Images uint8 (B, side, side) and labels int64 (B,). A step's content depends on nothing but
    the seed and its number, whoever prepares it. Raises InputError for too few images.
    """

    def __init__(self, experiment: Experiment, images: ImageSet, crew: Crew) -> None:
        self.data, self.seed = experiment.data, experiment.train.seed
        labelled = METHODS[experiment.train.method].labelled
        self.images = images.train_images if labelled else images.learning_images
        self.labels = images.train_labels if labelled else None
        self.size = experiment.train.batch_size * crew.size
        self.own = slice(crew.rank * experiment.train.batch_size,
                         (crew.rank + 1) * experiment.train.batch_size)  # fmt: skip
        if len(self.images) < self.size:
            raise InputError(
                f"{len(self.images)} images do not fill a minibatch of {self.size}: "
                "lower batch_size or give more images"
            )

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        chosen = batch_indices(self.seed, len(self.images), self.size, step)[self.own]
        images = self.images[chosen]
        if self.data.augment:
            random = keyed_generator(self.seed, Purpose.AUGMENTATION, step)
            draws = augmentation(self.data, images.shape[1], random, self.size)
            images = augmented(images, self.data, draws[0][self.own], draws[1][self.own])
        else:
            images = centre_crop(images, self.data.side)
        labels = np.zeros(0, np.int64) if self.labels is None else self.labels[chosen]
        return torch.from_numpy(np.ascontiguousarray(images)), torch.from_numpy(labels)


def minibatches(
    source: Minibatches, first: int, device: torch.device, workers: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """The minibatches from step `first` on, on the device. Endless."""
    if workers == 0:
        loaded: Any = (source[step] for step in itertools.count(first))
    else:
        loaded = DataLoader(
            source,
            batch_size=None,
            sampler=itertools.count(first),
            num_workers=workers,
            pin_memory=device.type == "cuda",
        )
    for images, labels in loaded:
        yield images.to(device, non_blocking=True), labels.to(device, non_blocking=True)


def batch_indices(seed: int, images: int, size: int, step: int) -> npt.NDArray[np.int64]:
    """The images of minibatch `step`: shuffled rounds through the data, the rest left out."""
    number, place = divmod(step, images // size)
    order = keyed_generator(seed, Purpose.BATCH_ORDER, number).permutation(images)
    return order[place * size : (place + 1) * size].astype(np.int64)
