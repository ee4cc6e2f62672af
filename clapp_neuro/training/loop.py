"""The steps of a run: reports, saving on the way, and when to stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from clapp_neuro.config import Experiment
from clapp_neuro.data.images import ImageSet
from clapp_neuro.encoders.shapes import modules_of
from clapp_neuro.errors import InputError
from clapp_neuro.progress import Report
from clapp_neuro.training.batch import BatchTrainer
from clapp_neuro.training.crew import Crew
from clapp_neuro.training.interrupt import Interruption
from clapp_neuro.training.log import Log
from clapp_neuro.training.moments import online_trainer
from clapp_neuro.training.online import OnlineTrainer
from clapp_neuro.training.tally import Stretch, Tally, note

STEPS_BETWEEN_REPORTS = 100
STRETCHES = 50
"""Into how many stretches a run's history is divided."""

SECONDS_BETWEEN_SAVES = 600.0
SATURATED = 0.99
"""Mean activity of a spiking layer above which it says nothing any more."""

FIXATIONS_TO_JUDGE = 500
"""Online, a layer that answers to few things may well be silent for a while."""

State = dict[str, Tensor]
History = tuple[Stretch, ...]


@dataclass(frozen=True)
class Run:
    """Steps `first` to `last` of an experiment."""

    experiment: Experiment
    first: int
    last: int
    workers: Crew
    interruption: Interruption
    report: Report
    log: Log

    def go(
        self,
        images: ImageSet | None,
        weights: State,
        resume: State | None,
        save: Callable[[int, State], None],
    ) -> tuple[int, State, History]:
        """Learn; returns the last step done, the state to resume from, and the history."""
        if self.last == 0 or images is None:
            return 0, {}, ()
        if self.first > self.last:
            raise InputError(
                f"the checkpoint is at step {self.first} already, beyond {self.last}: give more"
            )
        online = self.experiment.train.mode == "online"
        layers = tuple(part[-1] for part in modules_of(self.experiment))
        history: list[Stretch] = []
        length = max(1, (self.last - self.first) // STRETCHES)
        step, saved = self.first, time.monotonic()
        with torch.no_grad(), _threads(1 if online else None):
            trainer: BatchTrainer | OnlineTrainer
            if online:
                trainer = online_trainer(self.experiment, images, weights, resume)
            else:
                trainer = BatchTrainer(self.experiment, images, weights, resume, self.workers)
            tally = Tally(len(layers), self.first)
            while step < self.last and not self.workers.agree(self.interruption.requested):
                trainer.advance(step, tally)
                step += 1
                if (step - self.first) % length == 0 or step == self.last:
                    history.append(tally.take(step))
                    self._alive(history[-1], layers)
                    self.log(history[-1], layers)
                    self.report(step, self.last, note(history[-1]))
                elif step % STEPS_BETWEEN_REPORTS == 0:
                    self.report(step, self.last, note(history[-1]) if history else "")
                if time.monotonic() - saved > SECONDS_BETWEEN_SAVES:
                    save(step, trainer.state())
                    saved = time.monotonic()
            if tally.count:
                history.append(tally.take(step))
            return step, trainer.state(), tuple(history)

    def _alive(self, stretch: Stretch, layers: tuple[int, ...]) -> None:
        """Raise InputError where a layer has stopped answering, or always answers the same."""
        online = self.experiment.train.mode == "online"
        if online and stretch.last - stretch.first < FIXATIONS_TO_JUDGE:
            return
        for layer, report in zip(layers, stretch.layers, strict=True):
            remedy = "train with a lower learning rate or another seed"
            if report.rate == 0:
                raise InputError(
                    f"layer {layer} fell silent: no neuron was active in the steps "
                    f"{stretch.first + 1} to {stretch.last}; {remedy}"
                )
            if self.experiment.encoder.neurons == "spiking" and report.rate > SATURATED:
                raise InputError(
                    f"layer {layer} saturated: its neurons spiked in {report.rate:.1%} of all time "
                    f"steps from {stretch.first + 1} to {stretch.last}; {remedy}"
                )


@contextmanager
def _threads(number: int | None) -> Iterator[None]:
    """Limit PyTorch's threads: for one fixation they cost more than they give."""
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
