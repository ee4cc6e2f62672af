"""When a run's events happen: how each population's are spread over the steps of the chip.

An event on a core follows from what a population does in a step: its messages, its active updates,
its idle ones. What they come to over the run is known; a record of steps says how it is spread.
Messages count in the step in which they are sent, as they do for SANA-FE.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from compiler.events.records import Events


class Cause(NamedTuple):
    """What a count follows from step to step: a population's messages, or its neurons' updates."""

    what: Literal["sent", "active", "idle"]
    population: str


def profiles(events: Events, causes: Sequence[Cause]) -> np.ndarray | None:
    """(steps of the chip, causes): the share of a run's events in each step; None without a record.

    Each column adds up to 1. A population of level l does what it does l steps behind the input.
    While the network learns, fixations are apart; else the next follows at once, and levels look at
    different ones at the same time.
    """
    record = events.record
    if record is None or not len(record.sent):
        return None
    recorded = events.populations[: record.sent.shape[1]]
    row = {p.name: number for number, p in enumerate(recorded)}
    last = max(p.level for p in recorded)
    columns = []
    for what, name in causes:
        population = recorded[row[name]]
        counts = (record.sent if what == "sent" else record.active)[:, row[name]]
        if what == "idle":
            counts = population.neurons - counts
        together = counts if events.learn else counts.reshape(1, -1)
        behind = (population.level, last - population.level)
        columns.append(np.pad(together, ((0, 0), behind)).ravel())
    steps = np.stack(columns, axis=1).astype(np.float64)
    sums = steps.sum(axis=0)
    # what happens in none of the recorded steps has no other time than any
    return np.where(sums > 0, steps / np.maximum(sums, 1), 1 / len(steps))
