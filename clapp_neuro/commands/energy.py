"""`clapp-neuro energy`."""

from __future__ import annotations

from typing import Annotated

import typer

import clapp_neuro
from clapp_neuro.commands.app import Bundle, Data, Json, Seed, command
from clapp_neuro.show import dump, lines, table


@command("clapp-neuro energy model.clapp --compare all")
def energy(
    bundle: Bundle,
    compare: Annotated[str | None, typer.Option(help="all, or machines with commas")] = None,
    images: Annotated[int, typer.Option(help="how many images to look at")] = 200,
    data: Data = None,
    seed: Seed = 0,
    json: Json = None,
) -> None:
    """Energy of a program, each figure with its band, grade and source."""
    result = clapp_neuro.energy(bundle, compare=compare, images=images, data=data, seed=seed)
    dump(json, result)
    header, *rows = result.estimate.rows()
    lines(f"{result.estimate.title}, {result.images} images from {result.source}")
    table(header, rows)
    lines(*(f"- {a}" for a in result.estimate.assumptions))
    if result.estimate.ratio is not None:
        lines(f"learning over inference: {result.estimate.ratio_sentence}")
    if result.comparison is not None:
        header, *rows = result.comparison.rows()
        table(header, rows)
    lines(f"the float network on this CPU: {result.this_cpu}")
