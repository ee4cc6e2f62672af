"""`train`: from an experiment to a checkpoint."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from clapp_neuro.calibration import calibrate
from clapp_neuro.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from clapp_neuro.config import Experiment
from clapp_neuro.data.images import ImageSet, load_images
from clapp_neuro.encoders.initial import initial_weights
from clapp_neuro.encoders.shapes import modules_of
from clapp_neuro.errors import InputError
from clapp_neuro.files import require_place
from clapp_neuro.progress import Report, silent
from clapp_neuro.rules.registry import find_rule
from clapp_neuro.training.batch import BatchTrainer
from clapp_neuro.training.interrupt import Interruption, deferred_interrupt
from clapp_neuro.training.online import OnlineTrainer
from clapp_neuro.training.tally import LayerReport, Stretch, Tally
from clapp_neuro.versions import software_versions

STEPS_BETWEEN_REPORTS = 100
STRETCHES = 50
"""Into how many stretches a run's history is divided."""


@dataclass(frozen=True)
class TrainResult:
    """What a call of `train` did.

    final: means over the last fifth of the steps of this call. history: the whole call in up to
    50 stretches. interrupted: stopped by Ctrl-C after `step` steps, to be resumed from `path`.
    """

    path: Path
    step: int
    interrupted: bool
    device: str
    source: str
    seconds: float
    final: tuple[LayerReport, ...]
    history: tuple[Stretch, ...]


def train(
    experiment: Experiment | None,
    out: str | os.PathLike[str],
    *,
    resume: str | os.PathLike[str] | None = None,
    data: str | os.PathLike[str] | None = None,
    device: str | None = None,
    report: Report = silent,
) -> TrainResult:
    """Train a network and write its checkpoint to `out`.

    experiment: what to do; None together with `resume` goes on with the checkpoint's own, and one
    that differs from it only in `steps` changes the length of the run. The result is, to the bit,
    that of an uninterrupted run. data: see `load_images`. device: "cpu" or "cuda"; None takes a
    GPU for minibatches where there is one. The first Ctrl-C saves and returns.

    Raises InputError for settings, files or data that do not fit, and where the loss stops being
    a number.
    """
    start = load_checkpoint(resume) if resume is not None else None
    experiment = _experiment(experiment, start)
    require_place(out)  # before hours of training, not after
    images = load_images(experiment.data, data)
    if start is not None:
        _check_same_images(start, images)
    target = _device(device, experiment)
    weights = dict(start.weights) if start else initial_weights(experiment)
    weights = {name: weight.to(target) for name, weight in weights.items()}
    first = start.step if start else 0
    began = time.perf_counter()
    # an interruption ends the steps, not the saving of what they have learned
    with deferred_interrupt() as interruption:
        step, state, history = _run(
            experiment,
            images,
            weights,
            start.resume if start else None,
            first,
            report,
            interruption,
        )
        save_checkpoint(
            out,
            Checkpoint(
                experiment=experiment,
                step=step,
                weights=weights,
                calibration=calibrate(weights, experiment, images),
                data=images.summary(),
                versions=software_versions(),
                resume=state,
            ),
        )
    return TrainResult(
        path=Path(out),
        step=step,
        interrupted=step < _last_step(experiment),
        device=str(target),
        source=images.source,
        seconds=time.perf_counter() - began,
        final=_last_fifth(history, first, step),
        history=history,
    )


def _run(
    experiment: Experiment,
    images: ImageSet,
    weights: dict[str, Tensor],
    resume: dict[str, Tensor] | None,
    first: int,
    report: Report,
    interruption: Interruption,
) -> tuple[int, dict[str, Tensor], tuple[Stretch, ...]]:
    """Steps `first` to the last one; returns the last step, the state to resume from, history."""
    total = _last_step(experiment)
    if total == 0:
        return 0, {}, ()
    if first > total:
        raise InputError(f"the checkpoint is at step {first} already, beyond {total}: give more")
    online = experiment.train.mode == "online"
    trainer: BatchTrainer | OnlineTrainer
    kind = OnlineTrainer if online else BatchTrainer
    history: list[Stretch] = []
    length = max(1, (total - first) // STRETCHES)
    step = first
    with torch.no_grad(), _threads(1 if online else None):
        trainer = kind(experiment, images, weights, resume if first else None)
        tally = Tally(len(modules_of(experiment)), first)
        while step < total and not interruption.requested:
            trainer.advance(step, tally)
            step += 1
            if (step - first) % length == 0 or step == total:
                history.append(tally.take(step))
                report(step, total, _note(history[-1]))
            elif step % STEPS_BETWEEN_REPORTS == 0:
                report(step, total, _note(history[-1]) if history else "")
        if tally.count:
            history.append(tally.take(step))
        return step, trainer.state(), tuple(history)


def _last_step(experiment: Experiment) -> int:
    return experiment.train.total_steps if find_rule(experiment.train.method).learns else 0


def _experiment(given: Experiment | None, start: Checkpoint | None) -> Experiment:
    """The experiment to run; one that resumes may differ from the checkpoint's in `steps` only."""
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
            if new != old and (part, name) != ("train", "steps"):
                raise InputError(
                    f"the checkpoint was trained with {part}.{name} = {old}, not {new}: "
                    "resume with the same settings or train from the start"
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
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name not in ("cpu", "cuda"):
        raise InputError(f"unknown device '{name}': known are cpu, cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("PyTorch finds no CUDA GPU on this machine: use the device cpu")
    return torch.device(name)


@contextmanager
def _threads(number: int | None) -> Iterator[None]:
    """Limit PyTorch's threads: for one fixation they cost more than they give."""
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _last_fifth(history: tuple[Stretch, ...], first: int, step: int) -> tuple[LayerReport, ...]:
    late = [s for s in history if s.last > step - max(1, (step - first) // 5)]
    if not late:
        return ()
    sizes = [s.last - s.first for s in late]
    return tuple(
        LayerReport(
            *(
                sum(
                    size * getattr(s.layers[layer], name)
                    for size, s in zip(sizes, late, strict=True)
                )
                / sum(sizes)
                for name in ("loss", "gate", "rate")
            )
        )
        for layer in range(len(late[0].layers))
    )


def _note(stretch: Stretch) -> str:
    losses = " ".join(f"{layer.loss:.3f}" for layer in stretch.layers)
    gates = " ".join(f"{100 * layer.gate:.0f}%" for layer in stretch.layers)
    return f"loss {losses}, gate open {gates}"
