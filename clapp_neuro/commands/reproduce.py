"""`clapp-neuro reproduce`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import clapp_neuro
from clapp_neuro.commands.app import Data, Json, command
from clapp_neuro.progress import track
from clapp_neuro.show import dump, lines, table


@command("clapp-neuro reproduce table1 --scale small")
def reproduce(
    target: Annotated[str, typer.Argument(help="table1, table4, table6, figure3, figure4 ...")],
    scale: Annotated[str, typer.Option(help="small (two cores, an hour) or paper")] = "small",
    data: Data = None,
    out: Annotated[Path, typer.Option(help="folder of networks, results and pictures")] = Path(
        "reproduced"
    ),
    seeds: Annotated[int | None, typer.Option(help="how many (default: 3 small, 1 paper)")] = None,
    workers: Annotated[int | None, typer.Option(help="networks trained at a time")] = None,
    json: Json = None,
) -> None:
    """Repeat a table or figure of the paper; goes on with what is half done."""
    with track(f"reproduce {target}") as report:
        result = clapp_neuro.reproduce(
            target, scale=scale, data=data, out=out, seeds=seeds, workers=workers, report=report
        )
    dump(json, result)
    header, *rows = result.rows
    lines(f"{result.title}, {scale} scale, images from {result.source}")
    table(header, rows)
    lines(*(f"{path}" for path in result.files))
