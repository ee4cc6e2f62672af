"""The world changes: the same images, seen otherwise, or other classes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from clapp_neuro.data.images import ImageSet
from clapp_neuro.errors import InputError, unknown
from clapp_neuro.randomness import Purpose, keyed_generator

DIMMED = 4  # times as dark
NOISE = 64.0  # standard deviation, of 255
NEW_CLASSES = "new-classes"

Images = npt.NDArray[np.uint8]


def rotate90(images: Images, seed: int, part: int) -> Images:
    """A quarter turn to the left."""
    return np.ascontiguousarray(np.rot90(images, axes=(1, 2)))


def dim(images: Images, seed: int, part: int) -> Images:
    """A quarter of the light."""
    return images // np.uint8(DIMMED)


def noise(images: Images, seed: int, part: int) -> Images:
    """Normal noise on every pixel, clipped to 0..255, always the same on the same image."""
    random = keyed_generator(seed, Purpose.DRIFT, part)
    noisy = images + random.normal(0, NOISE, images.shape).astype(np.float32)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def invert(images: Images, seed: int, part: int) -> Images:
    """Black for white."""
    return np.uint8(255) - images


CHANGES: dict[str, Callable[[Images, int, int], Images]] = {
    "rotate90": rotate90,
    "dim": dim,
    "noise": noise,
    "invert": invert,
}
DRIFTS = (*CHANGES, NEW_CLASSES)


def require_drift(drift: str) -> None:
    """Raise InputError, with the nearest one, where there is no such change."""
    if drift not in DRIFTS:
        raise unknown("drift", drift, DRIFTS)


def worlds(images: ImageSet, drift: str, seed: int) -> tuple[ImageSet, ImageSet]:
    """The data before and after the change.

    With `new-classes` the first half of the classes, then the second. Raises InputError for an
    unknown drift, for unlabelled learning images with `new-classes`, and where pictures are not
    square but to be turned.
    """
    require_drift(drift)
    if images.unlabelled_images is not None:
        raise InputError(
            f"the learning images of {images.dataset} lie in their file, unlabelled: change a data "
            "set that is held in memory, such as fashion-mnist"
        )
    if drift == NEW_CLASSES:
        half = len(images.classes) // 2
        return _classes(images, 0, half), _classes(images, half, len(images.classes))
    change = CHANGES[drift]
    changed = replace(
        images,
        source=f"{images.source}, {drift}",
        train_images=change(images.train_images, seed, 0),
        test_images=change(images.test_images, seed, 1),
    )
    return images, changed


def _classes(images: ImageSet, first: int, end: int) -> ImageSet:
    train, test = (
        (labels >= first) & (labels < end) for labels in (images.train_labels, images.test_labels)
    )
    if not train.any() or not test.any():
        raise InputError(f"{images.source} has no images of the classes {first} to {end - 1}")
    return replace(
        images,
        source=f"{images.source}, classes {first} to {end - 1}",
        train_images=images.train_images[train],
        train_labels=images.train_labels[train],
        test_images=images.test_images[test],
        test_labels=images.test_labels[test],
    )
