"""`clapp-neuro train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import clapp_neuro
from clapp_neuro.commands.app import Data, Json, apart, command, place
from clapp_neuro.errors import InputError
from clapp_neuro.progress import track
from clapp_neuro.show import dump, lines, table


@command("clapp-neuro train --preset fashion-conv --method clapp --out model.pt")
def train(
    out: Annotated[Path, typer.Option(help="where to write the checkpoint", callback=place)],
    preset: Annotated[str | None, typer.Option(help="which experiment; see the docs")] = None,
    method: Annotated[str | None, typer.Option(help="clapp, gim, supervised, random ...")] = None,
    mode: Annotated[str | None, typer.Option(help="batch (Adam) or online (the chip's)")] = None,
    modules: Annotated[str | None, typer.Option(help="1, 2, 3, 4-lower, 4-upper or 6")] = None,
    retro: Annotated[str | None, typer.Option(help="own, transposed or none (Eq. 7)")] = None,
    context: Annotated[str | None, typer.Option(help="same, above or top")] = None,
    prediction_steps: Annotated[int | None, typer.Option(help="K, distances predicted")] = None,
    directions: Annotated[str | None, typer.Option(help="down, or down-across")] = None,
    neurons: Annotated[str | None, typer.Option(help="rate or spiking")] = None,
    library: Annotated[str | None, typer.Option(help="snntorch or norse")] = None,
    coding: Annotated[str | None, typer.Option(help="intensity, signed or on-off")] = None,
    steps: Annotated[int | None, typer.Option(help="minibatches, or fixations online")] = None,
    batch_size: Annotated[int | None, typer.Option(help="images in a minibatch")] = None,
    adam_rate: Annotated[float | None, typer.Option(help="learning rate, batch mode")] = None,
    sgd_rate: Annotated[float | None, typer.Option(help="learning rate, online")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="0 for the chip")] = None,
    weight_bits: Annotated[
        int | None, typer.Option(help="train for a chip's weights of so many bits, 2 to 8")
    ] = None,
    precision: Annotated[str | None, typer.Option(help="float32 or bfloat16")] = None,
    compiled: Annotated[
        bool | None, typer.Option("--compile/--no-compile", help="use torch.compile")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="seed of weights, order and coins")] = None,
    data: Data = None,
    resume: Annotated[Path | None, typer.Option(help="go on with this checkpoint")] = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda (batch mode)")] = None,
    tensorboard: Annotated[Path | None, typer.Option(help="folder of a TensorBoard log")] = None,
    json: Json = None,
) -> None:
    """Train a network on images and write its checkpoint."""
    if (preset is None) == (resume is None):
        raise InputError("give either --preset NAME or --resume model.pt")
    start = (
        clapp_neuro.load_checkpoint(resume).experiment
        if resume is not None
        else clapp_neuro.load_preset(preset)
    )
    experiment = clapp_neuro.with_settings(
        start,
        data={"coding": coding},
        encoder={"neurons": neurons, "library": library},
        train={
            "method": method,
            "mode": mode,
            "modules": modules,
            "retro": retro,
            "context": context,
            "prediction_steps": prediction_steps,
            "directions": directions,
            "steps": steps,
            "batch_size": batch_size,
            "adam_rate": adam_rate,
            "sgd_rate": sgd_rate,
            "weight_decay": weight_decay,
            "weight_bits": weight_bits,
            "precision": precision,
            "compile": compiled,
            "seed": seed,
        },
    )
    apart({"--json": json}, {"--out": out, "--resume": resume})  # --out may take its place
    with track("train") as report:
        result = clapp_neuro.train(
            experiment,
            out,
            resume=resume,
            data=data,
            device=device,
            tensorboard=tensorboard,
            report=report,
        )
    dump(json, result)
    lines(
        f"{result.path}: step {result.step}, {result.seconds:.0f} s on {result.device}, "
        f"images from {result.source}"
    )
    table(
        ("layer", "loss", "gate open", "activity"),
        [
            (f"{n}", f"{r.loss:.3f}", f"{r.gate:.1%}", f"{r.rate:.1%}")
            for n, r in zip(result.layers, result.final, strict=False)
        ],
    )
    if result.interrupted:
        again = f"clapp-neuro train --resume {result.path} --out {result.path}"
        raise InputError(f"interrupted; what was learned is saved, go on with: {again}")
