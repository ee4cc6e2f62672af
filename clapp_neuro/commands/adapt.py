"""`clapp-neuro adapt`."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Annotated

import typer

import clapp_neuro
from clapp_neuro.commands.app import Bundle, Data, Json, Seed, command, place
from clapp_neuro.progress import track
from clapp_neuro.show import dump, lines, table
from clapp_neuro.verbs.adapt import LABELLED, Setting


@command("clapp-neuro adapt learned.clapp --drift rotate90 --margin 1 --margin 0.25")
def adapt(
    bundle: Bundle,
    drift: Annotated[
        str, typer.Option(help="rotate90, dim, noise, invert or new-classes: what changes")
    ],
    images: Annotated[int, typer.Option(help="to learn from after the change")] = 20_000,
    before: Annotated[int, typer.Option(help="images to learn from before the change")] = 0,
    margin: Annotated[
        list[float] | None, typer.Option(help="margins so many times as large; may be repeated")
    ] = None,
    halve: Annotated[
        list[int] | None, typer.Option(help="learning rate / 2^N; may be repeated")
    ] = None,
    every: Annotated[
        list[int] | None, typer.Option(help="fixations between consolidations; may be repeated")
    ] = None,
    looks: Annotated[int, typer.Option(help="how often accuracy is measured on the way")] = 3,
    train_images: Annotated[int, typer.Option(help="labelled images for readouts")] = LABELLED,
    model: Annotated[
        Path | None, typer.Option(help="a float network trained on the old data, beside it")
    ] = None,
    figure: Annotated[Path | None, typer.Option(help="PNG of the courses", callback=place)] = None,
    data: Data = None,
    seed: Seed = 0,
    json: Json = None,
) -> None:
    """Change the data, let the chip learn on without labels, measure what it wins and forgets."""
    intervals: list[int | None] = [*(every or ())] or [None]
    chosen = product(margin or [1.0], halve or [0], intervals)
    settings = [Setting(*values) for values in chosen]
    with track("adapt") as report:
        found = clapp_neuro.adapt(
            bundle,
            drift=drift,
            images=images,
            before=before,
            settings=settings,
            looks=looks,
            train_images=train_images,
            model=model,
            figure=figure,
            data=data,
            seed=seed,
            report=report,
        )
    dump(json, found)
    lines(f"{found.source}; readouts fitted on {found.labelled:,} labelled images of each world")
    none = ("–",) * len(found.layers)
    rows = [
        ("before the change", *_percent(found.before), *none),
        ("after it, old readout", *(_percent(found.stale) if found.stale else none), *none),
        ("after it, frozen chip", *_percent(found.after), *_percent(found.before)),
    ]
    if found.float_before is not None and found.float_after is not None:
        rows.append(("float, frozen", *_percent(found.float_after), *_percent(found.float_before)))
    for course in found.courses:
        for fixations, new, old in zip(course.fixations, course.new, course.old, strict=True):
            title = f"{course.setting}: {fixations:,} fixations"
            rows.append((title, *_percent(new), *_percent(old)))
    names = [f"{name}, {world}" for world in ("new", "old") for name in found.layers]
    table(("accuracy", *names), rows)
    for course in found.courses:
        share = course.won_back
        won = "nothing to win back" if share is None else f"{share:.0%} won back"
        opened = ", ".join(f"{gate:.0%}" for gate in course.gate[-1])
        lines(
            f"{course.setting}, top layer: {won}, {100 * course.forgotten:.2f} points forgotten; "
            f"gates open {opened}"
        )
    if found.figure is not None:
        lines(f"{found.figure}: the courses")


def _percent(accuracies: tuple[float, ...]) -> tuple[str, ...]:
    return tuple(f"{accuracy:.2%}" for accuracy in accuracies)
