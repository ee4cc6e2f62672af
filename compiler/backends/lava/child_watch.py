"""Ends a run at once, with all of its processes, where one of them ends before it should."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from multiprocessing import active_children
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from compiler.backends.lava.build import Network  # imports Lava

POLL_SECONDS = 0.1


class ChildWatch:
    """Ends this process where one of Lava's processes ends while the run goes on.

    Lava itself would wait for it for ever, and keep its error to itself: `report` is told first.
    """

    def __init__(self, network: Network, report: Callable[[str], None]) -> None:
        self._network = network
        self._report = report
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
                self._report(f"a process of Lava ended early: {detail[0]}")
                end_at_once(2)


def end_at_once(code: int) -> NoReturn:
    """Ends this process and those that it started, which would wait for one another for ever."""
    for child in active_children():
        child.kill()
    os._exit(code)
