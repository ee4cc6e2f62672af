"""Make the Fashion-MNIST subset that the package ships: the first images of each class.

    python scripts/make_shipped_subset.py FOLDER_WITH_IDX_FILES

Class-balanced, in the order of the original files, the same bytes every time.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clapp_neuro.data.fashion import load_fashion
from clapp_neuro.data.idx import write_idx_gz
from clapp_neuro.files import write_whole

TRAIN_PER_CLASS = 300
TEST_PER_CLASS = 100
TARGET = Path(__file__).parent.parent / "clapp_neuro" / "data" / "shipped"


def first_of_each_class(labels: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """Indices of the first `count` images of every class, in their original order."""
    chosen = [np.flatnonzero(labels == label)[:count] for label in np.unique(labels)]
    return np.sort(np.concatenate(chosen))


def main(folder: str) -> None:
    full = load_fashion(folder)
    train = first_of_each_class(full.train_labels, TRAIN_PER_CLASS)
    test = first_of_each_class(full.test_labels, TEST_PER_CLASS)
    parts = {
        "train-images-idx3-ubyte.gz": full.train_images[train],
        "train-labels-idx1-ubyte.gz": full.train_labels[train].astype(np.uint8),
        "t10k-images-idx3-ubyte.gz": full.test_images[test],
        "t10k-labels-idx1-ubyte.gz": full.test_labels[test].astype(np.uint8),
    }
    for name, array in parts.items():
        path = write_whole(TARGET / name, partial(write_idx_gz, array=array))
        print(f"{path.name}: {array.shape}, {path.stat().st_size} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
