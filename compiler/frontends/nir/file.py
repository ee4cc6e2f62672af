"""Reads the arrays of a .nir file, HDF5 from anyone: nothing in it is executed.

Links to other files, data kept outside, and sizes beyond `LARGEST` are refused before they are
read.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from clapp_neuro.errors import InputError

LARGEST = 1 << 28  # elements in all
DEEPEST = 16  # tables within tables
SIGNATURE = b"\x89HDF\r\n\x1a\n"

Table = dict[str, Any]  # names to arrays, texts, or tables


def read_tables(path: str | os.PathLike[str]) -> Table:
    """The file as nested tables; InputError for whatever is not a whole HDF5 file of plain data."""
    where = Path(path)
    try:
        with where.open("rb") as file:
            head = file.read(len(SIGNATURE))
    except OSError as error:
        raise InputError(f"cannot read '{where}': {error.strerror or error}") from error
    if head != SIGNATURE:
        raise InputError(f"'{where}' is no NIR file (HDF5): give one that nir.write has written")
    try:
        with h5py.File(where, "r") as file:
            return _Reader().table(file, "")
    except InputError as error:
        raise InputError(f"'{where}': {error}") from error
    except Exception as error:  # the library raises errors of many kinds for damaged bytes
        raise InputError(
            f"'{where}' is damaged ({type(error).__name__} in HDF5): write it again"
        ) from error


class _Reader:
    def __init__(self) -> None:
        self.left = LARGEST

    def table(self, group: h5py.Group, place: str) -> Table:
        """All that a group holds; `place` is where it stands."""
        if place.count("/") > DEEPEST:
            raise InputError(f"{place} lies deeper than {DEEPEST} levels: it is damaged")
        found: Table = {}
        for name in group:
            title = f"{place}/{name}"
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise InputError(f"{title} is a link elsewhere: keep everything in the file itself")
            item = group[name]
            found[name] = (
                self.table(item, title) if isinstance(item, h5py.Group) else self.data(item, title)
            )
        return found

    def data(self, item: Any, title: str) -> Any:
        """An array, a number of no axes, or a text."""
        if not isinstance(item, h5py.Dataset) or item.is_virtual or item.external:
            raise InputError(f"{title} is kept elsewhere: keep everything in the file itself")
        self.left -= int(item.size or 0)
        if self.left < 0:
            raise InputError(f"{title}: there are more than {LARGEST:,} numbers: it is damaged")
        value = item[()]
        if isinstance(value, bytes):
            return value.decode()
        if isinstance(value, str):
            return value
        array = np.asarray(value)
        if array.dtype.kind in "OS":  # texts
            flat = [v.decode() if isinstance(v, bytes) else str(v) for v in array.ravel()]
            return np.array(flat, dtype=object).reshape(array.shape)
        if array.dtype.kind not in "fiub":
            raise InputError(f"{title} holds {array.dtype}: give numbers or texts")
        return array
