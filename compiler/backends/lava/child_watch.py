"""Ends a run at once, with all of its processes, where one of them ends before it should."""

from __future__ import annotations

import os
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import active_children
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from compiler.backends.lava.build import Network  # imports Lava

POLL_SECONDS = 0.1
GRACE_SECONDS = 2.0  # for the traceback of the process that made another one end


class ChildWatch:
    """Ends this process where one of Lava's processes ends, or Lava fails, while the run goes on.

    Lava itself would wait for ever, now or when it is stopped, and keep the error to itself:
    `report` is told first.
    """

    def __init__(self, network: Network, report: Callable[[str], None]) -> None:
        self._network = network
        self._report = report
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._reading = one_reader_at_a_time()

    def __enter__(self) -> None:
        self._reading.__enter__()
        self._thread.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        if error is not None and self._network.started:
            causes = self._network.errors()
            text = "".join([*causes, *traceback.format_exception(kind, error, trace)])
            self._end(f"Lava failed: {text}")
        self._reading.__exit__(kind, error, trace)

    def _watch(self) -> None:
        while not self._over.wait(POLL_SECONDS):
            if self._network.ended() and not self._over.is_set():
                self._end(f"a process of Lava ended early: {self._cause()}")

    def _cause(self) -> str:
        """The first traceback; the exit code of a process where none comes."""
        latest = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < latest:
            if causes := self._network.errors():
                return causes[0]
            time.sleep(POLL_SECONDS)
        return self._network.ended()[0]

    def _end(self, message: str) -> None:
        try:
            self._report(message)
        finally:
            end_at_once(2)


@contextmanager
def one_reader_at_a_time() -> Iterator[None]:
    """While active, two threads may ask a process of Lava for its traceback.

    It waits in a pipe, and Lava's own thread asks too: of two that saw it there, one would wait
    for a second one for ever, or find neither pipe nor process object to have it.
    """
    from lava.magma.runtime.message_infrastructure.multiprocessing import SystemProcess

    unguarded, lock = SystemProcess.exception, threading.Lock()

    def exception(process: SystemProcess) -> object:
        with lock:
            return unguarded.fget(process)

    SystemProcess.exception = property(exception)
    try:
        yield
    finally:
        SystemProcess.exception = unguarded


def end_at_once(code: int) -> NoReturn:
    """Ends this process and those that it started, which would wait for one another for ever."""
    while children := active_children():
        for child in children:
            child.kill()
        time.sleep(POLL_SECONDS)  # the main thread may have been starting another one
    os._exit(code)
