"""Ends a run at once, with all of its processes, where one of them ends before it should."""

from __future__ import annotations

import os
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing import active_children
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from compiler.backends.lava.build import Network  # imports Lava

POLL_SECONDS = 0.1


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

    def __enter__(self) -> None:
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

    def _watch(self) -> None:
        while not self._over.wait(POLL_SECONDS):
            ended = self._network.ended()
            if ended and not self._over.is_set():
                self._end(f"a process of Lava ended early: {ended[0]}")

    def _end(self, message: str) -> None:
        try:
            self._report(message)
        finally:
            end_at_once(2)


def end_at_once(code: int) -> NoReturn:
    """Ends this process and those that it started, which would wait for one another for ever."""
    while children := active_children():
        for child in children:
            child.kill()
        time.sleep(POLL_SECONDS)  # the main thread may have been starting another one
    os._exit(code)
