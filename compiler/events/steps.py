"""What happened step by step: messages and active updates of every population, of whole fixations.

Cores wait for each other at every time step, so how long a run takes depends on what happens
together, which sums over the run do not say. Engines therefore keep the counts of each step as
well. So that memory stays small however long a run is, they keep those of every fixation only as
long as there are few; then of every second, every fourth, ..., spread evenly over the run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NUMBERS = 1 << 18
"""Of each kind that a record holds at most (but one fixation at least): two megabytes in all."""


@dataclass(frozen=True, eq=False)
class StepRecord:
    """Counts of the fixations 0, `stride`, 2 * `stride`, ..., int32 (n, populations, steps) each.

    A column is a step of the population's own time tau, which its level is behind the chip's.
    `sent` are messages that drive somata: spikes, or what an input sends at tau = 0; `active` are
    updates of neurons that are not idle.
    """

    stride: int
    sent: np.ndarray
    active: np.ndarray

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, StepRecord)
            and self.stride == other.stride
            and np.array_equal(self.sent, other.sent)
            and np.array_equal(self.active, other.active)
        )


class StepRecorder:
    """The memory that engines fill in: row r of `sent` and `active` is fixation r * `stride`."""

    def __init__(self, populations: int, steps: int) -> None:
        rows = max(1, NUMBERS // (populations * steps))
        self.stride = 1
        self.sent, self.active = np.zeros((2, rows, populations, steps), np.int32)

    def make_room(self, fixations: int) -> None:
        """For so many fixations from the first on; of those that are there, some may go."""
        while _rows(fixations, self.stride) > len(self.sent):
            self.stride *= 2
            for kept in (self.sent, self.active):
                some = kept[::2].copy()
                kept[: len(some)] = some

    def put(self, first: int, sent: np.ndarray, active: np.ndarray) -> None:
        """Counts (F, populations, steps) of the fixations from `first` on, for which there is room.

        Those that are not recorded are left out.
        """
        skipped, row = -first % self.stride, _rows(first, self.stride)
        for kept, counts in ((self.sent, sent), (self.active, active)):
            some = counts[skipped :: self.stride]
            kept[row : row + len(some)] = some

    def record(self, fixations: int) -> StepRecord:
        """A copy of what is there of the first `fixations`."""
        rows = _rows(fixations, self.stride)
        return StepRecord(self.stride, self.sent[:rows].copy(), self.active[:rows].copy())

    def go_on(self, record: StepRecord) -> None:
        """Takes over what another has recorded of the same program."""
        self.stride = record.stride
        self.sent[: len(record.sent)], self.active[: len(record.sent)] = record.sent, record.active


def _rows(fixations: int, stride: int) -> int:
    return -(-fixations // stride)
