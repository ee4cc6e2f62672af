"""Runs a job in a worker with a time limit, and ends all of its processes, come what may."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import IO, Any

from clapp_neuro.errors import InputError
from compiler.backends.lava.job import Failure, Job

GRACE_SECONDS = 2.0
POLL_SECONDS = 0.02
LINES_SHOWN = 5


class LavaError(RuntimeError):
    """Lava failed; the message ends with what it last said."""


class LavaTimeoutError(LavaError, TimeoutError):
    """Lava did not finish within the time limit."""


def answers(job: Job, timeout: float) -> Iterator[Any]:
    """Yields what the worker answers, in order.

    Raises LavaTimeoutError after `timeout` seconds, LavaError where the worker fails, InputError
    where it refuses. Closing the iterator, or any exception, ends the worker and all that it
    started.
    """
    with tempfile.TemporaryFile() as said:
        worker = subprocess.Popen(
            [sys.executable, "-m", "compiler.backends.lava.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path)},
            start_new_session=True,  # Ctrl-C reaches this process only, which then ends the group
        )
        limit = _TimeLimit(worker, timeout)
        try:
            _ask(worker, job)
            yield from _listen(worker)
            if limit.exceeded:
                raise LavaTimeoutError(
                    f"Lava did not finish within {timeout:g} s, and was stopped; allow it more "
                    f"time or give it fewer fixations{_last_lines(said)}"
                )
            if worker.wait() != 0:
                raise LavaError(f"Lava's worker ended with {worker.returncode}{_last_lines(said)}")
        finally:
            limit.end()


def _ask(worker: subprocess.Popen[bytes], job: Job) -> None:
    assert worker.stdin is not None
    try:
        pickle.dump(job, worker.stdin)
        worker.stdin.close()
    except BrokenPipeError:
        return  # the worker has ended already; its exit code is reported where it is waited for


def _listen(worker: subprocess.Popen[bytes]) -> Iterator[Any]:
    assert worker.stdout is not None
    while True:
        try:
            answer = pickle.load(worker.stdout)
        except (EOFError, pickle.UnpicklingError):  # ended, perhaps in the middle of an answer
            return
        if isinstance(answer, Failure):
            raise InputError(answer.message) if answer.for_user else LavaError(answer.message)
        yield answer


class _TimeLimit:
    """Ends the worker's whole process group when the worker ends, or when its time is over."""

    def __init__(self, worker: subprocess.Popen[bytes], seconds: float) -> None:
        self.exceeded = False
        self._worker = worker
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._wait, args=(seconds,), daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Ends the group now; returns when that is done."""
        self._over.set()
        self._thread.join()
        assert self._worker.stdout is not None
        self._worker.stdout.close()

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._worker.poll() is None and not self._over.wait(POLL_SECONDS):
            if time.monotonic() > deadline:
                self.exceeded = True
                break
        if self._worker.poll() != 0:
            _end_group(self._worker)


def _end_group(worker: subprocess.Popen[bytes]) -> None:
    """Asks the whole group to end, then makes it.

    Python's resource tracker, which is in the group, ignores the polite signal: it ends by itself
    when the others have, and removes the shared memory that they left behind.
    """
    deadline = time.monotonic() + GRACE_SECONDS
    _signal_group(worker.pid, signal.SIGTERM)
    while time.monotonic() < deadline and _signal_group(worker.pid, 0):
        worker.poll()
        time.sleep(POLL_SECONDS)
    _signal_group(worker.pid, signal.SIGKILL)
    worker.wait()


def _signal_group(group: int, number: int) -> bool:
    """Sends a signal; False where the group no longer exists."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


def _last_lines(said: IO[bytes]) -> str:
    said.seek(0)
    lines = said.read().decode(errors="replace").strip().splitlines()[-LINES_SHOWN:]
    return ": " + " / ".join(lines) if lines else ""
