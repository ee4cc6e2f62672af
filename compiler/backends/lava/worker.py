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
from dataclasses import replace
from multiprocessing import active_children
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from clapp_neuro.errors import InputError
from compiler.backends.lava.compat import load_lava
from compiler.backends.lava.job import Failure, Job, Outcome, Task
from compiler.backends.lava.recording import Recording
from compiler.program import Program

if TYPE_CHECKING:
    from compiler.backends.lava.build import Network

POLL_SECONDS = 0.1


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

    program, timetable = job.program, job.program.timetable
    fixations = job.stimulus.fixations
    top = max(p.level for p in program.populations)
    # A fixation is over at the top when the lower levels are already in the next ones.
    slots = 2 + top // timetable.period if job.task is Task.TRACE else fixations + 1 + top
    recording = Recording.of(program, job.learn, slots, detailed=job.task is Task.TRACE)
    steps = fixations * timetable.period + top
    network = Network(
        program,
        job.stimulus,
        recording,
        learn=job.learn,
        guarded=job.guarded,
        last_step=steps,
    )
    act = {Task.TRACE: _trace, Task.RUN: _run, Task.TIME: _time}[job.task]
    # Errors are reported before the processes are stopped: stopping may wait for ever after one.
    with network, Reporting(answers, network), ChildWatch(answers, network):
        for answer in act(job, network, recording, steps):
            answers.send(answer)


def _trace(job: Job, network: Network, recording: Recording, steps: int) -> Iterator[Any]:
    period = job.program.timetable.period
    network.run(steps - job.stimulus.fixations * period)
    for fixation in range(job.stimulus.fixations):
        network.run(period)
        yield recording.fixation(fixation)


def _run(job: Job, network: Network, recording: Recording, steps: int) -> Iterator[Any]:
    network.run(steps)
    fixations = job.stimulus.fixations
    none = np.zeros((fixations, 0), np.int64)
    scores = [record.scores[:fixations, None] for record in recording.gates.values()]
    gates = [record.gates[:fixations, None] for record in recording.gates.values()]
    yield Outcome(
        program=_learned(job.program, recording),
        counts={n: r.counts[:fixations].copy() for n, r in recording.populations.items()},
        scores=np.concatenate([none, *scores], axis=1),
        gates=np.concatenate([none, *gates], axis=1),
    )


def _time(job: Job, network: Network, _: Recording, steps: int) -> Iterator[Any]:
    network.run(1)  # builds the processes
    started = time.perf_counter()
    network.run(steps - 1)
    yield (time.perf_counter() - started) / (steps - 1)


def _learned(program: Program, recording: Recording) -> Program:
    populations = []
    for p in program.populations:
        if p.averages is not None:
            mean, variance = recording.populations[p.name].final_averages.copy()
            p = replace(p, averages=replace(p.averages, mean=mean, variance=variance))
        populations.append(p)
    return replace(
        program,
        populations=tuple(populations),
        synapses=tuple(
            s
            if s.name not in recording.synapses
            else replace(
                s,
                weights=recording.synapses[s.name].final_weights.copy(),
                tags=recording.synapses[s.name].final_tags.copy(),
            )
            for s in program.synapses
        ),
    )


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


class ChildWatch:
    """Ends this process where one of Lava's processes ends while the run goes on.

    Lava itself would wait for it until the time limit, and keep its error to itself.
    """

    def __init__(self, answers: Answers, network: Network) -> None:
        self._answers = answers
        self._network = network
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        children: set[Any] = set()
        while not self._over.wait(POLL_SECONDS):
            children.update(active_children())
            ended = [child for child in children if not child.is_alive()]
            if ended:
                detail = self._network.errors() or [f"exit code {ended[0].exitcode}"]
                self._answers.send(Failure(f"a process of Lava ended early: {detail[0]}"))
                os._exit(1)


if __name__ == "__main__":
    main()
