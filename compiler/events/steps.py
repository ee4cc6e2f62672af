"""What happened step by step: messages and active updates of every population, of whole fixations.

Cores wait for each other at every time step, so how long a run takes depends on what happens
together, which sums over the run do not say. Engines therefore keep the counts of each step as
well, and notes of each fixation. So that memory stays small however long a run is, they keep those
of every fixation only as long as there are few; then of every second, every fourth, ..., spread
evenly over the run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NUMBERS = 1 << 18
"""Of each kind that a record holds at most (but one fixation at least): three megabytes in all."""
ARRAYS = ("sent", "active", "noted")


@dataclass(frozen=True, eq=False)
class StepRecord:
    """Counts of the fixations 0, `stride`, 2 * `stride`, ..., int32.

    `sent` are messages that drive somata, (n, populations, steps): spikes, or what an input sends
    at tau = 0; `active`, of the same shape, updates of neurons that are not idle. A column is a
    step of the population's own time tau, which its level is behind the chip's. `noted` (n, notes)
    are those of `compiler.events.notes`; a run that does not learn has none.
    """

    stride: int
    sent: np.ndarray
    active: np.ndarray
    noted: np.ndarray

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, StepRecord)
            and self.stride == other.stride
            and all(np.array_equal(getattr(self, a), getattr(other, a)) for a in ARRAYS)
        )


class StepRecorder:
    """The memory that engines fill in: row r of `arrays` is fixation r * `stride`."""

    def __init__(self, populations: int, steps: int, notes: int) -> None:
        rows = max(1, NUMBERS // max(populations * steps, notes))
        self.stride = 1
        shapes = (populations, steps), (populations, steps), (notes,)
        sent, active, noted = (np.zeros((rows, *shape), np.int32) for shape in shapes)
        self.arrays = sent, active, noted

    def make_room(self, fixations: int) -> None:
        """For so many fixations from the first on; of those that are there, some may go."""
        while _rows(fixations, self.stride) > len(self.arrays[0]):
            self.stride *= 2
            for kept in self.arrays:
                some = kept[::2].copy()
                kept[: len(some)] = some

    def put(self, first: int, *counts: np.ndarray) -> None:
        """What `arrays` keep, of the fixations from `first` on, for which there is room.

        Those that are not recorded are left out.
        """
        skipped, row = -first % self.stride, _rows(first, self.stride)
        for kept, some in zip(self.arrays, counts, strict=True):
            every = some[skipped :: self.stride]
            kept[row : row + len(every)] = every

    def record(self, fixations: int) -> StepRecord:
        """A copy of what is there of the first `fixations`."""
        rows = _rows(fixations, self.stride)
        return StepRecord(self.stride, *(kept[:rows].copy() for kept in self.arrays))

    def go_on(self, record: StepRecord) -> None:
        """Takes over what another has recorded of the same program."""
        self.stride = record.stride
        for kept, name in zip(self.arrays, ARRAYS, strict=True):
            some = getattr(record, name)
            kept[: len(some)] = some


def _rows(fixations: int, stride: int) -> int:
    return -(-fixations // stride)
