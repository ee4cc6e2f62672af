"""`run`: a program on the simulator, looking at images, learning or not."""

from __future__ import annotations

import math
import os
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from clapp_neuro.data.images import ImageSet
from clapp_neuro.device import find_device
from clapp_neuro.errors import InputError
from clapp_neuro.files import require_place
from clapp_neuro.progress import Report, silent
from clapp_neuro.training.interrupt import Interruption, deferred_interrupt
from clapp_neuro.verbs.dead_neurons import IMAGES, Untold, dead_neurons
from clapp_neuro.verbs.run_figures import learning_curve, own_accuracy, probed, rates, rewarded
from clapp_neuro.verbs.samples import Samples, samples_of
from clapp_neuro.verbs.sight import experiment_of, gaze, images_of, scan
from compiler.backends import tensor
from compiler.backends.simulator import Result, infer, simulate
from compiler.bundle import carries_run, read_bundle, read_unfinished, write_bundle
from compiler.events import Events
from compiler.frontends.checkpoint import LOWERED
from compiler.program import Program
from compiler.trace import Stimulus
from compiler.unfinished import Unfinished

PROBE_IMAGES = 20_000


@dataclass(frozen=True)
class RunResult:
    """What the chip did. Losses and gates are of the last fifth of the run, by layer.

    fixations: how many were run; interrupted: stopped by Ctrl-C before the last, to be resumed
    from `out`. rewarded: share of the last fifth in which the chip's own readout named the class,
    accuracy_on_chip: of the test images, by its own answers; None without such a readout.
    dead_before, dead_after: by layer, of `dead_of` test images, before learning and at the end;
    before is empty where nothing was learned, both where there are no images. A resumed run
    begins as it was interrupted.
    """

    source: str
    images: int
    fixations: int
    interrupted: bool
    learned: bool
    rates: dict[str, float]
    loss: dict[str, float]
    gate_open: dict[str, float]
    accuracy: dict[str, float]
    events: Events
    out: Path | None
    engine: str  # whatever backend the target names: Lava runs in `verify`
    rewarded: float | None = None
    accuracy_on_chip: float | None = None
    dead_of: int = 0
    dead_before: dict[str, Untold] = field(default_factory=dict)
    dead_after: dict[str, Untold] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        data = {k: v for k, v in self.__dict__.items() if k not in ("events", "out")}
        out = None if self.out is None else str(self.out)
        return {**data, "out": out, "events": self.events.to_json()}


def run(
    path: str | os.PathLike[str],
    *,
    images: int | None = None,
    learn: bool = False,
    resume: bool = False,
    out: str | os.PathLike[str] | None = None,
    data: str | os.PathLike[str] | None = None,
    seed: int | None = None,
    probe: bool = False,
    train_images: int | None = None,
    device: str = "cpu",
    samples: Samples | None = None,
    report: Report = silent,
) -> RunResult:
    """Run a compiled program on the simulator.

    images: how many to look at (default: all of the test split, or all learning images with
    `learn`); with `learn` the chip's gaze makes as many fixations as that many images have
    positions. resume: go on with the interrupted run that the file carries; images and seed
    (default 0) are that run's, and the result, but for `dead_before`, is to the bit that of an
    uninterrupted run. out: where to write the learned program; then the first Ctrl-C writes what
    was learned so far and returns. probe: linear readout of the counts, fitted on the first
    `train_images` labelled images (default: at most 20,000). device: with `cuda` the engine on
    tensors looks at the images, the same to the bit; one network learns fastest on the processor.
    samples: what a program of another tool's network looks at, as `answer` takes them; it has no
    images, and what its output says of them is `answer`'s to show.
    Raises InputError for files or data that do not fit.
    """
    if out is not None:
        require_place(out)
    program, notes = read_bundle(path)
    started = read_unfinished(path) if resume else None
    if started is not None and (images is not None or seed is not None):
        raise InputError("images and seed of a run that is resumed are those it began with")
    learn = learn or resume
    where = find_device(device).type
    if samples is not None:
        if learn or probe or any(x is not None for x in (images, data, seed, train_images, out)):
            raise InputError(
                "samples are looked at, not learned from, and judged by clapp-neuro answer: give "
                "--input with --device and --json alone"
            )
        return _look(program, samples_of(program, path, samples), samples, where)
    if learn and where != "cpu":
        raise InputError(
            f"one network that learns runs on the processor, not on {device}: leave --device out "
            "(many side by side: compiler.backends.tensor.simulate)"
        )
    if out is not None and not learn:
        raise InputError("nothing to write: give --learn together with --out")
    if learn and not resume and carries_run(path):
        raise InputError(
            f"'{path}' holds an interrupted run: go on with it (--resume), or compile the model "
            "again to start from the beginning"
        )
    if learn and not program.plastic:
        raise InputError(
            f"'{path}' has no plastic synapses: compile a model trained with one of the methods "
            f"{', '.join(LOWERED)}, and without --static"
        )
    seen = images_of(program, data)
    labelled = _labelled(train_images, len(seen.train_images))
    before = program
    if learn:
        stimulus, seed = _gaze(program, seen, images, seed or 0, started)
        result = _learn(program, stimulus, started, keep=out is not None, report=report)
        program, events, fixations = result.program, result.events, result.state.fixation
    else:
        result, seed = None, 0
        count = _at_most(images, len(seen.test_images), "test images")
        stimulus = scan(program, seen.test_images[:count])
        events = _inference(program, stimulus, where)
        fixations = stimulus.fixations
    unfinished = None
    if result is not None and fixations < stimulus.fixations:
        unfinished = Unfinished(seed, stimulus.fixations, result.state)
    written = write_bundle(out, program, notes, unfinished) if out is not None else None
    loss, opened = learning_curve(program, stimulus.signals, result)
    probing = probe and unfinished is None
    looked_at = math.ceil(fixations / experiment_of(program).data.positions)
    judging = seen.test_images[: min(IMAGES, looked_at)]
    return RunResult(
        source=seen.source,
        images=looked_at,
        fixations=fixations,
        interrupted=unfinished is not None,
        learned=learn,
        rates=rates(program, events),
        loss=loss,
        gate_open=opened,
        accuracy=probed(program, seen, labelled) if probing else {},
        events=events,
        out=written,
        engine=_engine(where),
        rewarded=rewarded(program, result),
        accuracy_on_chip=own_accuracy(program, seen) if probing else None,
        dead_of=len(judging),
        dead_before=dead_neurons(before, judging) if learn else {},
        dead_after=dead_neurons(program, judging),
    )


