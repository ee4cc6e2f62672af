"""`train`: from an experiment to a checkpoint."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from clapp_neuro.calibration import calibrate
from clapp_neuro.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from clapp_neuro.config import Experiment
from clapp_neuro.data.images import ImageSet, load_images
from clapp_neuro.device import find_device
from clapp_neuro.encoders.initial import initial_weights
from clapp_neuro.encoders.shapes import modules_of
from clapp_neuro.errors import InputError
from clapp_neuro.files import require_place
from clapp_neuro.progress import Report, silent
from clapp_neuro.rules.registry import find_rule
from clapp_neuro.training.crew import crew
from clapp_neuro.training.interrupt import deferred_interrupt
from clapp_neuro.training.log import scalar_log
from clapp_neuro.training.loop import Run
from clapp_neuro.training.tally import LayerReport, Stretch, last_fifth
from clapp_neuro.versions import software_versions

CHANGEABLE = (("train", "steps"), ("train", "weight_bits"))  # from a checkpoint to what resumes it
NO_IMAGES = "nowhere: an untrained network, not calibrated for a chip"


@dataclass(frozen=True)
class TrainResult:
    """What a call of `train` did.

    layers: numbers of the layers that have a loss, the tops of the modules; final: means over the
    last fifth of the steps of this call, one a module. history: the whole call in up to 50
    stretches. interrupted: stopped by Ctrl-C after `step` steps, to be resumed from `path`.
    """

    path: Path
    step: int
    interrupted: bool
    device: str
    source: str
    seconds: float
    layers: tuple[int, ...]
    final: tuple[LayerReport, ...]
    history: tuple[Stretch, ...]


def train(
    experiment: Experiment | None,
    out: str | os.PathLike[str],
    *,
    resume: str | os.PathLike[str] | None = None,
    data: str | os.PathLike[str] | None = None,
    device: str | None = None,
    tensorboard: str | os.PathLike[str] | None = None,
    report: Report = silent,
) -> TrainResult:
    """Train a network and write its checkpoint to `out`.

    experiment: what to do; None together with `resume` goes on with the checkpoint's own, and one
    that differs from it only in `steps` changes the length of the run, in `weight_bits` fine-tunes
    it for a chip of so many bits. The result is, to the bit,
    that of an uninterrupted run. data: see `load_images`. device: "cpu" or "cuda"; None takes a
    GPU for minibatches where there is one. tensorboard: a folder to log to. The first Ctrl-C
    saves and returns; a long run saves every ten minutes besides. Started by torchrun, the
    processes learn as one (`training.crew`), and the first one writes.

    Raises InputError for settings, files or data that do not fit, and where the loss stops being
    a number or a layer falls silent or saturates.
    """
    workers = crew()
    start = load_checkpoint(resume) if resume is not None else None
    experiment = _experiment(experiment, start)
    require_place(out)  # before hours of training, not after
    images = _images(experiment, data)
    if start is not None and images is not None:
        _check_same_images(start, images)
    if workers.size > 1 and experiment.train.mode == "online":
        raise InputError(
            "mode 'online' is one gaze, which several processes cannot share: start one process"
        )
    target = workers.device or _device(device, experiment)
    weights = dict(start.weights) if start else initial_weights(experiment)
    weights = {name: weight.to(target) for name, weight in weights.items()}
    first = start.step if start else 0
    began = time.perf_counter()

    def save(step: int, state: dict[str, Tensor]) -> None:
        if workers.leads:
            save_checkpoint(out, _checkpoint(experiment, step, weights, images, state))

    # an interruption ends the steps, not the saving of what they have learned
    with deferred_interrupt() as interruption, scalar_log(tensorboard, workers.leads) as log:
        run = Run(experiment, first, _last_step(experiment), workers, interruption, report, log)
        state = start.resume if start and first else None
        step, state, history = run.go(images, weights, state, save)
        save(step, state)
    return TrainResult(
        path=Path(out),
        step=step,
        interrupted=step < run.last,
        device=str(target),
        source=images.source if images else NO_IMAGES,
        seconds=time.perf_counter() - began,
        layers=tuple(part[-1] for part in modules_of(experiment)),
        final=last_fifth(history, first, step),
        history=history,
    )


def _images(experiment: Experiment, data: str | os.PathLike[str] | None) -> ImageSet | None:
    """The images; the untrained network does without where none are named and none are there."""
    try:
        return load_images(experiment.data, data)
    except InputError:
        if data is None and not find_rule(experiment.train.method).learns:
            return None
        raise


def _checkpoint(
    experiment: Experiment,
    step: int,
    weights: dict[str, Tensor],
    images: ImageSet | None,
    state: dict[str, Tensor],
) -> Checkpoint:
    return Checkpoint(
        experiment=experiment,
        step=step,
        weights=weights,
        calibration=calibrate(weights, experiment, images) if images else {},
        data=images.summary() if images else {"source": NO_IMAGES},
        versions=software_versions(),
        resume=state,
    )


def _last_step(experiment: Experiment) -> int:
    return experiment.train.total_steps if find_rule(experiment.train.method).learns else 0


def _experiment(given: Experiment | None, start: Checkpoint | None) -> Experiment:
    """The experiment to run; one that resumes may differ from the checkpoint's as CHANGEABLE."""
    if start is None:
        if given is None:
            raise InputError("nothing to train: give an experiment or a checkpoint to resume")
        return given
    if given is None:
        return start.experiment
    for part in ("data", "encoder", "train"):
        ours, theirs = getattr(given, part), getattr(start.experiment, part)
        for name in type(ours).model_fields:
            new, old = getattr(ours, name), getattr(theirs, name)
            if new != old and (part, name) not in CHANGEABLE:
                raise InputError(
                    f"the checkpoint was trained with {part}.{name} = {old}, not {new}: "
                    "resume with the same settings or train from the start"
                )
    bits = given.train.weight_bits
    if bits != start.experiment.train.weight_bits and start.step >= _last_step(given):
        raise InputError(
            f"the checkpoint is at step {start.step} already, and {_last_step(given)} are asked "
            f"for: give more steps, in which to train it for weights of "
            f"{'any precision' if bits is None else f'{bits} bits'}"
        )
    return given


def _check_same_images(start: Checkpoint, images: ImageSet) -> None:
    before, now = start.data.get("images"), images.summary()["images"]
    if before != now:
        raise InputError(
            f"the checkpoint was trained on {before} images ({start.data.get('source')}) but "
            f"{images.source} has {now}: give the same data"
        )


def _device(name: str | None, experiment: Experiment) -> torch.device:
    """The one device that everything runs on."""
    if experiment.train.mode == "online":
        if name not in (None, "cpu"):
            raise InputError(f"online training runs on the CPU, not on {name}: leave device out")
        return torch.device("cpu")
    return find_device(name)
