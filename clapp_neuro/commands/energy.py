"""`clapp-neuro energy`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import clapp_neuro
from clapp_neuro.commands.app import Data, Input, Json, apart, command, picture, place
from clapp_neuro.errors import InputError
from clapp_neuro.progress import track
from clapp_neuro.show import dump, lines, table


@command("clapp-neuro energy model.clapp --compare all")
def energy(
    bundle: Annotated[
        Path | None, typer.Argument(help="a compiled program, model.clapp; none with --sweep")
    ] = None,
    compare: Annotated[
        str | None, typer.Option(help="machines and machine files with commas, or all")
    ] = None,
    images: Annotated[
        int | None, typer.Option(help="how many images to look at (default 200)")
    ] = None,
    events: Annotated[
        bool, typer.Option("--events", help="every kind of event, and every core, a line")
    ] = False,
    readout_images: Annotated[
        int | None,
        typer.Option(help="labelled images behind the accuracy (default 500); 0: leave it out"),
    ] = None,
    reach: Annotated[
        float | None, typer.Option(help="learn until this accuracy (0..1), and say what it took")
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="write the lines as CSV", callback=place)] = None,
    plot: Annotated[
        Path | None, typer.Option(help="write a figure: .png, .svg or .pdf", callback=picture)
    ] = None,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="accuracy against energy of many small networks")
    ] = False,
    quick: Annotated[bool, typer.Option("--quick", help="a sweep of minutes, not hours")] = False,
    out: Annotated[
        Path | None, typer.Option(help="results of the sweep, also those it goes on from")
    ] = None,
    data: Data = None,
    seed: Annotated[int | None, typer.Option(help="seed of the gaze (default 0)")] = None,
    samples: Input = None,
    labels: Annotated[
        Path | None, typer.Option(help="with --input: .npy, the output neuron that should win each")
    ] = None,
    json: Json = None,
) -> None:
    """Energy of a program on its machine and on others, each figure with its band and grade."""
    read = {"BUNDLE": bundle, "--input": samples, "--labels": labels}
    apart({"--json": json, "--csv": csv, "--plot": plot, "--out": out}, read)
    if sweep != (bundle is None):
        raise InputError("give either a compiled program, model.clapp, or --sweep")
    if sweep:
        of_one = {"--compare": compare, "--images": images, "--readout-images": readout_images,
                  "--reach": reach, "--seed": seed, "--input": samples,
                  "--labels": labels, "--events": events or None}  # fmt: skip
        given = [name for name, value in of_one.items() if value is not None]
        if given:
            raise InputError(f"{', '.join(given)}: for one compiled program, not for --sweep")
        show_sweep(quick, out or Path("energy-sweep.json"), csv, plot, data, json)
        return
    if quick or out is not None:
        raise InputError("--quick and --out are for --sweep")
    with track("energy") as report:
        result = clapp_neuro.energy(
            bundle,
            compare=compare,
            images=images,
            data=data,
            seed=seed,
            readout_images=readout_images,
            reach=reach,
            samples=samples,
            labels=labels,
            report=report,
        )
    dump(json, result)
    if csv is not None:
        from clapp_neuro.verbs.energy_csv import write_csv

        write_csv(result, csv)
    if plot is not None:
        from clapp_neuro.verbs.energy_figure import plot as draw  # needs matplotlib

        draw(result, plot)
    estimate = result.estimate
    looked = f"{result.images} {'image' if result.images == 1 else 'images'}"
    lines(f"{estimate.label}, {looked} from {result.source}; {result.accuracy}")
    show(estimate.rows())
    lines(estimate.timing)
    if events:
        show(estimate.event_rows())
        show(result.core_rows())
    if estimate.ratio is not None:
        lines(f"learning over inference: {estimate.ratio_sentence}")
    if result.comparison is not None:
        show([*result.comparison.rows(), *result.here.rows()])
        lines(*(f"- {note}" for note in result.comparison.notes()))
    else:
        lines(*(f"- {assumption}" for assumption in estimate.assumptions))
    if result.reach is not None:
        lines(result.reach.sentence())
        if result.reach.images:
            show(result.reach.rows())
    lines(*result.here.sentences())
    if result.conclusion is not None:
        lines(result.conclusion)


def show_sweep(
    quick: bool,
    out: Path,
    csv: Path | None,
    plot: Path | None,
    data: str | None,
    json: Path | None,
) -> None:
    """Run or go on with a sweep, and show its points."""
    from clapp_neuro.verbs import energy_sweep

    with track("sweep") as report:
        grid = energy_sweep.QUICK if quick else energy_sweep.Grid()
        result = energy_sweep.sweep(out, grid, data=data, report=report)
    dump(json, result)
    if csv is not None:
        from clapp_neuro.verbs.energy_csv import write_sweep_csv

        write_sweep_csv(result, csv)
    if plot is not None:
        from clapp_neuro.verbs.energy_sweep_figure import plot_sweep

        plot_sweep(result, plot)
    lines(f"{result.machine} (assumed coefficients), images from {result.source}; all: {out}")
    show(result.rows())
    lines("* on the Pareto front: no other setting is more accurate for at most this energy")
    lines(*(f"{name}: {reason}" for name, reason in result.failed.items()))


def show(rows: list[tuple[str, ...]]) -> None:
    """Print a table whose first row is its header."""
    header, *rest = rows
    table(header, rest)
