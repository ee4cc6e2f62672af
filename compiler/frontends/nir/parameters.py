"""Parameters of a NIR node as numbers and shapes, or refused by their name."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from compiler.frontends.refusals import UnsupportedError
from compiler.source.nodes import Shape


def numbers(given: dict[str, Any], name: str) -> np.ndarray:
    """A parameter as float64."""
    value = given[name]
    if not isinstance(value, np.ndarray) or value.dtype == object:
        raise UnsupportedError(f"{name} is {value!r:.40}", "give numbers")
    return value.astype(float)


def integers(given: dict[str, Any], name: str, axes: int, low: int = 0) -> Shape:
    """Whole numbers from `low`, one an axis; one number stands for all."""
    array = numbers(given, name).ravel()
    if array.size not in (1, axes) or not np.isfinite(array).all() or (array % 1).any():
        raise UnsupportedError(
            f"{name} is {array.tolist()}", f"give {axes} whole numbers, or one for all"
        )
    if (array < low).any() or (array > 1 << 30).any():
        raise UnsupportedError(f"{name} is {array.astype(int).tolist()}", f"give at least {low}")
    found = tuple(int(v) for v in array)
    return found * axes if len(found) == 1 else found


def shape_of(given: dict[str, Any], name: str) -> Shape | None:
    """A shape, or None where it is not given."""
    if given.get(name) is None:
        return None
    array = numbers(given, name).ravel()
    if not np.isfinite(array).all() or (array % 1).any() or (array < 1).any() or array.size > 4:
        raise UnsupportedError(
            f"{name} is {array.tolist()}", "give a shape of whole numbers above 0"
        )
    if prod(float(v) for v in array) > 1 << 28:
        raise UnsupportedError(f"{name} is {array.astype(int).tolist()}", "give a smaller shape")
    return tuple(int(v) for v in array)


def positive(given: dict[str, Any], name: str) -> np.ndarray:
    """A time constant, more than 0."""
    array = numbers(given, name)
    if not (array > 0).all():
        raise UnsupportedError(
            f"{name} is {array.min():g}", "give a time constant above 0, in seconds"
        )
    return array
