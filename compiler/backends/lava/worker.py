"""The process in which Lava runs: reads one job from standard input, answers on standard output.

A process of its own, since Lava insists on choosing how Python starts processes, forks one for
each of its own, and may leave them waiting for ever where one of them fails. The parent
(`supervise`) ends all of them together.
"""

from __future__ import annotations

import os
import pickle
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO

from clapp_neuro.errors import InputError
from compiler.backends.lava.child_watch import ChildWatch
from compiler.backends.lava.compat import load_lava
from compiler.backends.lava.fixation_trace import fixation_trace
from compiler.backends.lava.job import Failure, Job, Task
from compiler.backends.lava.outcome import outcome
from compiler.backends.lava.recording import Recording, time_steps

if TYPE_CHECKING:
    from compiler.backends.lava.build import Network


class Answers:
    """The way back to the parent; safe to use from several threads."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, answer: Any) -> None:
        """Sends one answer, at once."""
        with self._lock:
            pickle.dump(answer, self._stream)
            self._stream.flush()


def main() -> None:
    """Does one job; exits with 0 where it could be finished and all processes were stopped."""
    answers = Answers(os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)  # whatever Lava prints must not come between the answers
    job: Job = pickle.load(sys.stdin.buffer)
    with Reporting(answers):
        load_lava()
        _do(job, answers)


def _do(job: Job, answers: Answers) -> None:
    from compiler.backends.lava.build import Network  # only now: it imports Lava

    program, fixations = job.program, job.stimulus.fixations
    traced = job.task is Task.TRACE
    recording = Recording.of(program, job.learn, 1 if traced else fixations, detailed=traced)
    steps = time_steps(program, fixations)
    network = Network(
        program,
        job.stimulus.intensities,
        job.stimulus.signals,
        recording,
        learn=job.learn,
        guarded=job.guarded,
        last_step=steps,
    )
    act = {Task.TRACE: _trace, Task.RUN: _run, Task.TIME: _time}[job.task]

    def report(error: str) -> None:
        answers.send(Failure(error))

    # Errors are reported before the processes are stopped: stopping may wait for ever after one.
    with network, Reporting(answers, network), ChildWatch(network, report):
        for answer in act(job, network, recording, steps):
            answers.send(answer)


def _trace(job: Job, network: Network, recording: Recording, steps: int) -> Iterator[Any]:
    period = job.program.timetable.period
    network.run(steps - job.stimulus.fixations * period)
    for fixation in range(job.stimulus.fixations):
        network.run(period)
        yield fixation_trace(recording, fixation)


def _run(job: Job, network: Network, recording: Recording, steps: int) -> Iterator[Any]:
    network.run(steps)
    yield outcome(job.program, recording, job.stimulus.fixations)


def _time(job: Job, network: Network, _: Recording, steps: int) -> Iterator[Any]:
    network.run(1)  # builds the processes
    started = time.perf_counter()
    network.run(steps - 1)
    yield (time.perf_counter() - started) / (steps - 1)


class Reporting:
    """Tells the parent of any exception that leaves its context."""

    def __init__(self, answers: Answers, network: Network | None = None) -> None:
        self._answers = answers
        self._network = network

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, InputError):
            self._answers.send(Failure(str(error), for_user=True))
        elif error is not None:
            text = "".join(traceback.format_exception(kind, error, trace))
            causes = [] if self._network is None else self._network.errors()
            self._answers.send(Failure("".join([*causes, text])))


if __name__ == "__main__":
    main()
