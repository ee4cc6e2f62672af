"""The command line: one function a command, no logic of its own.

Exit codes: 0 yes, 1 a verification found a difference or something is missing (doctor), 2 bad
input or an interruption.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

import clapp_neuro
from clapp_neuro.errors import InputError
from clapp_neuro.files import require_place
from clapp_neuro.progress import track
from clapp_neuro.show import dump, lines, table
from compiler.backends.lava.supervise import LavaError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Train CLAPP in spikes, compile it for a neuromorphic chip, learn there, verify, cost.",
)


def place(path: Path | None) -> Path | None:
    """Complain about a place that cannot be written before the work, not after."""
    if path is not None:
        require_place(path)
    return path


def command(example: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Adds a command; Ctrl-C, too, ends it in a sentence."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def run(*arguments: Any, **options: Any) -> None:
            try:
                function(*arguments, **options)
            except KeyboardInterrupt:
                raise InputError("interrupted: nothing more was written") from None

        app.command(epilog=f"Example: {example}")(run)
        return function

    return register


Json = Annotated[
    Path | None, typer.Option("--json", help="write the result to this file", callback=place)
]
Data = Annotated[str | None, typer.Option("--data", help="folder of the data set, or 'download'")]
Seed = Annotated[int, typer.Option(help="seed of the gaze over the images")]
Bundle = Annotated[Path, typer.Argument(help="a compiled program, model.clapp")]
Model = Annotated[Path, typer.Argument(help="a checkpoint, model.pt")]


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
            "precision": precision,
            "compile": compiled,
            "seed": seed,
        },
    )
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


@command("clapp-neuro compile model.pt --target loihi2-sim")
def compile(
    model: Model,
    target: Annotated[str, typer.Option(help="machine-backend, or a machine file")] = "loihi2-sim",
    out: Annotated[Path | None, typer.Option(help="default: model.clapp beside the model")] = None,
    seed: Annotated[int, typer.Option(help="seed of the chip's stochastic rounding")] = 0,
    static: Annotated[bool, typer.Option("--static", help="leave learning out")] = False,
    kernels: Annotated[
        str, typer.Option(help="kernels that learn: untied, or tied-averaged")
    ] = "untied",
    average_every: Annotated[int, typer.Option(help="fixations, for tied-averaged")] = 32,
    json: Json = None,
) -> None:
    """Compile a checkpoint for a target; print cores, memory, precision lost, each rule at work."""
    result = clapp_neuro.compile(
        model,
        target,
        out,
        seed=seed,
        static=static,
        kernels=kernels,
        average_every=average_every,
    )
    dump(json, result)
    notes = [(n.stage, n.subject, n.text) for n in result.compiled.notes]
    table(("pass", "subject", "what it did and lost"), notes)
    header, *rows = result.compiled.placement.rows()
    table(header, rows)
    if result.examples:
        y, draws = result.examples[0].label, result.examples[0].draws
        lines(f"worked example: two fixations, y = {y:+d}, mean of {draws} seeds of rounding")
        header = ("projection", "synapse", "expected ΔW", "executed ΔW", "whole matrix")
        table(header, [example.row() for example in result.examples])
    lines(f"{result.path}: compiled for {result.target}")


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
    json: Json = None,
) -> None:
    """Run a program on the simulator, to look or to learn."""
    if out is not None and json is not None and out.resolve() == json.resolve():
        raise InputError(f"--out and --json both name '{out}': give two files")
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
            report=report,
        )
    dump(json, result)
    lines(
        f"{result.images} images, {result.fixations} fixations on the {result.engine}, from "
        f"{result.source}"
    )
    rows = []
    for name, rate in result.rates.items():
        accuracy = f"{result.accuracy[name]:.2%}" if name in result.accuracy else "–"
        loss = f"{result.loss[name]:.3f}" if name in result.loss else "–"
        opened = f"{result.gate_open[name]:.1%}" if name in result.gate_open else "–"
        rows.append((name, f"{rate:.1%}", loss, opened, accuracy))
    table(("layer", "firing rate", "loss", "gate open", "readout"), rows)
    if result.out is not None:
        lines(f"{result.out}: what the chip learned")
    if result.interrupted:
        again = f"clapp-neuro run {result.out} --resume --out {result.out}"
        raise InputError(f"interrupted; what was learned is saved, go on with: {again}")


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
        lines(f"learning over inference: {result.estimate.ratio}")
    if result.comparison is not None:
        header, *rows = result.comparison.rows()
        table(header, rows)
    lines(f"the float network on this CPU: {result.this_cpu}")


@command("clapp-neuro targets")
def targets(json: Json = None) -> None:
    """What programs can be compiled for."""
    result = clapp_neuro.targets()
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


@command("clapp-neuro doctor")
def doctor(json: Json = None) -> None:
    """What is installed, which device, whether Lava runs, which data were found."""
    result = clapp_neuro.doctor()
    dump(json, result)
    lines(str(result))
    if not result.ok:
        raise typer.Exit(1)


def main(arguments: list[str] | None = None) -> None:
    """Entry point; bad input becomes one sentence on standard error and exit code 2."""
    try:
        app(arguments)
    except (InputError, LavaError) as error:
        print(f"clapp-neuro: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:  # of standard output: whatever else is written says so itself
        print(f"clapp-neuro: cannot print the result: {error.strerror}", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else Python tries once more at its end
        sys.exit(2)


if __name__ == "__main__":
    main()
