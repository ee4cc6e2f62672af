"""Images → patches → what the input neurons send. NumPy only."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from clapp_neuro.config import DataConfig
from clapp_neuro.data.fixations import Fixations
from clapp_neuro.data.stored import StoredImages
from clapp_neuro.errors import InputError

ON_OFF_RANGE = 3.0
"""Standard deviations that on-off coding maps to a full input of 1; beyond, it clips."""

Array = npt.NDArray[Any]


def centre_crop(images: Array, side: int) -> Array:
    """The central `side`×`side` pixels of images (B, H, W); InputError if they are smaller."""
    height, width = images.shape[-2:]
    if height < side or width < side:
        raise InputError(f"images of {height}x{width} pixels are smaller than the crop {side}")
    top, left = (height - side) // 2, (width - side) // 2
    return images[..., top : top + side, left : left + side]


def cut_patches(images: Array, patch: int, stride: int) -> Array:
    """Images (B, H, W) → patches (B, P, patch²) of the same type, scanned down the columns.

    Position p is row p mod R of column p // R, where R is the number of rows; the pixels of a
    patch are in reading order. Raises InputError where not even one patch fits.
    """
    if images.ndim != 3:
        raise InputError(f"grey images have the shape (B, H, W), not {images.shape}")
    if min(images.shape[1:]) < patch:
        raise InputError(f"a {patch}x{patch} patch does not fit images {images.shape[1:]}")
    windows = np.lib.stride_tricks.sliding_window_view(images, (patch, patch), axis=(1, 2))
    columns_first = windows[:, ::stride, ::stride].swapaxes(1, 2)
    count = columns_first.shape[1] * columns_first.shape[2]
    return columns_first.reshape(len(images), count, patch * patch)


def encode(patches: Array, config: DataConfig) -> tuple[npt.NDArray[np.float32], int]:
    """Patches (..., patch²) → inputs (..., inputs), and how many values were clipped.

    uint8 pixels are divided by 255, float pixels are taken as they are and must lie in 0..1.
    signed: x = (pixel − mean)/std, of both signs; the other codings lie in 0..1. on-off: the
    first half of the inputs is max(x, 0), the second max(−x, 0), both divided by 3 (standard
    deviations) and clipped at 1 (paper, Appendix C: a quantity with a sign needs a pair of
    neurons, since neither activity can be negative).
    """
    pixels = _unit_pixels(patches)
    if config.coding == "intensity":
        return pixels, 0
    if config.coding == "signed":
        return (pixels - np.float32(config.mean)) / np.float32(config.std), 0
    scaled = (pixels - np.float32(config.mean)) / np.float32(config.std * ON_OFF_RANGE)
    clipped = int(np.count_nonzero(np.abs(scaled) > 1))
    scaled = np.clip(scaled, -1, 1)
    pair = np.concatenate([np.maximum(scaled, 0), np.maximum(-scaled, 0)], axis=-1)
    return pair.astype(np.float32), clipped


def image_inputs(images: Array, config: DataConfig) -> npt.NDArray[np.float32]:
    """Images (B, H, W) → inputs (B, P, inputs) of their centre, in the order of the fixations."""
    patches = cut_patches(centre_crop(images, config.side), config.patch, config.stride)
    return encode(patches, config)[0]


def fixated_inputs(
    images: Array | StoredImages, fixations: Fixations, config: DataConfig
) -> npt.NDArray[np.float32]:
    """What the input neurons send at each fixation of a stretch of the stream, (n, inputs).

    images (B, H, W) are indexed by `fixations.image`; only the images looked at are read, once.
    """
    chosen, place = np.unique(fixations.image, return_inverse=True)
    centre = centre_crop(images[chosen], config.side)
    size = (config.patch, config.patch)
    windows = np.lib.stride_tricks.sliding_window_view(centre, size, axis=(1, 2))
    column, row = np.divmod(fixations.position, config.grid)
    seen = windows[place, row * config.stride, column * config.stride]
    return encode(seen.reshape(len(seen), -1), config)[0]


def intensities(inputs: Array) -> npt.NDArray[np.uint8]:
    """Inputs in 0..1 → graded payloads 0..255 of the chip's input neurons: round(255·x)."""
    return np.rint(np.asarray(inputs, dtype=np.float64) * 255).astype(np.uint8)


def _unit_pixels(patches: Array) -> npt.NDArray[np.float32]:
    if patches.dtype == np.uint8:
        return patches.astype(np.float32) / np.float32(255)
    if not np.issubdtype(patches.dtype, np.floating):
        raise InputError(f"pixels are uint8 or floats in 0..1, not {patches.dtype}")
    if patches.size and not (np.min(patches) >= 0 and np.max(patches) <= 1):
        raise InputError("float pixels must lie in 0..1, divide by the largest value")
    return patches.astype(np.float32)
