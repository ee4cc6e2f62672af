"""Training what is missing and resuming what is half done; results by file, one a network."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from clapp_neuro.checkpoint import Checkpoint, load_checkpoint
from clapp_neuro.config import Experiment, read_experiment, with_settings
from clapp_neuro.data.images import load_images
from clapp_neuro.errors import InputError
from clapp_neuro.files import write_whole
from clapp_neuro.progress import Report
from clapp_neuro.readout import accuracies
from clapp_neuro.reproduce.plan import Planned, Readout
from clapp_neuro.training.run import train

READOUTS = ("adam", "logistic")
"""The paper's readout, and the best linear one on standardised features."""


class StoppedByUserError(InputError):
    """Ctrl-C: what was learned is saved."""


@dataclass(frozen=True)
class Place:
    """Where results go, and where images come from."""

    folder: Path
    data: str | None

    def model(self, plan: Planned) -> Path:
        """The network's checkpoint."""
        return self.folder / "runs" / f"{plan.name}.pt"

    def result(self, plan: Planned) -> Path:
        """What was found out about it."""
        return self.folder / "runs" / f"{plan.name}.json"


def carry_out(
    plans: Sequence[Planned], place: Place, workers: int, report: Report
) -> list[dict[str, Any]]:
    """The results of all plans, in their order.

    Each: `row`, `seed`, `accuracy` by readout and layer in percent, `seconds`, `settings` and
    more. Networks with a result are not trained again, an interrupted one goes on. workers: how
    many at a time, each on one thread. Raises InputError where some could not be trained (a layer
    fell silent), with the name of each, once all others have their results.
    """
    (place.folder / "runs").mkdir(parents=True, exist_ok=True)
    missing = [plan for plan in plans if not _is_done(plan, place)]
    done = len(plans) - len(missing)
    report(done, len(plans), f"{done} were there already" if done else "")
    failed = []
    for plan, message in _finished(missing, place, workers):
        if message is not None:
            failed.append(f"{plan.name}: {message}")
            continue
        done += 1
        report(done, len(plans), plan.name)
    if failed:
        raise InputError("\n".join(failed))
    return [json.loads(place.result(plan).read_text("utf-8")) for plan in plans]


def _finished(
    plans: list[Planned], place: Place, workers: int
) -> Iterator[tuple[Planned, str | None]]:
    """Each plan once it is done, and why it could not be, if so."""
    if workers == 1:
        for plan in plans:
            yield plan, _refused(partial(carry_out_one, plan, place))
        return
    spawn = multiprocessing.get_context("spawn")  # a fork would inherit PyTorch's threads
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=_one_thread) as pool:
        tasks = {pool.submit(carry_out_one, plan, place): plan for plan in plans}
        try:
            for task in as_completed(tasks):
                yield tasks[task], _refused(task.result)
        except BaseException:
            pool.shutdown(cancel_futures=True)  # those that run save what they have learned
            raise


def _refused(what: Callable[[], object]) -> str | None:
    """Do it; the sentence where it is refused. An interruption ends everything."""
    try:
        what()
    except StoppedByUserError:
        raise
    except InputError as error:
        return str(error)
    return None


def _one_thread() -> None:
    import torch

    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)


def carry_out_one(plan: Planned, place: Place) -> None:
    """Train, or go on, then read out every layer and write the result.

    `processor_seconds` are of this sitting, readout included; other work on the machine hardly
    changes them, as it does the `training_seconds` of the clock.
    """
    begun_at = time.process_time()
    model = place.model(plan)
    begun = model if _is_begun(model, plan.experiment) else None
    trained = train(plan.experiment, model, resume=begun, data=place.data)
    if trained.interrupted:
        raise StoppedByUserError(
            f"interrupted at step {trained.step} of {plan.name}; the same command goes on"
        )
    read_out = _read_out(load_checkpoint(model), plan.readout, place)
    result = {
        "row": plan.row,
        "name": plan.name,
        "seed": plan.experiment.train.seed,
        **read_out,
        "final": [vars(layer) for layer in trained.final],
        "training_seconds": round(trained.seconds, 1),
        "processor_seconds": round(time.process_time() - begun_at, 1),
        "source": trained.source,
        "device": trained.device,
        "settings": plan.experiment.model_dump(mode="json"),
        "readout": asdict(plan.readout),
    }
    text = json.dumps(result, indent=2) + "\n"
    write_whole(place.result(plan), lambda file: file.write(text.encode()))


def _read_out(checkpoint: Checkpoint, size: Readout, place: Place) -> dict[str, Any]:
    """Accuracies in percent by readout and layer."""
    experiment = checkpoint.experiment
    images = load_images(experiment.data, place.data)
    train = images.train_images[: size.labelled], images.train_labels[: size.labelled]
    test = images.test_images[: size.tested], images.test_labels[: size.tested]
    found = accuracies(READOUTS, checkpoint.weights, experiment, train, test)
    return {
        "accuracy": {name: [round(100 * a, 3) for a in layers] for name, layers in found.items()},
        "train_images": len(train[0]),
        "test_images": len(test[0]),
    }


def _is_done(plan: Planned, place: Place) -> bool:
    """Whether there is a result of these very settings; what a file lacks is at its default."""
    path = place.result(plan)
    try:
        found = json.loads(path.read_text("utf-8"))
        same = read_experiment(found["settings"], path.name) == plan.experiment
        return same and found["readout"] == asdict(plan.readout)
    except (OSError, ValueError, TypeError, KeyError, InputError):
        return False


def _is_begun(model: Path, experiment: Experiment) -> bool:
    """Whether there is a network of this experiment that has been trained as long or less."""
    if not model.exists():
        return False
    found = load_checkpoint(model)
    lengths = {"steps": experiment.train.total_steps}
    same = with_settings(found.experiment, train=lengths) == with_settings(
        experiment, train=lengths
    )
    return same and found.step <= experiment.train.total_steps
