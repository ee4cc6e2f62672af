"""STL-10 (Coates, Ng, Lee 2011): 96×96 colour images, ten classes, most of them without a label."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from clapp_neuro.data import photographs
from clapp_neuro.data.cache import cache_folder
from clapp_neuro.data.images import ImageSet
from clapp_neuro.data.stored import IMAGE_BYTES, StoredImages, grey
from clapp_neuro.errors import InputError

FOLDER = "stl10_binary"
ARCHIVE = "stl10_binary.tar.gz"
ARCHIVE_BYTES = 2_640_397_119
COUNTS = {"train": 5_000, "test": 8_000, "unlabeled": 100_000}
LABELLED = ("train_X.bin", "train_y.bin", "test_X.bin", "test_y.bin")
UNLABELLED = "unlabeled_X.bin"
CLASS_NAMES = "class_names.txt"
GET = "get STL-10 from https://cs.stanford.edu/~acoates/stl10/ or with --data download (2.6 GB)"


def load_stl10(data: str | os.PathLike[str] | None = None) -> ImageSet:
    """Read STL-10 in grey (N, 96, 96); the unlabelled images stay in their file (`StoredImages`).

    data: a folder that holds `stl10_binary`, "download" (2.6 GB, through torchvision),
    "photographs" for the stand-in of `data.photographs`, or None: `data` below the current folder
    or the user's cache where they hold STL-10, else the stand-in. `source` says which it was.
    Raises InputError where the download fails, or where files are missing, of another size than
    STL-10's, or damaged; of the unlabelled images only the size is looked at.
    """
    if data == "photographs":
        return _stand_in()
    if data == "download":
        return _read(_download(), "STL-10, downloaded by torchvision")
    if data is None:
        for root in (Path("data"), cache_folder() / "torchvision"):
            if is_begun(root) and not photographs.is_stand_in(root):
                return _read(root, f"STL-10 in '{root}'")
        return _stand_in()
    root = Path(data)
    root = root.parent if root.name in (FOLDER, ARCHIVE) else root
    if photographs.is_stand_in(root):
        return _read(root, f"stand-in photographs in '{root}', not STL-10")
    return _read(root, f"STL-10 in '{root}'")


def _stand_in() -> ImageSet:
    root = photographs.stand_in_folder()
    return _read(
        root, f"{len(photographs.PHOTOGRAPHS)} photographs of scikit-image, a stand-in for STL-10"
    )


def is_begun(root: Path) -> bool:
    """Whether someone has put STL-10 here, whole or not: the stand-in must not replace it."""
    return (root / FOLDER).is_dir() or (root / ARCHIVE).is_file()


def _download() -> Path:
    """The root below which torchvision has put STL-10, now where it was not there whole."""
    from torchvision.datasets import STL10

    root = cache_folder() / "torchvision"
    try:
        if _fault(root, COUNTS, _checksums()) is not None:
            STL10(root=str(root), split="test", download=True)
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"STL-10 could not be downloaded ({error}): give --data DIR with its folder {FOLDER}, "
            "or --data photographs to use the stand-in"
        ) from error
    return root


def _read(root: Path, source: str) -> ImageSet:
    counts, checksums, remedy = COUNTS, _checksums(), GET
    if photographs.is_stand_in(root):
        counts, checksums = photographs.counts(), photographs.checksums(root)
        remedy = f"delete '{root}', and --data photographs makes the stand-in anew"
    fault = _fault(root, counts, checksums)
    if fault is not None:
        raise InputError(f"cannot read {source}: {fault}; {remedy}")
    try:
        train, test = (_labelled(root, split, checksums) for split in ("train", "test"))
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"cannot read {source}: {error}; {remedy}") from error
    return ImageSet(
        dataset="stl10",
        source=source,
        classes=tuple(train.classes),
        train_images=grey(train.data),
        train_labels=np.asarray(train.labels, np.int64),
        test_images=grey(test.data),
        test_labels=np.asarray(test.labels, np.int64),
        unlabelled_images=StoredImages(root / FOLDER / UNLABELLED, counts["unlabeled"]),
    )


def _checksums() -> dict[str, str]:
    """MD5 of the files of STL-10, by name, as torchvision knows them."""
    from torchvision.datasets import STL10

    return dict(STL10.train_list + STL10.test_list)


def _labelled(root: Path, split: str, checksums: Mapping[str, str]) -> Any:
    """The training or the test split as torchvision's STL10 reads and checks it."""
    from torchvision.datasets import STL10

    class Labelled(STL10):
        def __init__(self) -> None:
            # without the unlabelled images, whose checksum takes reading gigabytes
            listed = [[name, checksums[name]] for name in LABELLED]
            self.train_list, self.test_list = listed[:2], listed[2:]
            super().__init__(root=str(root), split=split)

    return Labelled()


def _fault(root: Path, counts: Mapping[str, int], checksums: Mapping[str, str]) -> str | None:
    """The first thing that a whole data set of so many images would not have, or None."""
    from torchvision.datasets.utils import check_integrity

    if not (root / FOLDER).is_dir():
        return _no_folder(root)
    for name, expected, content in _files(counts):
        path = root / FOLDER / name
        try:
            found = path.stat().st_size
        except FileNotFoundError:
            return f"'{path}' is missing"
        except OSError as error:
            return f"'{path}' cannot be read ({error.strerror})"
        if expected is None:
            continue
        if found != expected:
            wrong = "short" if found < expected else "long"
            return f"'{path}' is too {wrong}: {found:,} bytes, not {expected:,} for {content}"
    for name in LABELLED:
        path, md5 = root / FOLDER / name, checksums.get(name, "none")
        if not check_integrity(str(path), md5):
            return f"'{path}' is damaged: its MD5 is not {md5}"
    return None


def _no_folder(root: Path) -> str:
    """What there is where the unpacked folder is not."""
    archive = root / ARCHIVE
    if not archive.is_file():
        return f"'{root}' does not hold STL-10: expected the folder {FOLDER} in it"
    found = archive.stat().st_size
    if found < ARCHIVE_BYTES:
        return f"'{archive}' is too short: {found:,} bytes, not {ARCHIVE_BYTES:,}"
    return f"'{archive}' is not unpacked: run tar -xzf {ARCHIVE} where it is"


def _files(counts: Mapping[str, int]) -> Iterator[tuple[str, int | None, str]]:
    """Name, bytes and content of each file that is read; None for a size that is not fixed."""
    for split, count in counts.items():
        yield f"{split}_X.bin", count * IMAGE_BYTES, f"{count:,} images of 3x96x96"
        if split != "unlabeled":
            yield f"{split}_y.bin", count, f"{count:,} labels"
    yield CLASS_NAMES, None, "the names of the classes"
