"""`clapp-neuro export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import clapp_neuro
from clapp_neuro.commands.app import Calibration, Dt, Inputs, Json, Steps, apart, command
from clapp_neuro.show import dump, lines
from clapp_neuro.verbs.source import Reading


@command("clapp-neuro export model.pt --out model.nir")
def export(
    model: Annotated[Path, typer.Argument(help="a checkpoint, or a NIR or ONNX file")],
    out: Annotated[Path, typer.Option(help="where to write it: a name in .nir or .onnx")],
    dt: Dt = None,
    steps: Steps = None,
    inputs: Inputs = None,
    calibration: Calibration = None,
    json: Json = None,
) -> None:
    """Write a model for other tools, inference only: NIR, or one time step as ONNX."""
    apart({"--out": out, "--json": json}, {"MODEL": model, "--calibration": calibration})
    result = clapp_neuro.export(model, out, reading=Reading(dt, steps, inputs, calibration))
    dump(json, result)
    lines(*(f"note: {note}" for note in result.notes))
    lines(f"{result.path}: written as {result.format}")
