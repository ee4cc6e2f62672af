"""What a count of events follows from, and at which steps of a fixation that happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple


class Cause(NamedTuple):
    """What a count follows from step to step, of a population, projection or comparator."""

    what: Literal[
        "sent",  # messages that drive somata; all others are of learning
        "active",  # updates of a presentation
        "idle",
        "messages",  # all that a population sends along its axons
        "graded",  # ... the graded ones of them that drive no soma
        "scores",  # what it tells its comparators
        "busy",  # its updates that only learning needs
        "resting",
        "written",  # its post values
        "delivered",  # messages that a projection brings to whoever learns from them
        "ignored",  # messages that nobody at its end listens to
        "visited",  # synapses that the learning engine looked at, of a projection
        "updated",  # ... that a rule changed
        "looked",  # ... that a carry looked at
        "carried",  # ... that a carry moved
        "opened",  # broadcasts of a comparator
        "begun",  # fixations, each of which has a label
    ]
    name: str = ""


@dataclass(frozen=True)
class Moments:
    """Where a record has the counts of one cause: how many happen, and at which steps.

    Steps are those of the chip within a fixation, which a population of level l is l behind; each
    part is weighed by the number that ends it. recorded: "sent" or "active" of a population, step
    by step. noted: (column, step) of what is noted once a fixation. steady: (step,), as often in
    every fixation. due: (k,), at every 2^k-th step of the run.
    """

    recorded: tuple[tuple[Literal["sent", "active"], str, float], ...] = ()
    noted: tuple[tuple[int, int, float], ...] = ()
    steady: tuple[tuple[int, float], ...] = ()
    due: tuple[tuple[int, float], ...] = ()

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            self.recorded + other.recorded,
            self.noted + other.noted,
            self.steady + other.steady,
            self.due + other.due,
        )

    def times(self, factor: float) -> Moments:
        """The same moments, of so many events each."""
        return Moments(
            tuple((what, name, n * factor) for what, name, n in self.recorded),
            tuple((column, step, n * factor) for column, step, n in self.noted),
            tuple((step, n * factor) for step, n in self.steady),
            tuple((k, n * factor) for k, n in self.due),
        )
