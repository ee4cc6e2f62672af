"""Where data that were made or fetched once are kept."""

from __future__ import annotations

import os
from pathlib import Path

from clapp_neuro.errors import InputError


def cache_path() -> Path:
    """The user's cache folder of clapp-neuro ($XDG_CACHE_HOME or ~/.cache), there or not."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "clapp-neuro"


def cache_folder() -> Path:
    """`cache_path`, made where missing; InputError where it cannot be."""
    folder = cache_path()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot make the cache folder '{folder}' ({error.strerror}): set XDG_CACHE_HOME"
        ) from error
    return folder
