"""Copies of a kernel that are still alike are stored once: a new program needs no more.

An untied projection has a kernel for each position, (h * w, C_out, C_in, k, k). Before it learns
they are all the same but for entries that look off the map, which are 0. Then its arrays are kept
as one kernel, (C_out, C_in, k, k), and laid out again when they are read.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from compiler.connectivity import on_the_map
from compiler.program import Program
from compiler.terms import Connection

ENDINGS = ("weights", "tags")
LARGEST = 4 << 30  # bytes that the copies of a file may take


def store_once(program: Program, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays, with one kernel in place of copies that are alike."""
    stored = dict(arrays)
    for s in program.synapses:
        if s.connection is Connection.UNTIED:
            side = program.population(s.target).map[1:]
            for name in (f"{s.name}.{ending}" for ending in ENDINGS):
                kernel = _common(arrays[name], side) if name in arrays else None
                if kernel is not None:
                    stored[name] = kernel
    return stored


def lay_out(values: dict[str, Any], arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays with a kernel at each position again; `values` are the program's, as JSON.

    ValueError where the copies would take more memory than any program does; KeyError and TypeError
    where the values are no program's.
    """
    shapes = {p["name"]: p.get("shape") for p in values["populations"]}
    laid_out = dict(arrays)
    for s in values["synapses"]:
        if s.get("connection") != Connection.UNTIED.value:
            continue
        for name in (f"{s['name']}.{ending}" for ending in ENDINGS):
            kernel = arrays.get(name)
            if kernel is not None and kernel.ndim == 4:
                height, width = (int(side) for side in shapes[s["target"]][1:])
                if not 0 < height * width * kernel.nbytes <= LARGEST:
                    raise ValueError(f"{name} would take {height * width * kernel.nbytes:,} bytes")
                laid_out[name] = copies(kernel, (height, width))
    return laid_out


def copies(kernel: np.ndarray, side: tuple[int, int]) -> np.ndarray:
    """A copy for each position, with zeros where it would look off the map."""
    shape = (prod(side), *kernel.shape)
    laid_out = np.empty(shape, kernel.dtype)
    laid_out[:] = kernel
    inside = on_the_map(shape, side)[:, 0, 0]
    for row, column in np.ndindex(inside.shape[1:]):
        laid_out[~inside[:, row, column], :, :, row, column] = 0
    return laid_out


def _common(array: np.ndarray, side: tuple[int, int]) -> np.ndarray | None:
    """The kernel of which all positions have a copy; None where they differ."""
    middle = array[(side[0] // 2) * side[1] + side[1] // 2]
    kernel = np.array(middle)
    inside = on_the_map(array.shape, side)[:, 0, 0]
    for row, column in np.ndindex(inside.shape[1:]):
        there = np.flatnonzero(inside[:, row, column])
        if len(there):
            kernel[:, :, row, column] = array[there[0], :, :, row, column]
    alike = all(np.array_equal(array[k], kernel * inside[k]) for k in range(len(array)))
    return kernel if alike else None
