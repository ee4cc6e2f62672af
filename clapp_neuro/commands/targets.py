"""`clapp-neuro targets`."""

from __future__ import annotations

from typing import Annotated

import typer

import clapp_neuro
from clapp_neuro.commands.app import Json, command
from clapp_neuro.show import dump, lines, table


@command("clapp-neuro targets kapoho-point-sim")
def targets(
    name: Annotated[
        str | None, typer.Argument(help="a target, or a machine file: show all its limits")
    ] = None,
    json: Json = None,
) -> None:
    """What programs can be compiled for; with a name, every limit of that target."""
    result = clapp_neuro.targets(name)
    dump(json, [r.to_json() for r in result])
    rows = []
    for r in result:
        limits = r.machine.limits
        cores = f"{limits.usable_cores_per_chip.value:g} x {limits.chips.value:g}"
        memory = f"{limits.synaptic_bytes_per_core.value / 1024:g} KB"
        neurons = f"{limits.neurons_per_core.value:g}"
        learns = "yes" if r.machine.capabilities.third_factor.value else "no"
        rows.append((r.name, r.machine.title, cores, neurons, memory, learns))
    header = ("target", "machine", "cores x chips", "neurons/core", "synapses/core", "third factor")
    table(header, rows)
    if name is None:
        return
    (row,) = result
    table(("limit", "what it is", "value", "grade", "source"), row.limits())
    table(("capability", "", "grade", "source"), row.capabilities())
    lines(*(f"assumed: {text}" for text in row.machine.assumptions))
