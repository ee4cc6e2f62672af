"""Contenders that take turns, each in a process of its own, so that peaks of memory do not mix."""

from __future__ import annotations

import multiprocessing
import platform
import resource
import statistics
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from contenders import contender
from machine import cpu_name
from torch import Tensor

from clapp_neuro.config import Experiment

WARM_UP = {"cpu": 1, "cuda": 10}


def _peak(device: str) -> int:
    """Bytes: on the GPU PyTorch's own peak, on the CPU the process's."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    # a process begins with the peak of the one that started it, so that one must stay small
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _resident() -> int:
    """Bytes that the process occupies now; where the system does not tell, at most so far."""
    pages = Path("/proc/self/statm")
    if pages.exists():
        return int(pages.read_text().split()[1]) * resource.getpagesize()
    return _peak("cpu")


def compete(link: Connection, name: str, experiment: Experiment, device: str) -> None:
    """A process: for each number received, seconds of so many steps; for None, its memory."""
    with reporting(link):
        made = contender(name, experiment, device, torch.float32)
        start = 0 if device == "cuda" else _resident()
        step = 0
        link.send("ready")
        while (steps := link.recv()) is not None:
            seconds = []
            for _ in range(steps):
                began = time.perf_counter()
                made.step(step)
                if device == "cuda":
                    torch.cuda.synchronize()
                seconds.append(time.perf_counter() - began)
                step += 1
            link.send(seconds)
        kept = (v for s in made.optimizer.state.values() for v in s.values())
        link.send(
            {
                "peak_bytes": _peak(device) - start,
                "weights_bytes": sum(w.nbytes for w in made.weights.values()),
                "moments_bytes": sum(v.nbytes for v in kept if isinstance(v, Tensor)),
            }
        )


@contextmanager
def reporting(link: Connection) -> Iterator[None]:
    """Send what went wrong to the process that waits."""
    try:
        yield
    except Exception:
        link.send(RuntimeError(traceback.format_exc()))


class Apart:
    """A function in a process of its own, and the link to it."""

    def __init__(self, work: Callable[..., None], *arguments: Any) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.link, theirs = spawn.Pipe()
        self.process = spawn.Process(target=work, args=(theirs, *arguments))
        self.process.start()
        theirs.close()

    def get(self) -> Any:
        """What it sends. Raises RuntimeError with its fault where it failed or died."""
        try:
            found = self.link.recv()
        except EOFError:
            raise RuntimeError("a contender's process died: was there memory enough?") from None
        if isinstance(found, Exception):
            raise found
        return found

    def ask(self, steps: int | None) -> Any:
        """Its answer to a number of steps, or to None, with which it ends."""
        self.link.send(steps)
        return self.get()

    def close(self) -> None:
        """End it, whatever it does."""
        self.process.terminate()
        self.process.join()


@contextmanager
def apart(*calls: tuple[Any, ...]) -> Iterator[list[Apart]]:
    started: list[Apart] = []
    try:
        for call in calls:
            started.append(Apart(*call))
        yield started
    finally:
        for each in started:
            each.close()


def take_turns(
    entrants: list[tuple[str, Experiment]], device: str, steps: int, rounds: int
) -> tuple[list[dict[str, Any]], list[list[float]]]:
    """Each entrant, a contender's name and its experiment, after the other, round by round.

    Returns what each needed, `step` in seconds, `images_a_second` and bytes of memory, and the
    median seconds of a step, rounds × entrants.
    """
    with apart(*((compete, name, experiment, device) for name, experiment in entrants)) as running:
        for each in running:
            each.get()
        for each in running:
            each.ask(WARM_UP[device])
        turns = [[each.ask(steps // rounds) for each in running] for _ in range(rounds)]
        memory = [each.ask(None) for each in running]
    needed = []
    for place, (used, (_, experiment)) in enumerate(zip(memory, entrants, strict=True)):
        step = statistics.median(second for turn in turns for second in turn[place])
        speed = {"step": step, "images_a_second": experiment.train.batch_size / step}
        needed.append({**used, **speed})
    return needed, [[statistics.median(seconds) for seconds in turn] for turn in turns]


def ratios(medians: list[list[float]], first: int, other: int) -> dict[str, float]:
    """How many times faster the first is than the other: median and range over the rounds."""
    speeds = [turn[other] / turn[first] for turn in medians]
    return {
        "speed": statistics.median(speeds),
        "speed_low": min(speeds),
        "speed_high": max(speeds),
    }


def conditions(experiment: Experiment, device: str, steps: int, rounds: int) -> dict[str, Any]:
    """What was timed, and where."""
    return {
        "experiment": experiment.model_dump(mode="json"),
        "steps": steps // rounds * rounds,
        "rounds": rounds,
        "device": device,
        "device_name": torch.cuda.get_device_name() if device == "cuda" else cpu_name(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
