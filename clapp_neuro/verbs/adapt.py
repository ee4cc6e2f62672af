"""`adapt`: the world changes, and the chip goes on learning."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clapp_neuro.checkpoint import Checkpoint, load_checkpoint
from clapp_neuro.data.drift import NEW_CLASSES, require_drift, worlds
from clapp_neuro.errors import InputError
from clapp_neuro.files import require_place
from clapp_neuro.progress import Report, silent
from clapp_neuro.verbs.adaptation import (
    Accuracy,
    Share,
    accuracy,
    chip_encoder,
    fitted,
    float_encoder,
    judge,
    learn_on,
)
from clapp_neuro.verbs.sight import experiment_of, images_of, machine_of, readout_populations
from compiler.bundle import read_bundle
from compiler.program import Program
from compiler.retune import with_interval, with_margin, with_rate

LABELLED = 5_000
LEAST_COST = 0.005  # of accuracy: a share of less than two networks of equal quality differ by


@dataclass(frozen=True)
class Setting:
    """How the chip learns after the change.

    Its margins times `margin`, its learning rate times `rate`, a power of two, tags consolidated
    `every` so many fixations (None: as it was compiled).
    """

    margin: float = 1.0
    rate: float = 1.0
    every: int | None = None

    def __str__(self) -> str:
        text = f"margin x {self.margin:g}, rate x {self.rate:g}"
        return text if self.every is None else f"{text}, tags every {self.every}"


@dataclass(frozen=True)
class Look:
    """The chip so many fixations after the change.

    gate: share of fixations since the look before that opened a gate, by layer. clipped: share of
    all post values since the change that were too large for their register.
    """

    fixations: int
    accuracy: Accuracy
    gate: Share
    clipped: float


@dataclass(frozen=True)
class Course:
    """One chip that goes on learning.

    won_back: of what the change had cost, forgotten: accuracy lost in the old world; both of the
    top layer at the end, with readouts fitted anew in each world. won_back is None where the change
    cost next to nothing, and where the new world asks for other classes, which are no harder or
    easier by what the chip has learned.
    """

    setting: Setting
    looks: tuple[Look, ...]
    won_back: float | None
    forgotten: float


@dataclass(frozen=True)
class AdaptResult:
    """Accuracies by layer, before any chip learns on, and of each that does.

    frozen: the chip as it was when the world changed; its `old` is the accuracy before the change,
    its `new` the one right after with readouts fitted anew, `new_kept` with those of before.
    network: the float network of `model`, likewise.
    """

    drift: str
    source: str
    layers: tuple[str, ...]
    labelled: int
    frozen: Accuracy
    network: Accuracy | None
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
    train_images: int | None = None,
    model: str | os.PathLike[str] | None = None,
    figure: str | os.PathLike[str] | None = None,
    data: str | os.PathLike[str] | None = None,
    seed: int = 0,
    report: Report = silent,
) -> AdaptResult:
    """Let a compiled program learn on after its data have changed.

    drift: a name of `data.drift.DRIFTS`. before: images that it learns from in the old world first.
    images: those it learns from in the new one, once for each of the `settings`, looked at `looks`
    times on the way. Only readouts see labels, those of the first `train_images` images of a world
    (None: 5,000, or as many as there are). model: a checkpoint trained elsewhere on the old data,
    to compare with. figure: where to draw the courses. Raises InputError for files, data or numbers
    that do not fit.
    """
    for name, number, least in (
        ("images", images, 1),
        ("images before", before, 0),
        ("looks", looks, 1),
    ):
        if number < least:
            raise InputError(f"{number} {name}: give at least {least}")
    if not settings:
        raise InputError("no setting to learn with: give at least one")
    require_drift(drift)
    if figure is not None:
        require_place(figure)
    program, _ = read_bundle(path)
    positions = experiment_of(program).data.positions
    if not program.plastic:
        raise InputError(f"'{path}' has no plastic synapses: compile it without --static")
    for setting in settings:
        tuned(program, setting)  # what cannot be is refused before the work
    network = None if model is None else _of_the_same_data(model, program)
    old, new = worlds(images_of(program, data), drift, seed)
    labelled = _labelled(train_images, min(len(old.train_images), len(new.train_images)))
    steps = -(-images // looks) * positions  # from one look to the next
    ends = [(look + 1) * steps for look in range(looks)]
    first = before * positions
    total = first + len(settings) * ends[-1]

    def told(begun: int, note: str) -> Callable[[int], None]:
        return lambda done: report(begun + done, total, note)

    if first:
        (grown,) = learn_on(program, old, (first,), seed, told(0, "before the change"))
        program = grown.program
    kept = fitted(chip_encoder(program), old, labelled)
    frozen = accuracy(judge(chip_encoder(program), old, new, labelled, kept))
    courses = []
    for number, setting in enumerate(settings):
        chip, progress = tuned(program, setting), told(first + number * ends[-1], str(setting))
        learned = learn_on(chip, new, ends, seed, progress)
        seen = [
            Look(
                end,
                accuracy(judge(chip_encoder(grown.program), old, new, labelled, kept)),
                grown.gate,
                grown.clipped,
            )
            for end, grown in zip(ends, learned, strict=True)
        ]
        courses.append(_course(drift, frozen, setting, seen))
    found = AdaptResult(
        drift=drift,
        source=old.source,
        layers=tuple(readout_populations(program)),
        labelled=labelled,
        frozen=frozen,
        network=None
        if network is None
        else accuracy(judge(float_encoder(network), old, new, labelled)),
        courses=tuple(courses),
        figure=None if figure is None else Path(figure),
    )
    if figure is not None:
        from clapp_neuro.reproduce.figures import save  # matplotlib, only where it is drawn
        from clapp_neuro.reproduce.figures.adapt import draw_courses

        save(draw_courses(drift, 100 * frozen.old[-1], 100 * frozen.new[-1], _ways(found)), figure)
    return found


def _ways(found: AdaptResult) -> list[tuple[str, list[int], list[float], list[float]]]:
    """The courses of the top layer, for the figure."""
    return [
        (
            str(course.setting),
            [look.fixations for look in course.looks],
            [100 * look.accuracy.new[-1] for look in course.looks],
            [100 * look.accuracy.old[-1] for look in course.looks],
        )
        for course in found.courses
    ]


def tuned(program: Program, setting: Setting) -> Program:
    """The program that learns as the setting says; InputError where it cannot."""
    changed = with_rate(with_margin(program, setting.margin), setting.rate)
    if setting.every is None:
        return changed
    longest = int(machine_of(program).limits.decimation_exponent.value)
    return with_interval(changed, setting.every, longest)


def _of_the_same_data(model: str | os.PathLike[str], program: Program) -> Checkpoint:
    network, dataset = load_checkpoint(model), experiment_of(program).data.dataset
    if network.experiment.data.dataset != dataset:
        raise InputError(
            f"'{model}' was trained on {network.experiment.data.dataset}, but the program on "
            f"{dataset}: give a float network of the same data"
        )
    return network


def _labelled(asked: int | None, available: int) -> int:
    if asked is None:
        return min(LABELLED, available)
    if not 1 <= asked <= available:
        raise InputError(f"{asked} labelled images, but each world has {available}: give 1 to that")
    return asked


def _course(drift: str, frozen: Accuracy, setting: Setting, looks: Sequence[Look]) -> Course:
    last = looks[-1].accuracy
    cost = frozen.old[-1] - frozen.new[-1]
    comparable = drift != NEW_CLASSES and cost > LEAST_COST
    return Course(
        setting=setting,
        looks=tuple(looks),
        won_back=(last.new[-1] - frozen.new[-1]) / cost if comparable else None,
        forgotten=frozen.old[-1] - last.old[-1],
    )
