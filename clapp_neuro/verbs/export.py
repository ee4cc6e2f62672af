"""`export`: a model for other tools, as NIR or ONNX; inference only."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clapp_neuro.errors import InputError
from clapp_neuro.files import require_place
from clapp_neuro.verbs.source import Reading, read_source
from compiler.exports.nir import write_nir
from compiler.exports.onnx import write_onnx
from compiler.exports.raised import raised, rules


@dataclass(frozen=True)
class ExportResult:
    """Where it was written, in which format, and what its readers have to know."""

    path: Path
    format: str
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"path": str(self.path), "format": self.format, "notes": list(self.notes)}


def export(
    model: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    reading: Reading | None = None,
) -> ExportResult:
    """Write a model to `out`, a .nir or an .onnx file: one step with explicit states in the latter.

    The rules of a model that learns go into the metadata as texts, which no other tool applies.
    Raises InputError for what the format cannot say, by node and parameter; nothing is written
    then.
    """
    path = Path(out)
    require_place(path)
    if path.suffix not in (".nir", ".onnx"):
        raise InputError(f"'{path}' is of no known format: give --out a name in .nir or .onnx")
    if path.resolve() == Path(model).resolve():
        raise InputError(f"'{path}' would overwrite the model: give another --out")
    source = read_source(model, reading, static=False)
    graph = source.graph or raised(source.network, f"'{model}'")
    learned = {f"rule of {name}": text for name, text in rules(source.network).items()}
    if path.suffix == ".onnx":
        write_onnx(path, graph, learned)
        return ExportResult(path, "ONNX", graph.notes)
    made = write_nir(path, graph, reading.dt if reading else None, learned)
    return ExportResult(path, "NIR", (*graph.notes, *made.notes))
