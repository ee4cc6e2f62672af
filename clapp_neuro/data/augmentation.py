"""Random crops and mirror images (paper, Appendix B.1). NumPy only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clapp_neuro.config import DataConfig
from clapp_neuro.errors import InputError

Corners = npt.NDArray[np.int64]
Flips = npt.NDArray[np.bool_]


def augmentation(
    config: DataConfig, full: int, random: np.random.Generator, size: int
) -> tuple[Corners, Flips]:
    """Corners (B, 2) of random crops and, for half of the images, flips (paper, Appendix B.1).

    Raises InputError where images of `full` pixels are smaller than the crop.
    """
    if full < config.side:
        raise InputError(f"images of {full}x{full} pixels are smaller than the crop {config.side}")
    corners = random.integers(0, full - config.side + 1, (size, 2))
    return corners, random.random(size) < 0.5


def augmented(
    images: npt.NDArray[np.uint8], config: DataConfig, corners: Corners, flips: Flips
) -> npt.NDArray[np.uint8]:
    """The crops of images (B, H, W) at these corners, mirrored where said."""
    crops = [
        image[top : top + config.side, left : left + config.side][:, :: -1 if flip else 1]
        for image, (top, left), flip in zip(images, corners, flips, strict=True)
    ]
    return np.stack(crops)
