"""Which patches a neuron answers most strongly to (paper, Fig. 3a and 8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from clapp_neuro.config import DataConfig, Experiment
from clapp_neuro.data.patches import centre_crop, image_inputs
from clapp_neuro.encoders.activity import activities
from clapp_neuro.errors import InputError

IMAGES_AT_ONCE = 250
BLOCKS_ABREAST = 3
TILE = 0.55
"""Inches of one image."""

GAP = 2
"""White pixels between images."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Preferred:
    """The preferred patches of the chosen neurons of a layer (from 1), strongest first.

    neurons (n,), from 0. image, position, activity (n, count): index of the image and of the patch
    in it, and the neuron's z there. silent: how many neurons of the layer never answered.
    """

    layer: int
    neurons: npt.NDArray[np.int64]
    image: npt.NDArray[np.int64]
    position: npt.NDArray[np.int64]
    activity: npt.NDArray[np.float32]
    silent: int


class _Seen:
    """What is known of all neurons of a layer after so many images."""

    def __init__(self) -> None:
        self.patches = 0
        self.sum: Array = np.zeros(1)
        self.squares: Array = np.zeros(1)
        self.strongest: list[Array] = []  # activity, image, position, each (kept, N)

    def add(self, z: Array, first: int, count: int) -> None:
        """Activity z (B, P, N) of the images from `first` on; the `count` strongest are kept."""
        position = z.argmax(1)
        activity = np.take_along_axis(z, position[:, None], 1)[:, 0]
        image = np.broadcast_to(first + np.arange(len(z))[:, None], position.shape)
        new = [activity, image, position]
        if self.strongest:
            new = [np.concatenate(pair) for pair in zip(self.strongest, new, strict=True)]
        # stable, the earlier images first: where several are equal, the earliest is kept
        order = np.argsort(-new[0], axis=0, kind="stable")[:count]
        self.strongest = [np.take_along_axis(values, order, 0) for values in new]
        self.patches += z.shape[0] * z.shape[1]
        self.sum = self.sum + z.sum((0, 1), dtype=np.float64)
        self.squares = self.squares + np.square(z, dtype=np.float64).sum((0, 1))

    def choose(self, layer: int, neurons: int) -> Preferred:
        """The most variable neurons, the lowest number first where several are equal."""
        variance = self.squares / self.patches - (self.sum / self.patches) ** 2
        awake = self.strongest[0][0] > 0
        order = np.argsort(-variance, kind="stable")
        chosen = order[awake[order]][:neurons]
        activity, image, position = (values[:, chosen].T for values in self.strongest)
        return Preferred(layer, chosen, image, position, activity, int((~awake).sum()))


def preferred_patches(
    weights: Mapping[str, Tensor],
    experiment: Experiment,
    images: npt.NDArray[np.uint8],
    neurons: int,
    count: int,
) -> list[Preferred]:
    """For each layer the `count` patches that its neurons answer most to, one an image at most.

    Of each layer the `neurons` neurons whose activity z varies most over all patches are taken,
    fewer where fewer ever answer. Images (B, H, W) are seen in their centre crop, in parts.
    Raises InputError for fewer images than patches, numbers below 1, or activity that is not
    finite.
    """
    if neurons < 1 or count < 1:
        raise InputError(f"give at least 1 neuron and 1 patch, not {neurons} and {count}")
    if len(images) < count:
        raise InputError(
            f"{count} patches of different images were asked for, there are {len(images)} images"
        )
    seen = [_Seen() for _ in experiment.encoder.layers]
    for start in range(0, len(images), IMAGES_AT_ONCE):
        inputs = torch.from_numpy(
            image_inputs(images[start : start + IMAGES_AT_ONCE], experiment.data)
        )
        answers = activities(weights, inputs.flatten(0, 1), experiment)
        for number, (layer, z) in enumerate(zip(seen, answers, strict=True), 1):
            if not torch.isfinite(z).all():
                raise InputError(f"the activity of layer {number} holds NaN or infinite values")
            layer.add(z.unflatten(0, inputs.shape[:2]).numpy(), start, count)
    return [layer.choose(number, neurons) for number, layer in enumerate(seen, 1)]


def draw_preferred(
    images: npt.NDArray[np.uint8], found: Sequence[Preferred], config: DataConfig
) -> Figure:
    """One block a layer: a row for each neuron, its images with a red box around the patch.

    images (B, H, W): those that `found` was found in. Raises InputError where there is no layer
    or these are other images.
    """
    if not found:
        raise InputError("a picture of preferred patches needs at least one layer")
    if max(layer.image.max(initial=0) for layer in found) >= len(images):
        raise InputError(f"the patches were not found in these {len(images)} images: give the same")
    columns = min(BLOCKS_ABREAST, len(found))
    rows = -(-len(found) // columns)
    wide, high = (max(layer.image.shape[axis] for layer in found) for axis in (1, 0))
    size = (columns * (TILE * wide + 0.6), rows * (TILE * max(1, high) + 0.5))
    figure = Figure(figsize=size, layout="constrained")
    for number, layer in enumerate(found, 1):
        axes = figure.add_subplot(rows, columns, number)
        total = f", {layer.silent} silent" if layer.silent else ""
        axes.set_title(f"layer {layer.layer}{total}", fontsize="medium")
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_visible(False)
        if layer.image.size:
            _draw_block(axes, images, layer, config)
    return figure


def _draw_block(axes: Axes, images: Array, layer: Preferred, config: DataConfig) -> None:
    side, pace = config.side, config.side + GAP
    rows, columns = layer.image.shape
    # one picture a layer: as many axes as images would take matplotlib minutes
    canvas = np.full((rows * pace - GAP, columns * pace - GAP), 255, np.uint8)
    for row, column in np.ndindex(rows, columns):
        place = np.s_[row * pace : row * pace + side, column * pace : column * pace + side]
        canvas[place] = centre_crop(images[layer.image[row, column]], side)
        left, top = np.divmod(layer.position[row, column], config.grid) * np.array(config.stride)
        corner = (column * pace + left - 0.5, row * pace + top - 0.5)  # a pixel's centre is whole
        axes.add_patch(Rectangle(corner, config.patch, config.patch, fill=False, edgecolor="red"))
    axes.imshow(canvas, cmap="gray", vmin=0, vmax=255)
    axes.set_yticks(np.arange(rows) * pace + side / 2, [str(neuron) for neuron in layer.neurons])
    axes.tick_params(length=0, labelsize="small")
