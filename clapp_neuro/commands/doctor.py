"""`clapp-neuro doctor`."""

from __future__ import annotations

import typer

import clapp_neuro
from clapp_neuro.commands.app import Json, command
from clapp_neuro.show import dump, lines


@command("clapp-neuro doctor")
def doctor(json: Json = None) -> None:
    """What is installed, which device, whether Lava runs, which data were found."""
    result = clapp_neuro.doctor()
    dump(json, result)
    lines(str(result))
    if not result.ok:
        raise typer.Exit(1)
