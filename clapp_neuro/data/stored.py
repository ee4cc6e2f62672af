"""Colour images in a file of STL-10's format, read and turned grey only where they are seen."""

from __future__ import annotations

from pathlib import Path
from typing import overload

import numpy as np
import numpy.typing as npt

from clapp_neuro.config.data import IMAGE_SIDES
from clapp_neuro.errors import InputError

SIDE = IMAGE_SIDES["stl10"]
IMAGE_BYTES = 3 * SIDE * SIDE
IMAGES_AT_ONCE = 1000

Array = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]


class StoredImages:
    """Grey images uint8 (N, 96, 96) that stay in their file until they are indexed.

    The file holds `images` images of 3 channels of 96 columns of 96 uint8 pixels. An integer or
    an array of them gives those images as an array, a slice what stays in the file as it does.
    The file is mapped anew for every index: pages once read do not count as this process's
    memory, and workers that a copy is pickled for need its path alone.
    """

    def __init__(self, path: Path, images: int, rows: Rows | None = None) -> None:
        self.path, self.images = path.absolute(), images
        self.rows = np.arange(images) if rows is None else rows

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(N, 96, 96), as an array says it."""
        return (len(self), SIDE, SIDE)

    @overload
    def __getitem__(self, index: slice) -> StoredImages: ...

    @overload
    def __getitem__(self, index: int | Rows) -> Array: ...

    def __getitem__(self, index: int | Rows | slice) -> Array | StoredImages:
        """IndexError as for an array; InputError where the file is gone or has become shorter."""
        if isinstance(index, slice):
            return StoredImages(self.path, self.images, self.rows[index])
        rows = np.atleast_1d(self.rows[index])
        colours = self._mapped()
        result = np.empty((len(rows), SIDE, SIDE), np.uint8)
        for start in range(0, len(rows), IMAGES_AT_ONCE):
            part = slice(start, start + IMAGES_AT_ONCE)
            result[part] = grey(colours[rows[part]]).swapaxes(1, 2)  # columns first in the file
        return result[0] if np.ndim(index) == 0 else result

    def _mapped(self) -> Array:
        """All images in colour (images, 3, columns, rows), none of them read yet."""
        try:
            return np.memmap(self.path, np.uint8, "r", shape=(self.images, 3, SIDE, SIDE))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"cannot read '{self.path}': {reason}") from error


def grey(images: Array) -> Array:
    """Colour (N, 3, H, W) → grey (N, H, W), luma as Pillow computes it (ITU-R 601-2)."""
    result = np.empty((len(images), *images.shape[2:]), np.uint8)
    for start in range(0, len(images), IMAGES_AT_ONCE):
        red, green, blue = images[start : start + IMAGES_AT_ONCE].astype(np.uint32).swapaxes(0, 1)
        luma = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
        result[start : start + IMAGES_AT_ONCE] = luma
    return result
