"""Files and folders appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

from clapp_neuro.errors import InputError

PICTURES = ("png", "svg", "pdf")
"""Kinds of pictures that a figure may be written as, by the endings of their names."""


def write_whole(path: str | os.PathLike[str], writer: Callable[[BinaryIO], object]) -> Path:
    """Write a file through `writer(file)` so that `path` is never half-written.

    The bytes go to a temporary file in the same folder, reach the disk, and replace `path` in one
    step. Whatever stops the writing, Ctrl-C included, the temporary file is removed and an older
    file at `path` stays as it was.

    Raises InputError where the system refuses (full disk, no permission, no such folder).
    """
    target = Path(path)
    place = target.resolve()  # a link stays a link
    temporary: str | None = None
    try:
        require_place(target)
        if place.exists() and not place.is_file():  # a device or a pipe stays what it is
            with open(place, "wb") as file:
                writer(file)
            return target
        descriptor, temporary = tempfile.mkstemp(
            prefix=f".{place.name}.", suffix=".part", dir=place.parent
        )
        with os.fdopen(descriptor, "wb") as file:
            writer(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, place)
        temporary = None
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"cannot write '{target}': {reason}") from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
    return target


def require_place(path: str | os.PathLike[str]) -> None:
    """Look before the work whether a file can be written at `path`; InputError if not."""
    target = Path(path)
    if target.is_dir():
        raise InputError(f"cannot write '{target}': it is a folder, give a file name")
    folder = target.absolute().parent
    if not folder.is_dir():
        raise InputError(f"cannot write '{target}': there is no folder '{folder}', make it first")
    replaced = not target.exists() or target.is_file()  # else a device or a pipe, which stays
    if replaced and not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"cannot write '{target}': you may not write into the folder '{folder}'")


def picture_kind(path: str | os.PathLike[str]) -> str:
    """The kind of picture that a file's name asks for; InputError where none is known."""
    kind = Path(path).suffix.lower().removeprefix(".")
    if kind not in PICTURES:
        raise InputError(
            f"'{path}' names no kind of picture: end it in {', '.join(f'.{k}' for k in PICTURES)}"
        )
    return kind


def write_whole_folder(path: str | os.PathLike[str], files: Mapping[str, bytes]) -> Path:
    """Write a folder of files (path inside it → content), whole or not at all.

    It is filled beside its place and moved there in one step; whatever stops the writing, nothing
    is left behind. Raises InputError as `require_folder`, and where the system refuses.
    """
    target = Path(path)
    require_folder(target)
    place = target.resolve()
    temporary: str | None = None
    try:
        temporary = tempfile.mkdtemp(prefix=f".{place.name}.", suffix=".part", dir=place.parent)
        for name, content in files.items():
            file = Path(temporary, name)
            file.parent.mkdir(parents=True, exist_ok=True)
            with open(file, "wb") as written:
                written.write(content)
                written.flush()
                os.fsync(written.fileno())
        os.chmod(temporary, 0o777 & ~_umask())
        os.replace(temporary, place)  # takes the place of an empty folder, and of nothing else
        temporary = None
    except OSError as error:
        raise InputError(f"cannot write '{target}': {error.strerror or error}") from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
    return target


def require_folder(path: str | os.PathLike[str]) -> None:
    """Look before the work whether a new folder can be made at `path`; InputError if not."""
    target = Path(path)
    try:
        place = target.resolve()
        if place == Path.cwd():
            raise InputError(f"cannot write '{target}': you are in it, give a new folder")
        if place.exists() and not place.is_dir():
            raise InputError(f"cannot write '{target}': it is a file, give a new folder")
        if place.is_dir() and any(place.iterdir()):
            raise InputError(f"cannot write '{target}': it is not empty, give a new folder")
    except OSError as error:
        raise InputError(f"cannot write '{target}': {error.strerror or error}") from error
    if not place.parent.is_dir():
        raise InputError(
            f"cannot write '{target}': there is no folder '{place.parent}', make it first"
        )


def _umask() -> int:
    """The process's file mode mask; it can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
