"""When a run's events happen: how those that follow from one cause are spread over its steps.

What a cause comes to over the run is known; a record of steps says how it is spread, and the
program at which step of a fixation. Messages count in the step in which they are sent, as they do
for SANA-FE.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from compiler.events.moments import Cause, Moments
from compiler.events.records import Events
from compiler.events.steps import StepRecord


def moments_of(events: Events, cause: Cause) -> Moments:
    """The moments of a cause; KeyError for one of learning in a run that did not learn."""
    if cause.what not in ("sent", "active", "idle"):
        return events.moments[cause]
    population = next(p for p in events.populations if p.name == cause.name)
    if cause.what == "sent":
        return Moments((("sent", population.name, 1),))
    if cause.what == "active":
        return Moments((("active", population.name, 1),))
    shown = range(population.level, population.level + events.steps)
    return Moments(
        (("active", population.name, -1),),
        steady=tuple((step, population.neurons) for step in shown),
    )


def happened(events: Events, record: StepRecord, moments: Moments) -> np.ndarray:
    """(steps of the chip,) float64: how often in each step of the fixations that are recorded.

    While the network learns, fixations are apart; else the next follows at once, and levels look at
    different ones at the same time.
    """
    recorded = events.populations[: record.sent.shape[1]]
    rows = {p.name: (number, p.level) for number, p in enumerate(recorded)}
    fixations, length = len(record.sent), events.time_steps // events.fixations
    line = np.zeros(fixations * length + max(p.level for p in recorded))
    stop = fixations * length
    for what, name, number in moments.recorded:
        row, level = rows[name]
        shown = line[level : level + stop].reshape(fixations, length)[:, : events.steps]
        shown += number * getattr(record, what)[:, row]
    for column, step, number in moments.noted:
        line[step : step + stop : length] += number * record.noted[:, column]
    for step, number in moments.steady:
        line[step : step + stop : length] += number
    for k, number in moments.due:
        fixation, within = np.divmod(np.arange(stop), length)
        time_steps = fixation * record.stride * length + within + 1  # the first is number 1
        line[:stop][time_steps % (1 << k) == 0] += number
    return line


def profiles(events: Events, moments: Sequence[Moments]) -> np.ndarray | None:
    """(steps of the chip, causes): the share of a run's events in each step; None without a record.

    Each column adds up to 1.
    """
    record = events.record
    if record is None or not len(record.sent):
        return None
    columns = []
    for each in moments:
        line = happened(events, record, each)
        if line.sum() <= 0:  # in none of the recorded fixations: whenever it may happen
            line = happened(events, record, _wherever(each))
        columns.append(line / line.sum() if line.sum() > 0 else np.full(len(line), 1 / len(line)))
    return np.stack(columns, axis=1)


def _wherever(moments: Moments) -> Moments:
    """The steps at which something is noted, in every fixation."""
    return Moments(steady=tuple((step, 1) for _, step, number in moments.noted if number > 0))
