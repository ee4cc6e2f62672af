"""The compiled file, `model.clapp`: a zip archive with a JSON document and one safetensors file.

    program.json        format, version, the whole program but its arrays, the compile notes
    arrays.safetensors  its arrays, named as in `compiler.parts`; copies that are alike only once

An interrupted run is carried along in both (`compiler.unfinished`), so that it can go on.
Nothing in it is ever executed. A file of a newer version is refused with a sentence.
"""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from clapp_neuro.errors import InputError
from clapp_neuro.files import write_whole
from compiler.alike import lay_out, store_once
from compiler.parts import put_back, take_apart
from compiler.program import Program
from compiler.report import Note
from compiler.soundness import fault

if TYPE_CHECKING:
    from compiler.unfinished import Unfinished  # loads the simulator, which few callers need

FORMAT = "clapp-neuro program"
VERSION = 4
"""3: no readouts; 2: all copies of a kernel, no recurrence; 1: one margin, no norm or averages."""
DOCUMENT, ARRAYS = "program.json", "arrays.safetensors"
LARGEST = 4 << 30  # bytes; a member that claims more is not read
FASTEST = 1  # of deflate: weights and tags look like noise, more work hardly shrinks them
_EPOCH = (1980, 1, 1, 0, 0, 0)  # a fixed time stamp, so that equal programs give equal files

_PROGRAM: TypeAdapter[Program] = TypeAdapter(Program)
_NOTES: TypeAdapter[tuple[Note, ...]] = TypeAdapter(tuple[Note, ...])


def write_bundle(
    path: str | os.PathLike[str],
    program: Program,
    notes: tuple[Note, ...] = (),
    unfinished: Unfinished | None = None,
) -> Path:
    """Writes a program, whole or not at all. Raises InputError where the system refuses."""
    values, arrays = take_apart(program)
    arrays = store_once(program, arrays)
    document: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "program": values,
        "notes": [asdict(n) for n in notes],
    }
    if unfinished is not None:
        from compiler.unfinished import to_parts

        document["run"], kept = to_parts(unfinished)
        arrays |= {name: np.ascontiguousarray(array) for name, array in kept.items()}
    text = json.dumps(document, indent=1, allow_nan=False)

    def write(file: Any) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(zipfile.ZipInfo(DOCUMENT, _EPOCH), text, zipfile.ZIP_DEFLATED)
            packed = zipfile.ZipInfo(ARRAYS, _EPOCH)
            archive.writestr(packed, save_tensors(arrays), zipfile.ZIP_DEFLATED, FASTEST)

    return write_whole(path, write)


def read_bundle(path: str | os.PathLike[str]) -> tuple[Program, tuple[Note, ...]]:
    """Reads a compiled program and its compile notes.

    Raises InputError, one sentence each, for anything that is not a whole bundle of this or an
    earlier version.
    """
    program, document, _ = _read(path)
    try:
        return program, _NOTES.validate_python(document.get("notes", []))
    except ValidationError as error:
        raise _damaged(path, error) from error


def carries_run(path: str | os.PathLike[str]) -> bool:
    """Whether a compiled file carries an interrupted run."""
    return "run" in _read(path)[1]


def read_unfinished(path: str | os.PathLike[str]) -> Unfinished:
    """Reads the interrupted run that a compiled file carries; InputError where there is none."""
    from compiler.unfinished import from_parts, misfit

    program, document, arrays = _read(path)
    if "run" not in document:
        raise InputError(f"'{path}' holds no interrupted run: there is nothing to resume")
    try:
        run = from_parts(document["run"], arrays)
    except (KeyError, TypeError) as error:
        raise _damaged(path, error) from error
    fault = misfit(run, program)
    if fault is not None:
        raise InputError(f"'{path}' is damaged ({fault}): start the run again")
    return run


def _read(
    path: str | os.PathLike[str],
) -> tuple[Program, dict[str, Any], dict[str, np.ndarray]]:
    """The checked program, the JSON document and all arrays."""
    where = f"'{path}'"
    text, packed = _members(Path(path), where)
    try:
        document = json.loads(text)
        version = document["version"] if document["format"] == FORMAT else None
    except (ValueError, KeyError, TypeError, RecursionError):
        version = None
    if not isinstance(version, int) or version < 1:
        raise InputError(f"{where} holds no {FORMAT}: give a file that 'clapp-neuro compile' wrote")
    if version > VERSION:
        raise InputError(
            f"{where} is program version {version}, this clapp-neuro reads up to {VERSION}: "
            "upgrade clapp-neuro or compile the model again"
        )
    try:
        arrays = load_tensors(packed)
        values = document["program"]
        put_back(values, lay_out(values, arrays))
        program = _PROGRAM.validate_python(values)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, error) from error
    broken = fault(program)
    if broken is not None:
        raise InputError(f"{where} is damaged ({broken}): compile the model again")
    return program, document, arrays


def _damaged(path: str | os.PathLike[str], error: Exception) -> InputError:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        reason = ".".join(str(part) for part in first["loc"]) + ": " + first["msg"]
    else:
        reason = str(error).splitlines()[0]
    return InputError(f"'{path}' is damaged ({reason}): compile the model again")


def _members(path: Path, where: str) -> tuple[bytes, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            for name in (DOCUMENT, ARRAYS):
                if archive.getinfo(name).file_size > LARGEST:
                    raise InputError(f"{where}: {name} claims to be larger than {LARGEST} bytes")
            return archive.read(DOCUMENT), archive.read(ARRAYS)
    # encrypted members are a RuntimeError, unknown compression a NotImplementedError
    except (zipfile.BadZipFile, KeyError, EOFError, RuntimeError, zlib.error) as error:
        raise InputError(
            f"{where} is not a compiled program or is damaged: give a whole file that "
            "'clapp-neuro compile' wrote"
        ) from error
    except OSError as error:
        raise InputError(f"cannot read {where}: {error.strerror or error}") from error
