"""Files appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from clapp_neuro.errors import InputError


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


def _umask() -> int:
    """The process's file mode mask; it can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
