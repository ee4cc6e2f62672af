"""`clapp-neuro verify`."""

from __future__ import annotations

from typing import Annotated

import typer

import clapp_neuro
from clapp_neuro.commands.app import Bundle, Data, Json, Seed, command
from clapp_neuro.progress import track
from clapp_neuro.show import dump, lines, table


@command("clapp-neuro verify model.clapp --against lava --learn")
def verify(
    bundle: Bundle,
    against: Annotated[str, typer.Option(help="lava, tensor or reference")] = "lava",
    learn: Annotated[bool, typer.Option("--learn", help="with on-chip learning")] = False,
    fixations: Annotated[int, typer.Option(help="how many")] = 20,
    timeout: Annotated[float, typer.Option(help="seconds that Lava may take")] = 600.0,
    device: Annotated[str, typer.Option(help="cpu or cuda, for the engine on tensors")] = "cpu",
    data: Data = None,
    seed: Seed = 0,
    json: Json = None,
) -> None:
    """Compare two engines after every time step; exit code 1 where they differ."""
    with track("verify") as report:
        result = clapp_neuro.verify(
            bundle,
            against=against,
            learn=learn,
            fixations=fixations,
            data=data,
            seed=seed,
            timeout=timeout,
            device=device,
            report=report,
        )
    dump(json, result)
    if result.agreement:
        rows = [
            (n, f"{a['correlation']:.5f}", f"{a['relative_error']:.3%}")
            for n, a in result.agreement.items()
        ]
        table(("against the float reference", "correlation", "relative error"), rows)
    agreement = "agrees" if result.agreement else "equal"
    lines(
        f"{agreement if result.equal else 'different'}: {result.fixations} fixations, "
        f"{result.time_steps} time steps, {result.values_compared:,} values compared "
        f"({result.weights_compared:,} of them weights and tags), {result.mismatches} differ"
    )
    if result.first_difference is not None:
        lines(f"first difference: {result.first_difference}")
    if not result.equal:
        raise typer.Exit(1)
