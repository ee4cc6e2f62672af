"""The same program and input on two engines, compared after every time step, bit by bit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from compiler.program import Program
from compiler.trace import FixationTrace


@dataclass(frozen=True)
class Difference:
    """The first thing that two engines disagree on; `step` is the population's own tau."""

    fixation: int
    step: int
    quantity: str
    population: str
    index: tuple[int, ...]
    left: int
    right: int

    def __str__(self) -> str:
        where = f"{self.population}{list(self.index)}" if self.index else self.population
        return (
            f"fixation {self.fixation}, step {self.step}: {self.quantity} of {where} is "
            f"{self.left} on the one, {self.right} on the other"
        )


@dataclass
class Comparison:
    """How much was compared and what differed."""

    fixations: int = 0
    time_steps: int = 0
    values_compared: int = 0
    weights_compared: int = 0
    mismatches: int = 0
    first_difference: Difference | None = field(default=None)

    @property
    def equal(self) -> bool:
        """Whether everything that was compared is the same, and something was."""
        return self.mismatches == 0 and self.fixations > 0


def compare(
    program: Program, left: Iterable[FixationTrace], right: Iterable[FixationTrace]
) -> Iterator[Comparison]:
    """Yields the running comparison after every fixation; the traces must have equal length.

    Raises ValueError where one engine stops before the other.
    """
    total = Comparison()
    period = program.timetable.period
    for one, other in zip(left, right, strict=True):
        for step, name, population, a, b in _pairs(program, one, other):
            differs = np.asarray(a) != np.asarray(b)
            size = int(differs.size)
            total.values_compared += size
            if name in ("weights", "tags"):
                total.weights_compared += size
            if not differs.any():
                continue
            total.mismatches += int(differs.sum())
            if total.first_difference is None or _earlier(
                one.fixation, step, total.first_difference
            ):
                index = tuple(int(i) for i in np.argwhere(differs)[0]) if differs.ndim else ()
                total.first_difference = Difference(
                    one.fixation,
                    step,
                    name,
                    population,
                    index,
                    int(np.asarray(a)[index]),
                    int(np.asarray(b)[index]),
                )
        total.fixations += 1
        total.time_steps += period
        yield total


def _earlier(fixation: int, step: int, other: Difference) -> bool:
    return (fixation, step) < (other.fixation, other.step)


def _pairs(
    program: Program, one: FixationTrace, other: FixationTrace
) -> Iterator[tuple[int, str, str, Any, Any]]:
    """(step, quantity, population, left, right) of everything that a fixation shows."""
    timetable = program.timetable
    decided = {g.name: g.decided(timetable.steps) for g in program.gates}
    for name in ("membrane", "spikes", "weights", "tags"):
        left, right = getattr(one, name), getattr(other, name)
        _require_same(name, left, right)
        for key in left:
            _require_shape(name, key, left[key], right[key])
            for step in range(len(left[key])):
                yield step, name, key, left[key][step], right[key][step]
    for name, step in (
        ("counts", timetable.steps - 1),
        ("apical", timetable.predict),
        ("retro", timetable.predict),
        ("post", timetable.predict),
        ("averages", timetable.predict),
        ("scores", timetable.steps + 1),
        ("gates", timetable.steps + 1),
    ):
        left, right = getattr(one, name), getattr(other, name)
        _require_same(name, left, right)
        for key in left:
            _require_shape(name, key, left[key], right[key])
            yield decided.get(key, step), name, key, left[key], right[key]


def _require_same(name: str, left: dict[str, Any], right: dict[str, Any]) -> None:
    if left.keys() != right.keys():
        raise ValueError(f"the engines show {name} of {sorted(left)} and of {sorted(right)}")


def _require_shape(name: str, key: str, left: Any, right: Any) -> None:
    if np.shape(left) != np.shape(right):
        raise ValueError(f"{name} of {key}: shapes {np.shape(left)} and {np.shape(right)}")
