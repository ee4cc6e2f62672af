"""What a change cost, what came back, what was forgotten: points of accuracy of the top layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from clapp_neuro.data.drift import NEW_CLASSES
from clapp_neuro.verbs.adapt import LEAST_COST

Found = dict[str, Any]


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
        if self.cost is None or self.cost.mean() < 100 * LEAST_COST:
            return None
        return float(self.won.mean() / self.cost.mean())


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


def ways_of(found: Found, default: str) -> dict[str, Found]:
    """One change: the look up to which all settings learned, by setting, the `default` first."""
    others = {name: course["looks"][-1] for name, course in found["settings"].items()}
    ends = {look["fixations"] for look in others.values()}
    first = next(look for look in found["course"]["looks"] if look["fixations"] in ends)
    return {default: first, **others}
