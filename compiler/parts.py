"""A program as plain values and named arrays, and back: what files of programs are made of.

NAME.weights int8, NAME.tags int16 of the same shape, of each projection
NAME.mean, NAME.variance int32 (N,), of each population with running averages
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np

from compiler.program import Program

AVERAGES = ("mean", "variance")


def take_apart(program: Program) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """(everything but the arrays, as values that JSON can have; the arrays by name)."""
    arrays: dict[str, np.ndarray] = {}
    bare = []
    for s in program.synapses:
        arrays[f"{s.name}.weights"] = np.ascontiguousarray(s.weights, np.int8)
        if s.tags is not None:
            arrays[f"{s.name}.tags"] = np.ascontiguousarray(s.tags, np.int16)
        bare.append(replace(s, weights=np.zeros(0), tags=None))
    for p in program.populations:
        for name in AVERAGES if p.averages is not None else ():
            arrays[f"{p.name}.{name}"] = np.ascontiguousarray(getattr(p.averages, name), np.int32)
    values = asdict(replace(program, synapses=tuple(bare)))
    for s in values["synapses"]:
        del s["weights"], s["tags"]
    for p in values["populations"]:
        for name in AVERAGES if p["averages"] else ():
            del p["averages"][name]
    return values, arrays


def put_back(values: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Gives the values their arrays again, in place; KeyError where one is missing."""
    for s in values["synapses"]:
        s["weights"] = arrays[f"{s['name']}.weights"]
        s["tags"] = arrays.get(f"{s['name']}.tags")
    for p in values["populations"]:
        for name in AVERAGES if p.get("averages") else ():
            p["averages"][name] = arrays[f"{p['name']}.{name}"]
