"""A stand-in for STL-10 where it cannot be had: crops of ten photographs that scikit-image ships.

The class is the photograph. Each is divided into three upright bands, and training, test and
unlabelled crops come from one band each, so that no two splits share a pixel. The files are
written in STL-10's own binary format and read by torchvision's STL10.
"""

from __future__ import annotations

import hashlib
import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clapp_neuro.data.cache import cache_folder
from clapp_neuro.errors import InputError
from clapp_neuro.files import write_whole
from clapp_neuro.randomness import Purpose, keyed_generator

PHOTOGRAPHS = (
    "astronaut.png",
    "brick.png",
    "camera.png",
    "chelsea.png",
    "coffee.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "motorcycle_left.png",
    "rocket.jpg",
)
"""In the scikit-image wheel itself: nothing is downloaded. Grey ones have three equal channels."""

SIDE = 96
CROPS = {"train": 50, "test": 40, "unlabeled": 200}
"""Crops of each photograph, in the order of the bands from left to right."""

FOLDS = 10
CHECKSUMS = "checksums.json"
FOLDER = "stl10_binary"


def stand_in_folder() -> Path:
    """The root of the stand-in in the user's cache, written there at its first use."""
    root = cache_folder() / "photographs"
    if not is_stand_in(root):
        write_stand_in(root)
    return root


def is_stand_in(root: Path) -> bool:
    """Whether `root` holds a whole stand-in: its checksums are written last."""
    return (root / FOLDER / CHECKSUMS).is_file()


def write_stand_in(root: Path) -> None:
    """Write the stand-in below `root` in STL-10's format.

    Images: uint8, one after another, 3 channels of 96 columns of 96 pixels. Labels: uint8 from 1.
    Raises InputError where scikit-image or one of its photographs is missing, or `root` cannot be
    written.
    """
    folder = root / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make '{folder}': {error.strerror or error}") from error
    pictures = [_photograph(name) for name in PHOTOGRAPHS]
    checksums = {}
    for band, (split, count) in enumerate(CROPS.items()):
        crops = np.concatenate(
            [_crops(picture, band, count, number) for number, picture in enumerate(pictures)]
        )
        labels = np.repeat(np.arange(1, len(PHOTOGRAPHS) + 1, dtype=np.uint8), count)
        order = _order(band, len(crops))
        # (N, rows, columns, channels) -> channels, columns, rows: STL-10 is column-major
        images = np.ascontiguousarray(crops[order].transpose(0, 3, 2, 1))
        checksums[f"{split}_X.bin"] = _write(folder / f"{split}_X.bin", images.tobytes())
        if split != "unlabeled":
            content = labels[order].tobytes()
            checksums[f"{split}_y.bin"] = _write(folder / f"{split}_y.bin", content)
    names = "\n".join(Path(name).stem for name in PHOTOGRAPHS) + "\n"
    _write(folder / "class_names.txt", names.encode())
    _write(folder / "fold_indices.txt", _folds().encode())
    _write(folder / CHECKSUMS, json.dumps(checksums, indent=2).encode())


def counts() -> dict[str, int]:
    """Images of each split, by its name."""
    return {split: crops * len(PHOTOGRAPHS) for split, crops in CROPS.items()}


def checksums(root: Path) -> dict[str, str]:
    """MD5 of each file of images or labels, by its name, as written with the stand-in.

    Raises InputError where the file of checksums is damaged.
    """
    path = root / FOLDER / CHECKSUMS
    try:
        return {str(name): str(md5) for name, md5 in json.loads(path.read_text("utf-8")).items()}
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(
            f"'{path}' is damaged: delete '{root}', and --data photographs makes the stand-in anew"
        ) from error


def _photograph(name: str) -> npt.NDArray[np.uint8]:
    """RGB pixels (rows, columns, 3) of a file of the installed scikit-image."""
    from PIL import Image

    package = find_spec("skimage")
    if package is None or package.origin is None:
        raise InputError("the stand-in photographs need scikit-image: pip install scikit-image")
    path = Path(package.origin).parent / "data" / name
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGB"))
    except OSError as error:
        raise InputError(f"scikit-image's '{path}' cannot be read: reinstall it") from error


def _crops(
    picture: npt.NDArray[np.uint8], band: int, count: int, number: int
) -> npt.NDArray[np.uint8]:
    """Random crops (count, 96, 96, 3) that lie wholly within one of three upright bands."""
    generator = keyed_generator(band, Purpose.PHOTOGRAPH_CROPS, number)
    width = picture.shape[1] // len(CROPS)
    top = generator.integers(0, picture.shape[0] - SIDE + 1, count)
    left = band * width + generator.integers(0, width - SIDE + 1, count)
    corners = zip(top, left, strict=True)
    return np.stack([picture[t : t + SIDE, x : x + SIDE] for t, x in corners])


def _order(band: int, count: int) -> npt.NDArray[np.int64]:
    generator = keyed_generator(band, Purpose.PHOTOGRAPH_CROPS, len(PHOTOGRAPHS))
    return generator.permutation(count).astype(np.int64)


def _folds() -> str:
    """Ten lines of indices into the training set, a fifth of it each, as in STL-10."""
    count = CROPS["train"] * len(PHOTOGRAPHS)
    lines = []
    for fold in range(FOLDS):
        generator = keyed_generator(fold, Purpose.PHOTOGRAPH_CROPS, len(PHOTOGRAPHS) + 1)
        lines.append(" ".join(str(index) for index in generator.permutation(count)[: count // 5]))
    return "\n".join(lines) + "\n"


def _write(path: Path, content: bytes) -> str:
    """Write a file whole; returns its MD5 in hexadecimal, which torchvision compares."""
    write_whole(path, lambda file: file.write(content))
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
