"""Fashion-MNIST (Xiao, Rasul, Vollgraf 2017; MIT licence): 28×28 grey images of ten classes."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

import numpy as np

from clapp_neuro.data.cache import cache_folder, cache_path
from clapp_neuro.data.idx import read_idx
from clapp_neuro.data.images import ImageSet
from clapp_neuro.errors import InputError

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
CLASSES = (
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
IDX_FILES = (
    ("train-images-idx3-ubyte", 3),
    ("train-labels-idx1-ubyte", 1),
    ("t10k-images-idx3-ubyte", 3),
    ("t10k-labels-idx1-ubyte", 1),
)
GET = (
    "get Fashion-MNIST (30 MB) with --data download or from "
    "https://github.com/zalandoresearch/fashion-mnist"
)
DOWNLOAD_SECONDS = 20.0
DOWNLOAD_FOLDER = Path("torchvision", "FashionMNIST", "raw")  # below the user's cache
DOWNLOADED = "Fashion-MNIST, downloaded by torchvision"


def load_fashion(data: str | os.PathLike[str] | None = None) -> ImageSet:
    """Read Fashion-MNIST.

    data: a folder with the four idx files (plain or .gz, or torchvision's layout below it),
    "download" to fetch them through torchvision, or None: Debian's package where it is installed,
    else what was downloaded before, else the 3,000 + 1,000 images that come with clapp-neuro.
    Raises InputError where a named folder lacks the files or the download fails.
    """
    if data == "download":
        return _read_folder(download_fashion(), DOWNLOADED)
    if data is not None:
        folder = Path(data)
        for candidate in (folder, folder / "FashionMNIST" / "raw", folder / "raw"):
            if _has_files(candidate):
                return _read_folder(candidate, f"Fashion-MNIST in '{candidate}'")
        missing = [name for name, _ in IDX_FILES if _find(folder, name) is None]
        raise InputError(
            f"'{folder}' does not hold Fashion-MNIST: expected {missing[0]}[.gz] and the three "
            f"other idx files in it or in FashionMNIST/raw below it; {GET}"
        )
    if _has_files(DEBIAN_FOLDER):
        return _read_folder(DEBIAN_FOLDER, "Fashion-MNIST of Debian's dataset-fashion-mnist")
    if _has_files(cache_path() / DOWNLOAD_FOLDER):
        return _read_folder(cache_path() / DOWNLOAD_FOLDER, DOWNLOADED)
    return load_shipped()


def load_shipped() -> ImageSet:
    """The class-balanced subset that comes with clapp-neuro: 3,000 train, 1,000 test images."""
    with resources.as_file(resources.files("clapp_neuro").joinpath("data/shipped")) as folder:
        return _read_folder(folder, "Fashion-MNIST subset that comes with clapp-neuro")


def download_fashion() -> Path:
    """Fetch the full set through torchvision into the user's cache; returns the idx folder.

    Raises InputError where the network or the server does not answer.
    """
    import socket

    from torchvision.datasets import FashionMNIST

    raw = cache_folder() / DOWNLOAD_FOLDER
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_SECONDS)
    try:
        FashionMNIST(root=str(raw.parent.parent), train=True, download=True)
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"Fashion-MNIST could not be downloaded ({error}): give --data DIR with its idx "
            "files, or leave --data out to use the images that come with clapp-neuro"
        ) from error
    finally:
        socket.setdefaulttimeout(before)
    return raw


def _find(folder: Path, name: str) -> Path | None:
    for candidate in (folder / f"{name}.gz", folder / name):
        if candidate.is_file():
            return candidate
    return None


def _has_files(folder: Path) -> bool:
    return all(_find(folder, name) is not None for name, _ in IDX_FILES)


def _read_folder(folder: Path, source: str) -> ImageSet:
    arrays = []
    for name, dimensions in IDX_FILES:
        path = _find(folder, name)
        if path is None:
            raise InputError(f"'{folder}' lacks {name}[.gz]; {GET}")
        try:
            arrays.append(read_idx(path, dimensions))
        except InputError as error:
            raise InputError(f"{error}; delete it, and {GET}") from error
    train_images, train_labels, test_images, test_labels = arrays
    for images, labels in ((train_images, train_labels), (test_images, test_labels)):
        if images.shape[1:] != (28, 28):
            raise InputError(f"'{folder}' holds {images.shape[1:]} images, not (28, 28)")
        if len(images) != len(labels):
            raise InputError(f"'{folder}' holds {len(images)} images but {len(labels)} labels")
        if len(labels) and labels.max() >= len(CLASSES):
            raise InputError(f"'{folder}' has the label {labels.max()}, but labels go from 0 to 9")
    return ImageSet(
        dataset="fashion-mnist",
        source=source,
        classes=CLASSES,
        train_images=train_images,
        train_labels=train_labels.astype(np.int64),
        test_images=test_images,
        test_labels=test_labels.astype(np.int64),
    )
