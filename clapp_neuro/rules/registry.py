"""The learning methods by name. Importing this file does not import PyTorch."""

from __future__ import annotations

import importlib
from types import ModuleType

from clapp_neuro.errors import unknown

METHODS = {
    "clapp": "clapp_neuro.rules.clapp",
    "random": "clapp_neuro.rules.random",
}


def check_method(name: str) -> str:
    """Return `name`; raises InputError, with the nearest method, where there is none of it."""
    if name not in METHODS:
        raise unknown("method", name, METHODS)
    return name


def find_rule(name: str) -> ModuleType:
    """The module of a method.

    Each has `LEARNS: bool`; one that learns also has the functions that the trainers call.
    Raises InputError, with the nearest method, for an unknown name.
    """
    return importlib.import_module(METHODS[check_method(name)])
