"""STL-10 (Coates, Ng, Lee 2011): 96×96 colour images, ten classes, most of them without a label."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clapp_neuro.data import photographs
from clapp_neuro.data.cache import cache_folder
from clapp_neuro.data.images import ImageSet
from clapp_neuro.errors import InputError

FOLDER = "stl10_binary"
IMAGES_AT_ONCE = 1000

Open = Callable[[str], Any]
"""Opens one split ("train", "test", "unlabeled") as a torchvision STL10 data set."""


def load_stl10(data: str | os.PathLike[str] | None = None) -> ImageSet:
    """Read STL-10 in grey (N, 96, 96), through torchvision's reader.

    data: a folder that holds `stl10_binary`, "download" (2.6 GB, through torchvision),
    "photographs" for the stand-in of `data.photographs`, or None: `data` below the current folder
    or the user's cache where they hold STL-10, else the stand-in. `source` says which it was.
    Raises InputError where a named folder lacks the files or they are damaged.
    """
    if data == "photographs":
        return _stand_in()
    if data == "download":
        root = cache_folder() / "torchvision"
        return _read(_torchvision(root, download=True), "STL-10, downloaded by torchvision")
    if data is None:
        for root in (Path("data"), cache_folder() / "torchvision"):
            if (root / FOLDER).is_dir() and not photographs.is_stand_in(root):
                return _read(_torchvision(root), f"STL-10 in '{root}'")
        return _stand_in()
    root = Path(data)
    root = root.parent if root.name == FOLDER else root
    if not (root / FOLDER).is_dir():
        raise InputError(f"'{data}' does not hold STL-10: expected the folder {FOLDER} in it")
    if photographs.is_stand_in(root):
        return _read(photographs.opener(root), f"stand-in photographs in '{root}', not STL-10")
    return _read(_torchvision(root), f"STL-10 in '{root}'")


def grey(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Colour (N, 3, H, W) → grey (N, H, W), luma as Pillow computes it (ITU-R 601-2)."""
    result = np.empty((len(images), *images.shape[2:]), np.uint8)
    for start in range(0, len(images), IMAGES_AT_ONCE):
        red, green, blue = images[start : start + IMAGES_AT_ONCE].astype(np.uint32).swapaxes(0, 1)
        luma = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
        result[start : start + IMAGES_AT_ONCE] = luma
    return result


def _stand_in() -> ImageSet:
    root = photographs.stand_in_folder()
    source = f"{len(photographs.PHOTOGRAPHS)} photographs of scikit-image, a stand-in for STL-10"
    return _read(photographs.opener(root), source)


def _torchvision(root: Path, download: bool = False) -> Open:
    from torchvision.datasets import STL10

    return lambda split: STL10(root=str(root), split=split, download=download)


def _read(open_split: Open, source: str) -> ImageSet:
    try:
        train, test, unlabelled = (open_split(split) for split in ("train", "test", "unlabeled"))
    except (OSError, RuntimeError, ValueError) as error:
        # torchvision names an option of its own that users of ours do not have
        reason = str(error).replace("You can use download=True to download it", "").strip()
        raise InputError(
            f"cannot read {source}: {reason} Give a folder with the whole data set, or fetch it "
            "with --data download (2.6 GB)"
        ) from error
    return ImageSet(
        dataset="stl10",
        source=source,
        classes=tuple(train.classes),
        train_images=grey(train.data),
        train_labels=np.asarray(train.labels, np.int64),
        test_images=grey(test.data),
        test_labels=np.asarray(test.labels, np.int64),
        unlabelled_images=grey(unlabelled.data),
    )
