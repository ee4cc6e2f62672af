"""Imports Lava on every supported Python.

lava-nc 0.10.0 (the last release; archived in 2026) uses instances of its own dataclasses as
dataclass defaults. From Python 3.11 on, `dataclasses` refuses defaults that cannot be hashed. That
is the only thing that keeps Lava from running there, so while Lava is being imported, and only
then, such classes of Lava's get an identity hash; afterwards everything is as before.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from clapp_neuro.errors import InputError

# In two steps: pip would ignore the Python version that scipy asks for as well, and pick one that
# does not run on Python 3.10 or 3.11. Lava's own upper bounds (Python, numpy) are not real.
INSTALL = (
    "python -m pip install asteval networkx scipy && "
    "python -m pip install --no-deps --ignore-requires-python lava-nc==0.10.0"
)


def installed() -> bool:
    """Whether lava-nc can be found in this environment; imports nothing."""
    try:
        return importlib.util.find_spec("lava") is not None
    except ModuleNotFoundError:  # an import hook that hides it
        return False


def require_installed() -> None:
    """Raises InputError, with the command that installs Lava, where it is missing."""
    if not installed():
        raise InputError(f"Lava is not installed in this environment; install it with: {INSTALL}")


def load_lava() -> None:
    """Imports what this package uses of Lava, so that plain imports work from then on.

    Raises InputError where Lava, or something that it needs, is missing.
    """
    require_installed()
    with hashable_lava_defaults():
        for module in (
            "lava.magma.core.run_configs",
            "lava.magma.core.run_conditions",
            "lava.magma.compiler.compiler",
            "lava.magma.runtime.runtime",
            "lava.proc.dense.models",
        ):
            try:
                importlib.import_module(module)
            except ModuleNotFoundError as error:
                raise InputError(
                    f"Lava needs the package '{error.name}'; install it with: {INSTALL}"
                ) from error


@contextmanager
def hashable_lava_defaults() -> Iterator[None]:
    """While active, `dataclasses.dataclass` accepts unhashable defaults of Lava's own classes."""
    original = dataclasses.dataclass
    patched: list[type] = []

    def prepare(cls: type) -> None:
        for name in inspect.get_annotations(cls):
            kind = type(cls.__dict__.get(name))
            if kind.__module__.startswith("lava.") and kind.__hash__ is None:
                kind.__hash__ = object.__hash__  # type: ignore[assignment]
                patched.append(kind)

    def dataclass(cls: type | None = None, /, **options: Any) -> Any:
        def decorate(cls: type) -> Any:
            prepare(cls)
            return original(cls, **options)

        decorator: Callable[[type], Any] = decorate
        return decorator if cls is None else decorator(cls)

    dataclasses.dataclass = dataclass  # type: ignore[assignment]
    try:
        yield
    finally:
        dataclasses.dataclass = original
        for kind in patched:
            kind.__hash__ = None  # type: ignore[assignment]