def _look(program: Program, shown: Stimulus, samples: Samples, where: str) -> RunResult:
    """What a user's samples make a network do that has no images of its own."""
    events = _inference(program, shown, where)
    return RunResult(
        source="an array" if isinstance(samples, np.ndarray) else str(samples),
        images=shown.fixations,
        fixations=shown.fixations,
        interrupted=False,
        learned=False,
        rates=rates(program, events),
        loss={},
        gate_open={},
        accuracy={},
        events=events,
        out=None,
        engine=_engine(where),
    )


def _inference(program: Program, shown: Stimulus, where: str) -> Events:
    if where == "cpu":
        return infer(program, shown, keep=())[1]
    return tensor.infer(program, shown, device=where)[1]


def _engine(where: str) -> str:
    return "simulator" if where == "cpu" else f"tensor ({where})"


def _gaze(
    program: Program, seen: ImageSet, images: int | None, seed: int, started: Unfinished | None
) -> tuple[Stimulus, int]:
    """All fixations of the run, from the first on, and the seed of the gaze."""
    if started is not None:
        return gaze(program, seen, started.fixations, started.seed), started.seed
    count = _at_least_one(images, len(seen.learning_images))
    return gaze(program, seen, count * experiment_of(program).data.positions, seed), seed


def _learn(
    program: Program, stimulus: Stimulus, started: Unfinished | None, *, keep: bool, report: Report
) -> Result:
    """On-chip learning; with `keep` the first Ctrl-C ends it early, with what it has learned."""
    total = stimulus.fixations
    state = None if started is None else started.state
    done = 0 if state is None else state.fixation
    with deferred_interrupt() if keep else nullcontext(Interruption()) as interruption:
        return simulate(
            program,
            stimulus.part(done, total),
            state=state,
            progress=lambda done: report(done, total, "fixations"),
            stop=lambda: interruption.requested,
        )


def _labelled(asked: int | None, available: int) -> int:
    """How many labelled images the readout is fitted on."""
    if asked is None:
        return min(PROBE_IMAGES, available)
    return _at_most(asked, available, "labelled images")


def _at_least_one(asked: int | None, available: int) -> int:
    """How many images to learn from: the gaze goes round those there are as often as asked."""
    if asked is not None and asked < 1:
        raise InputError(f"{asked} images: give at least 1")
    return available if asked is None else asked


def _at_most(asked: int | None, available: int, kind: str) -> int:
    """How many of the images to look at once each."""
    if _at_least_one(asked, available) > available:
        raise InputError(f"{asked} {kind} were asked for, there are {available}: give at most that")
    return available if asked is None else asked
