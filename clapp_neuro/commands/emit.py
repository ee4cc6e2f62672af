"""`clapp-neuro emit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import clapp_neuro
from clapp_neuro.commands.app import Bundle, Data, Json, Seed, command
from clapp_neuro.show import dump, lines, table


@command("clapp-neuro emit model.clapp --backend lava --out project")
def emit(
    bundle: Bundle,
    out: Annotated[Path, typer.Option(help="folder of the project, new or empty")],
    backend: Annotated[str, typer.Option(help="what the project runs on: lava")] = "lava",
    fixations: Annotated[
        int | None, typer.Option(help="how many to show it (default 20, or all of --stimulus)")
    ] = None,
    stimulus: Annotated[
        Path | None, typer.Option(help="your own fixations, an npz file; see the docs")
    ] = None,
    data: Data = None,
    seed: Seed = 0,
    json: Json = None,
) -> None:
    """Write a project that runs without clapp-neuro, with what its run has to end with."""
    result = clapp_neuro.emit(
        bundle,
        out,
        backend=backend,
        fixations=fixations,
        stimulus=stimulus,
        data=data,
        seed=seed,
    )
    dump(json, result)
    table(("file", "lines", "bytes"), [file.row() for file in result.files])
    learning = " --learn" if result.learns else ""
    lines(f"{result.path}: {result.fixations} fixations; try it with: python run.py{learning}")
