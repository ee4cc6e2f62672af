"""`clapp-neuro run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import clapp_neuro
from clapp_neuro.commands.app import Bundle, Data, Input, Json, apart, command
from clapp_neuro.errors import InputError
from clapp_neuro.progress import track
from clapp_neuro.show import dump, lines, table
from clapp_neuro.verbs.run import RunResult


@command("clapp-neuro run model.clapp --learn --out learned.clapp")
def run(
    bundle: Bundle,
    images: Annotated[int | None, typer.Option(help="how many images to look at")] = None,
    learn: Annotated[bool, typer.Option("--learn", help="learn on the chip")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="go on with the interrupted run in this file")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="where to write what was learned")] = None,
    probe: Annotated[bool, typer.Option("--probe", help="linear readout of the counts")] = False,
    train_images: Annotated[int | None, typer.Option(help="labelled images to fit it on")] = None,
    data: Data = None,
    seed: Annotated[int | None, typer.Option(help="seed of the gaze (default 0)")] = None,
    device: Annotated[str, typer.Option(help="cpu, or cuda without --learn")] = "cpu",
    samples: Input = None,
    json: Json = None,
) -> None:
    """Run a program on the simulator, to look or to learn."""
    apart({"--out": out, "--json": json}, {"--input": samples})
    apart({"--json": json}, {"BUNDLE": bundle})  # but --out may take its place
    with track("run") as report:
        result = clapp_neuro.run(
            bundle,
            images=images,
            learn=learn,
            resume=resume,
            out=out,
            data=data,
            seed=seed,
            probe=probe,
            train_images=train_images,
            device=device,
            samples=samples,
            report=report,
        )
    dump(json, result)
    seen = f"{result.images} images, {result.fixations} fixations"
    if samples is not None:
        seen = f"{result.fixations} samples"
    lines(f"{seen} on the {result.engine}, from {result.source}")
    rows = []
    for name, rate in result.rates.items():
        accuracy = f"{result.accuracy[name]:.2%}" if name in result.accuracy else "–"
        loss = f"{result.loss[name]:.3f}" if name in result.loss else "–"
        opened = f"{result.gate_open[name]:.1%}" if name in result.gate_open else "–"
        silent = (_course(result, name, kind) for kind in ("dead", "always_on"))
        rows.append((name, f"{rate:.1%}", loss, opened, *silent, accuracy))
    table(("layer", "firing rate", "loss", "gate open", "dead", "always on", "readout"), rows)
    if result.dead_after:
        seen = "before learning and after, " if result.dead_before else ""
        lines(
            f"dead neurons never spike, always on are those that do in every fixation: {seen}in "
            f"{result.dead_of} test images"
        )
    if result.rewarded is not None:
        lines(
            f"readout on the chip: named the class in {result.rewarded:.1%} of the last fifth of "
            "the fixations"
        )
    if result.accuracy_on_chip is not None:
        lines(
            f"readout on the chip: {result.accuracy_on_chip:.2%} of the test images, by its scores "
            "added up over all positions"
        )
    if result.out is not None:
        lines(f"{result.out}: what the chip learned")
    if result.interrupted:
        again = f"clapp-neuro run {result.out} --resume --out {result.out}"
        raise InputError(f"interrupted; what was learned is saved, go on with: {again}")


def _course(result: RunResult, layer: str, kind: str) -> str:
    """How many neurons of a layer are of a kind, or were and are."""
    counted = (of[layer] for of in (result.dead_before, result.dead_after) if layer in of)
    return " → ".join(str(getattr(one, kind)) for one in counted) or "–"
