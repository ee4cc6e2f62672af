"""`@compiled`: numba's nopython mode, with a disk cache that belongs to these very sources.

numba drops the machine code of a function when the file of that function changes, but not when a
function that was inlined into it changes in another file: after an update, old arithmetic could
go on running. So the cache lies in a folder named after a hash of all sources of the simulator,
and of those whose constants it takes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numba

HERE = Path(__file__).parent
CONSTANTS = tuple(
    HERE.parents[1] / name
    for name in ("averages.py", "connectivity.py", "products.py", "program/widths.py")
)
"""Sources outside whose constants are folded into machine code."""


def source_key(folder: Path, others: Sequence[Path] = ()) -> str:
    """A short hash of every Python source below `folder` and of `others`, names and contents."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    for path in others:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def cache_path() -> Path:
    """Beside the bytecode where that can be written, else in the user's cache folder."""
    key = source_key(HERE, CONSTANTS)
    if os.access(HERE, os.W_OK):
        return HERE / "__pycache__" / key
    from clapp_neuro.data.cache import cache_folder

    return cache_folder() / "kernels" / key


CACHE = str(cache_path())


def compiled(
    function: Callable[..., Any] | None = None, *, inline: Literal["never", "always"] = "never"
) -> Any:
    """`njit` without the interpreter lock, cached in `CACHE` unless NUMBA_CACHE_DIR says where.

    And without numba's runtime: nothing here allocates, and counting the references to every view
    of an array took as long as the work (a function that would allocate does not compile).
    """
    if function is None:
        return lambda f: compiled(f, inline=inline)
    settings: Any = numba.config
    without_runtime: Any = {"_nrt": False}
    chosen = settings.CACHE_DIR
    settings.CACHE_DIR = chosen or CACHE  # numba reads it once, while it decorates
    try:
        return numba.njit(cache=True, nogil=True, inline=inline, **without_runtime)(function)
    finally:
        settings.CACHE_DIR = chosen
