"""`clapp-neuro answer`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import clapp_neuro
from clapp_neuro.commands.app import Bundle, Json, apart, command, place
from clapp_neuro.show import dump, lines, table

SHOWN = 10  # samples


@command("clapp-neuro answer net.clapp samples.npy --out answers.npy")
def answer(
    bundle: Bundle,
    samples: Annotated[
        Path, typer.Argument(help="a .npy file: (samples, ...), or (steps, samples, ...)")
    ],
    out: Annotated[
        Path | None, typer.Option(help="spikes or potentials in each step, .npy", callback=place)
    ] = None,
    json: Json = None,
) -> None:
    """Show samples to a compiled network of another tool; print what its output says."""
    apart({"--out": out, "--json": json}, {"BUNDLE": bundle, "SAMPLES": samples})
    result = clapp_neuro.answer(bundle, samples, out)
    dump(json, result)
    kind = "spikes" if result.spiking else "potential at the end"
    rows = [
        (str(i), str(best), f"{totals[best]:g}")
        for i, (best, totals) in enumerate(zip(result.best, result.totals, strict=True))
    ]
    table(("sample", f"largest of {result.population}", kind), rows[:SHOWN])
    if len(rows) > SHOWN:
        lines(f"… and {len(rows) - SHOWN} more")
    lines(f"{len(result.values)} samples" + (f", written to {result.out}" if result.out else ""))
