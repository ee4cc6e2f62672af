"""`clapp-neuro adapt`."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Annotated

import typer

import clapp_neuro
from clapp_neuro.commands.app import Bundle, Data, Json, Seed, apart, command, picture
from clapp_neuro.data.drift import NEW_CLASSES
from clapp_neuro.progress import track
from clapp_neuro.show import dump, lines, table
from clapp_neuro.verbs.adapt import AdaptResult, Course, Setting
from clapp_neuro.verbs.adaptation import Share

WITHOUT_LABELS = (
    "new world, readout refitted on old images",
    "new world, readout of before",
    "old world, readout of before",
)


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
    rate: Annotated[
        list[float] | None,
        typer.Option(help="learning rates so many times as large, a power of two; may be repeated"),
    ] = None,
    every: Annotated[
        list[int] | None, typer.Option(help="fixations between consolidations; may be repeated")
    ] = None,
    looks: Annotated[int, typer.Option(help="how often accuracy is measured on the way")] = 3,
    train_images: Annotated[
        int | None, typer.Option(help="labelled images for readouts (default 5,000, or all)")
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="a float network trained on the old data, beside it")
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(help="of the courses: .png, .svg or .pdf", callback=picture)
    ] = None,
    data: Data = None,
    seed: Seed = 0,
    json: Json = None,
) -> None:
    """Change the data, let the chip learn on without labels, measure what it wins and forgets."""
    apart({"--json": json, "--figure": figure}, {"BUNDLE": bundle, "--model": model})
    intervals: list[int | None] = [*(every or ())] or [None]
    chosen = product(margin or [1.0], rate or [1.0], intervals)
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
    lines(
        f"{found.source}; readouts fitted on {found.labelled:,} labelled images, the encoder sees "
        "no label"
    )
    known = [("frozen chip", found.frozen)]
    if found.network is not None:
        known.append(("frozen float network", found.network))
    known += [
        (f"{course.setting}: {look.fixations:,} fixations", look.accuracy)
        for course in found.courses
        for look in course.looks
    ]
    worlds = [f"{name}, {world} world" for world in ("new", "old") for name in found.layers]
    table(
        ("readouts fitted anew in each world", *worlds),
        [(title, *_percent(seen.new), *_percent(seen.old)) for title, seen in known],
    )
    table(
        ("top layer, without labels of the new world", *WITHOUT_LABELS),
        [
            (title, *(_top(some) for some in (seen.new_by_old, seen.new_kept, seen.old_kept)))
            for title, seen in known
        ],
    )
    for course in found.courses:
        lines(f"{course.setting}, top layer: {_verdict(found, course)}")
    if found.figure is not None:
        lines(f"{found.figure}: the courses")


def _verdict(found: AdaptResult, course: Course) -> str:
    last, frozen = course.looks[-1], found.frozen
    if course.won_back is not None:
        won = f"{course.won_back:.0%} of the cost won back"
    elif found.drift == NEW_CLASSES:
        won = f"{100 * (last.accuracy.new[-1] - frozen.new[-1]):+.2f} points on the new classes"
    else:
        cost = 100 * (frozen.old[-1] - frozen.new[-1])
        won = f"the change cost {cost:.2f} points, too few to say which share came back"
    opened = ", ".join(f"{gate:.0%}" for gate in last.gate)
    gates = f"; gates open {opened}" if opened else ""
    clipped = f"; {last.clipped:.2g} of post values clipped" if last.clipped else ""
    return f"{won}, {100 * course.forgotten:.2f} points forgotten{gates}{clipped}"


def _percent(accuracies: Share) -> tuple[str, ...]:
    return tuple(f"{accuracy:.2%}" for accuracy in accuracies)


def _top(accuracies: Share | None) -> str:
    return "–" if accuracies is None else f"{accuracies[-1]:.2%}"
