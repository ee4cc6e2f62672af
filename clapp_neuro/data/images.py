"""A data set as arrays, whatever it was read from."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from clapp_neuro.config import DataConfig
from clapp_neuro.data.stored import StoredImages
from clapp_neuro.errors import InputError


@dataclass(frozen=True)
class ImageSet:
    """Grey images uint8 (N, H, W) with labels int64 (N,), and where they came from.

    Unlabelled images that are too many for memory stay in their file: what looks at
    `learning_images` may take their length and shape, slice them, and index them by an array.
    """

    dataset: str
    source: str
    classes: tuple[str, ...]
    train_images: npt.NDArray[np.uint8]
    train_labels: npt.NDArray[np.int64]
    test_images: npt.NDArray[np.uint8]
    test_labels: npt.NDArray[np.int64]
    unlabelled_images: npt.NDArray[np.uint8] | StoredImages | None = None

    @property
    def learning_images(self) -> npt.NDArray[np.uint8] | StoredImages:
        """What self-supervised learning looks at: the unlabelled images where there are some."""
        return self.train_images if self.unlabelled_images is None else self.unlabelled_images

    def summary(self) -> dict[str, Any]:
        """Name, source and numbers, as a checkpoint records them."""
        return {
            "dataset": self.dataset,
            "source": self.source,
            "images": len(self.learning_images),
            "test_images": len(self.test_images),
        }


def load_images(config: DataConfig, data: str | os.PathLike[str] | None = None) -> ImageSet:
    """Read the data set that `config` names.

    data: a folder, "download" (through torchvision), or None for what is at hand; `source` of the
    result says which it was. `config.images` keeps only the first so many learning images.
    Raises InputError where the folder lacks the data, or there are no images.
    """
    if config.dataset == "fashion-mnist":
        from clapp_neuro.data import fashion

        images = fashion.load_fashion(data)
    else:
        from clapp_neuro.data import stl10

        images = stl10.load_stl10(data)
    return _first_images(images, config.images)


def _first_images(images: ImageSet, count: int | None) -> ImageSet:
    available = len(images.learning_images)
    if available == 0 or len(images.test_images) == 0:
        raise InputError(f"{images.source} holds no images: give a folder with a whole data set")
    if count is None:
        return images
    if count > available:
        raise InputError(f"{images.source} holds {available} images, but {count} were asked for")
    if images.unlabelled_images is not None:
        return replace(images, unlabelled_images=images.unlabelled_images[:count])
    return replace(
        images,
        train_images=images.train_images[:count],
        train_labels=images.train_labels[:count],
    )
