"""Reads the program and the arrays that lie beside it; nothing in a file is executed."""

from __future__ import annotations

import json
import zipfile
import zlib
from dataclasses import is_dataclass
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from clapp_neuro.errors import InputError
from compiler.parts import put_back
from compiler.program import Program

# What numpy and zipfile raise for a damaged npz file, or one with objects to unpickle. One array
# alone (TypeError, AttributeError) can be loaded, but has no names.
_DAMAGED = (
    *(ValueError, TypeError, AttributeError, KeyError, EOFError, SyntaxError, MemoryError),
    *(RuntimeError, zipfile.BadZipFile, zlib.error),
)


def read_program(folder: Path) -> Program:
    """The program in `program.json` with the arrays in `weights.npz`; InputError for misfits."""
    values = json.loads((folder / "program.json").read_text("utf-8"))
    try:
        put_back(values, read_arrays(folder / "weights.npz"))
    except KeyError as error:
        raise InputError(f"weights.npz has no array {error}: write the project again") from error
    program: Program = from_plain(Program, values)
    for s in program.synapses:
        for kind, array, limit in (
            ("weights", s.weights, program.weight_max),
            ("tags", s.tags, program.tag_max),
        ):
            if array is not None and np.abs(array.astype(np.int64)).max(initial=0) > limit:
                raise InputError(f"{kind} of {s.name} are beyond ±{limit}, which Lava would wrap")
    return program


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an npz file by name; InputError where it is none."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except OSError as error:
        raise InputError(f"cannot read '{path}': {error.strerror or error}") from error
    except _DAMAGED as error:
        raise InputError(f"'{path}' is not a whole npz file of plain arrays") from error


def from_plain(kind: Any, value: Any) -> Any:
    """A value of JSON as the type that an annotation names: frozen dataclasses, tuples, enums."""
    parts = get_args(kind)
    if get_origin(kind) in (Union, UnionType):
        if value is None:
            return None
        options = [part for part in parts if part is not NoneType]
        return from_plain(next(part for part in options if _fits(part, value)), value)
    if get_origin(kind) is tuple:
        each = parts[:1] * len(value) if parts[1:] == (Ellipsis,) else parts
        return tuple(from_plain(part, item) for part, item in zip(each, value, strict=True))
    if is_dataclass(kind):
        types = get_type_hints(kind)
        assert isinstance(kind, type)
        return kind(**{name: from_plain(types[name], item) for name, item in value.items()})
    return kind(value) if isinstance(kind, type) and issubclass(kind, Enum) else value


def _fits(kind: Any, value: Any) -> bool:
    """Whether a value may be of that kind: of two dataclasses, the one with its fields."""
    if isinstance(value, list) or get_origin(kind) is tuple:
        return isinstance(value, list) and get_origin(kind) is tuple
    return not is_dataclass(kind) or value.keys() <= get_type_hints(kind).keys()
