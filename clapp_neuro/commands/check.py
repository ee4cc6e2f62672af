"""`clapp-neuro check`."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer

import clapp_neuro
from clapp_neuro.commands.app import Calibration, Dt, Inputs, Json, Steps, command
from clapp_neuro.show import dump, lines, table
from clapp_neuro.verbs.source import Reading


@command("clapp-neuro check model.nir --target loihi2-sim --dt 1e-3")
def check(
    model: Annotated[Path, typer.Argument(help="any file: a checkpoint, a NIR or ONNX file, …")],
    target: Annotated[
        str | None, typer.Option(help="machine-backend, or a machine file (default: none)")
    ] = None,
    static: Annotated[bool, typer.Option("--static", help="leave learning out")] = False,
    dt: Dt = None,
    steps: Steps = None,
    inputs: Inputs = None,
    calibration: Calibration = None,
    json: Json = None,
) -> None:
    """Say what of a model is supported, which limits it breaks, and what would mend it."""
    result = clapp_neuro.check(
        model, target, static=static, reading=Reading(dt, steps, inputs, calibration)
    )
    dump(json, result)
    rows = [
        (name, kind, "yes" if result.is_supported(name) else "no")
        for name, kind in result.nodes.items()
    ]
    if rows:
        table(("node", "kind", "supported"), rows)
    ordered = sorted(result.findings, key=lambda f: (f.group, f.kind))
    for (group, kind), some in groupby(ordered, key=lambda f: (f.group, f.kind)):
        title = group if group == kind else f"{group}: {kind}"
        table((title, "what", "what would mend it"), [(f.node, f.what, f.remedy) for f in some])
    lines(*(f"note: {note}" for note in result.notes))
    place = f" for {target}" if target else ""
    if not result.supported:
        lines(f"{model}: {len(result.findings)} in the way of compiling it{place}")
        raise typer.Exit(1)
    lines(f"{model}: compiles{place}")
