"""`clapp-neuro compile`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import clapp_neuro
from clapp_neuro.commands.app import Calibration, Data, Dt, Inputs, Json, Steps, apart, command
from clapp_neuro.errors import InputError
from clapp_neuro.readouts.reward import RATE
from clapp_neuro.show import dump, lines, table
from clapp_neuro.verbs.compile import program_path
from clapp_neuro.verbs.precision import HEADER
from clapp_neuro.verbs.source import Reading


@command("clapp-neuro compile model.pt --target loihi2-sim")
def compile(
    model: Annotated[Path, typer.Argument(help="a checkpoint, or a NIR or ONNX file")],
    target: Annotated[str, typer.Option(help="machine-backend, or a machine file")] = "loihi2-sim",
    out: Annotated[Path | None, typer.Option(help="default: model.clapp beside the model")] = None,
    seed: Annotated[int, typer.Option(help="seed of the chip's stochastic rounding")] = 0,
    static: Annotated[bool, typer.Option("--static", help="leave learning out")] = False,
    kernels: Annotated[
        str, typer.Option(help="kernels that learn: untied, tied-averaged or sequential")
    ] = "untied",
    average_every: Annotated[
        int, typer.Option(help="fixations, for tied-averaged; for sequential from carry to carry")
    ] = 32,
    consolidation: Annotated[
        str | None, typer.Option(help="of updates into weights: carry, transfer, pair, direct")
    ] = None,
    consolidate_every: Annotated[
        int | None, typer.Option(help="fixations, default 32; a power of two, but for pair")
    ] = None,
    readout: Annotated[
        str,
        typer.Option(help="on the chip: none; reward, one bit of it teaches; reward-by-position"),
    ] = "none",
    readout_rate: Annotated[float, typer.Option(help="its learning rate")] = RATE,
    dt: Dt = None,
    steps: Steps = None,
    inputs: Inputs = None,
    calibration: Calibration = None,
    percentile: Annotated[
        float,
        typer.Option(help="of weights, which the largest integer stands for; 100: the largest"),
    ] = 100.0,
    exponent: Annotated[
        list[str] | None,
        typer.Option(help="of the weights onto a layer, layer1=-2; again for more layers"),
    ] = None,
    activities: Annotated[
        float | None,
        typer.Option(
            "--activity-percentile",
            help="of calibrated activities: an ANN's thresholds, what rules read; 100: the largest",
        ),
    ] = None,
    measure: Annotated[
        int | None,
        typer.Option(help="run so many samples beside the source: rates, spikes that are certain"),
    ] = None,
    data: Data = None,
    json: Json = None,
) -> None:
    """Compile a model for a target; print cores, memory, precision lost, each rule at work."""
    written = program_path(model, out)
    apart({"--out": written, "--json": json}, {"MODEL": model, "--calibration": calibration})
    result = clapp_neuro.compile(
        model,
        target,
        out,
        seed=seed,
        static=static,
        kernels=kernels,
        average_every=average_every,
        consolidation=consolidation,
        consolidate_every=consolidate_every,
        percentile=percentile,
        readout=readout,
        readout_rate=readout_rate,
        exponents=_exponents(exponent or []),
        measure=measure,
        data=data,
        reading=Reading(dt, steps, inputs, calibration, activities),
    )
    dump(json, result)
    notes = [(n.stage, n.subject, n.text) for n in result.compiled.notes]
    table(("pass", "subject", "what it did and lost"), notes)
    table(HEADER, result.precision.rows())
    if result.precision.measured is not None:
        lines(result.precision.sentence())
    placement = result.compiled.placement
    header, *rows = placement.rows()
    table(header, rows)
    lines(
        f"a message of every neuron to each core that hears it: {placement.hops:,} hops on the "
        f"mesh, {placement.hops_in_a_row:,} if the cores lay in a row"
    )
    if result.examples:
        y, draws = result.examples[0].label, result.examples[0].draws
        told = "" if y is None else f" y = {y:+d},"
        lines(f"worked example: two fixations,{told} mean of {draws} seeds of rounding")
        header = ("projection", "synapse", "expected ΔW", "executed ΔW", "whole matrix")
        table(header, [example.row() for example in result.examples])
    lines(f"{result.path}: compiled for {result.target}")


def _exponents(given: list[str]) -> dict[str, int]:
    """By layer, from `layer=exponent`."""
    found = {}
    for text in given:
        name, _, number = text.rpartition("=")
        try:
            found[name] = int(number)
        except ValueError:
            raise InputError(f"--exponent {text}: give LAYER=NUMBER, as layer1=-2") from None
    return found
