"""`adapt`: the world changes, and the chip goes on learning."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clapp_neuro.checkpoint import load_checkpoint
from clapp_neuro.data.drift import NEW_CLASSES, worlds
from clapp_neuro.data.images import ImageSet
from clapp_neuro.errors import InputError
from clapp_neuro.files import require_place
from clapp_neuro.progress import Report, silent
from clapp_neuro.readout import layer_features
from clapp_neuro.readouts.logistic import logistic_predictions
from clapp_neuro.verbs.sight import (
    chip_features,
    experiment_of,
    gaze,
    images_of,
    machine_of,
    readout_populations,
)
from compiler.backends.simulator import simulate
from compiler.bundle import read_bundle
from compiler.program import Program
from compiler.retune import with_interval, with_margin, with_rate

LABELLED = 5_000
LEAST_COST = 0.002  # of accuracy: where a change costs less, no share of it can be won back


@dataclass(frozen=True)
class Setting:
    """How the chip learns after the change.

    Its margins times `margin`, its learning rate / 2^halvings, tags consolidated `every` so many
    fixations (None: as it was compiled).
    """

    margin: float = 1.0
    halvings: int = 0
    every: int | None = None

    def __str__(self) -> str:
        text = f"margin x {self.margin:g}, rate / {2**self.halvings}"
        return text if self.every is None else f"{text}, tags every {self.every}"


@dataclass(frozen=True)
class Course:
    """One chip that goes on learning. Lists go with `fixations` since the change.

    new, old: accuracy of each layer's readout, fitted anew, in the new world and in the old one.
    gate: share of fixations that opened a gate, by layer, since the time before. won_back: of what
    the change had cost, forgotten: accuracy lost in the old world; both of the top layer, the first
    None where the change cost next to nothing.
    """

    setting: Setting
    fixations: tuple[int, ...]
    new: tuple[tuple[float, ...], ...]
    old: tuple[tuple[float, ...], ...]
    gate: tuple[tuple[float, ...], ...]
    won_back: float | None
    forgotten: float


@dataclass(frozen=True)
class AdaptResult:
    """Accuracies in 0..1 by layer, of readouts that are fitted on labelled images of that world.

    before: in the old world. after: in the new one, with the frozen encoder. stale: with the
    readout of before, too. float_before, float_after: of the float network of `model`, likewise.
    """

    drift: str
    source: str
    layers: tuple[str, ...]
    labelled: int
    before: tuple[float, ...]
    stale: tuple[float, ...] | None
    after: tuple[float, ...]
    float_before: tuple[float, ...] | None
    float_after: tuple[float, ...] | None
    courses: tuple[Course, ...]
    figure: Path | None


def adapt(
    path: str | os.PathLike[str],
    *,
    drift: str,
    images: int = 20_000,
    before: int = 0,
    settings: Sequence[Setting] = (Setting(),),
    looks: int = 3,
    train_images: int = LABELLED,
    model: str | os.PathLike[str] | None = None,
    figure: str | os.PathLike[str] | None = None,
    data: str | os.PathLike[str] | None = None,
    seed: int = 0,
    report: Report = silent,
) -> AdaptResult:
    """Let a compiled program learn on after its data have changed.

    drift: a name of `data.drift.DRIFTS`. before: images that it learns from in the old world first.
    images: those it learns from in the new one, once for each of the `settings`, looked at `looks`
    times on the way. Only readouts see labels, those of the first `train_images` images of a world.
    model: a checkpoint trained elsewhere on the old data, to compare with. figure: where to draw
    the courses. Raises InputError for files, data or numbers that do not fit.
    """
    for name, number, least in (
        ("images", images, 1),
        ("images before", before, 0),
        ("looks", looks, 1),
        ("labelled images", train_images, 1),
    ):
        if number < least:
            raise InputError(f"{number} {name}: give at least {least}")
    if not settings:
        raise InputError("no setting to learn with: give at least one")
    if figure is not None:
        require_place(figure)
    program, _ = read_bundle(path)
    if not program.plastic:
        raise InputError(f"'{path}' has no plastic synapses: compile it without --static")
    for setting in settings:
        _tuned(program, setting)  # what cannot be is refused before the work
    old, new = worlds(images_of(program, data), drift, seed)
    positions = experiment_of(program).data.positions
    steps = -(-images // looks) * positions  # from one look to the next
    first = before * positions
    total = first + len(settings) * looks * steps
    if before:
        stimulus = gaze(program, old, first, seed)
        told = simulate(program, stimulus, progress=lambda n: report(n, total, "before the change"))
        program = told.program
    start = _readout(program, old, old, train_images)
    after = _readout(program, new, new, train_images)
    cost = start[-1] - after[-1]
    courses = []
    for number, setting in enumerate(settings):
        chip, state = _tuned(program, setting), None
        news, olds, gates = [], [], []
        for look in range(looks):
            stimulus = gaze(chip, new, steps, seed, start=look * steps)
            result = simulate(chip, stimulus, state=state)
            chip, state = result.program, result.state
            news.append(_readout(chip, new, new, train_images))
            olds.append(_readout(chip, old, old, train_images))
            gates.append(tuple((result.gates[-steps:] != 0).mean(0).tolist()))
            report(first + (number * looks + look + 1) * steps, total, str(setting))
        courses.append(
            Course(
                setting=setting,
                fixations=tuple((look + 1) * steps for look in range(looks)),
                new=tuple(news),
                old=tuple(olds),
                gate=tuple(gates),
                won_back=(news[-1][-1] - after[-1]) / cost if cost > LEAST_COST else None,
                forgotten=start[-1] - olds[-1][-1],
            )
        )
    known = None if model is None else _float(model, (old, new), train_images)
    found = AdaptResult(
        drift=drift,
        source=old.source,
        layers=tuple(readout_populations(program)),
        labelled=train_images,
        before=start,
        stale=None if drift == NEW_CLASSES else _readout(program, old, new, train_images),
        after=after,
        float_before=None if known is None else known[0],
        float_after=None if known is None else known[1],
        courses=tuple(courses),
        figure=None if figure is None else Path(figure),
    )
    if figure is not None:
        from clapp_neuro.reproduce.figures import save
        from clapp_neuro.reproduce.figures.adapt import draw_courses

        ways = [(str(c.setting), c.fixations, _top(c.new), _top(c.old)) for c in courses]
        save(draw_courses(drift, start[-1], after[-1], ways), figure)
    return found


def _tuned(program: Program, setting: Setting) -> Program:
    tuned = with_rate(with_margin(program, setting.margin), setting.halvings)
    if setting.every is None:
        return tuned
    longest = int(machine_of(program).limits.decimation_exponent.value)
    return with_interval(tuned, setting.every, longest)


def _top(accuracies: Sequence[Sequence[float]]) -> list[float]:
    return [by_layer[-1] for by_layer in accuracies]


def _readout(
    program: Program, fitted: ImageSet, tested: ImageSet, labelled: int
) -> tuple[float, ...]:
    """Accuracy by layer of a readout fitted in one world and tested in another."""
    train = chip_features(program, fitted.train_images[:labelled])
    test = chip_features(program, tested.test_images)
    return _right(list(train.values()), list(test.values()), fitted, tested, labelled)


def _right(
    train: Sequence[np.ndarray],
    test: Sequence[np.ndarray],
    fitted: ImageSet,
    tested: ImageSet,
    labelled: int,
) -> tuple[float, ...]:
    labels = fitted.train_labels[:labelled]
    return tuple(
        float((logistic_predictions(x, labels, other) == tested.test_labels).mean())
        for x, other in zip(train, test, strict=True)
    )


def _float(
    model: str | os.PathLike[str], worlds: Sequence[ImageSet], labelled: int
) -> list[tuple[float, ...]]:
    """The readout of a float network, which learns nothing, in each world."""
    checkpoint = load_checkpoint(model)
    found = []
    for world in worlds:
        train, test = (
            layer_features(checkpoint.weights, checkpoint.experiment, images)
            for images in (world.train_images[:labelled], world.test_images)
        )
        found.append(_right(train, test, world, world, labelled))
    return found
