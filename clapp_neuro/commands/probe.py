"""`clapp-neuro probe`."""

from __future__ import annotations

from typing import Annotated

import typer

import clapp_neuro
from clapp_neuro.commands.app import Data, Json, Model, command
from clapp_neuro.progress import track
from clapp_neuro.show import dump, lines, table


@command("clapp-neuro probe model.pt")
def probe(
    model: Model,
    data: Data = None,
    train_images: Annotated[int | None, typer.Option(help="labelled images to fit on")] = None,
    readout: Annotated[
        str, typer.Option(help="logistic, adam (the paper's) or three-factor (reward)")
    ] = "logistic",
    json: Json = None,
) -> None:
    """Linear readout of every layer, beside the same network untrained."""
    with track("probe") as report:
        result = clapp_neuro.probe(
            model, data=data, train_images=train_images, readout=readout, report=report
        )
    dump(json, result)
    lines(
        f"{result.readout} readout, {result.train_images} training and {result.test_images} test "
        f"images from {result.source}"
    )
    rows = [(f"{r.layer}", f"{r.accuracy:.2%}", f"{r.untrained:.2%}") for r in result.layers]
    table(("layer", "accuracy", "untrained"), [("inputs", f"{result.inputs:.2%}", ""), *rows])
