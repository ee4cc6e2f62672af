"""What a change cost, what came back, what was forgotten: points of accuracy of the top layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from clapp_neuro.data.drift import NEW_CLASSES
from clapp_neuro.verbs.adapt import LEAST_COST

Found = dict[str, Any]
GOAL = 0.8
"""The share of a change's cost that a chip that learns on should win back."""


@dataclass(frozen=True)
class Ledger:
    """Points by seed, with readouts fitted anew.

    cost: before − right after; of new classes, what a chip has that knew nothing else − right
    after. won: learned on − right after. forgotten: lost in the old world, with readouts fitted
    anew and with those of before the change.
    """

    cost: np.ndarray | None
    won: np.ndarray
    forgotten: np.ndarray
    unlearned: np.ndarray

    @property
    def share(self) -> float | None:
        """Of the mean cost; None where that is too small to be shared out."""
        return None if self.cost is None else share_of(self.won, self.cost)


def share_of(won: np.ndarray, whole: np.ndarray) -> float | None:
    """Of the mean of the whole, in points; None where that is too small to be shared out."""
    if whole.mean() < 100 * LEAST_COST:
        return None
    return float(won.mean() / whole.mean())


def ledger(drift: str, found: Found, look: Found, part: str = "test") -> Ledger:
    """Of one change and one look at a chip that learned on.

    part: "test" for reports, "validation" for choices.
    """
    frozen = found["frozen"]
    old, new = (top(frozen, kind, part, look["seeds"]) for kind in ("old", "new"))
    if drift != NEW_CLASSES:
        cost = old - new
    elif found["native"] is None or not set(look["seeds"]) <= set(found["native"]["seeds"]):
        cost = None
    else:
        cost = top(found["native"], "new", part, look["seeds"]) - new
    return Ledger(
        cost=cost,
        won=top(look, "new", part) - new,
        forgotten=old - top(look, "old", part),
        unlearned=top(frozen, "old_kept", part, look["seeds"]) - top(look, "old_kept", part),
    )


def top(found: Found, kind: str, part: str = "test", seeds: list[int] | None = None) -> np.ndarray:
    """Accuracy of the top layer by seed, in percent."""
    chosen = found["seeds"] if seeds is None else seeds
    rows = dict(zip(found["seeds"], found[part][kind], strict=True))
    return np.array([rows[seed][-1] for seed in chosen])


def ways_of(found: Found, scale: Found) -> dict[str, Found]:
    """One change: the look up to which all settings learned, by setting, the default first."""
    courses = {scale["settings"][0]: found["course"], **found["settings"]}
    return {name: look_at(course, scale["tried"]) for name, course in courses.items()}


def look_at(course: Found, fixations: int) -> Found:
    """The look at a chip so many fixations after the change."""
    chosen: Found = next(look for look in course["looks"] if look["fixations"] == fixations)
    return chosen


def share_text(share: float | None) -> str:
    """A share as a whole percentage."""
    return "–" if share is None else f"{share:.0%}"
