"""What a change cost, and what came back: its part of the page."""

from __future__ import annotations

from typing import Any

import numpy as np
from shares import GOAL, ledger, share_text, top

from clapp_neuro.reproduce.intervals import with_interval
from clapp_neuro.reproduce.tables import markdown
from clapp_neuro.verbs.adapt import LEAST_COST

Found = dict[str, Any]


def regained_section(found: Found) -> str:
    first = next(iter(found["drifts"].values()))
    fixations = [f"{look['fixations']:,}" for look in first["course"]["looks"]]
    rows = []
    for drift, all_of_it in found["drifts"].items():
        frozen, looks = all_of_it["frozen"], all_of_it["course"]["looks"]
        points = ledger(drift, all_of_it, looks[-1])
        rows.append(
            [
                f"`{drift}`",
                with_interval(top(frozen, "old")),
                with_interval(top(frozen, "new")),
                *(with_interval(top(look, "new")) for look in looks),
                "–" if points.cost is None else with_interval(points.cost),
                with_interval(points.won),
                share_text(points.share),
            ]
        )
    header = ["", "before", "right after", *fixations, "cost", "won back", "of the cost"]
    return "\n\n".join(
        [
            "## What a change cost, and what came back",
            "Readouts fitted anew. Cost is the accuracy before the change less that right after "
            "it. New classes are another task, so the accuracy on the old ones says nothing about "
            "their cost: there it is what a chip reaches that began alike and has learned from as "
            "many fixations of the new classes only, less that right after. The share is that of "
            f"the means; of less than {100 * LEAST_COST:g} points it would be noise.",
            markdown(header, rows),
            _verdict(found),
            _layers(found),
        ]
    )


def _verdict(found: Found) -> str:
    met, missed, small, unknown = [], [], [], []
    for drift, all_of_it in found["drifts"].items():
        points = ledger(drift, all_of_it, all_of_it["course"]["looks"][-1])
        if points.cost is None:
            place = unknown
        else:
            place = small if points.share is None else met if points.share >= GOAL else missed
        place.append(f"`{drift}`")
    parts = [
        f"{word} {', '.join(names)}"
        for word, names in (
            ("met by", met),
            ("missed by", missed),
            ("no cost to share in", small),
            ("cost not known of", unknown),
        )
        if names
    ]
    return f"Goal of {GOAL:.0%}, at the default setting: {'; '.join(parts)}."


def _layers(found: Found) -> str:
    """The layers below the top one, shortly."""
    depth = len(next(iter(found["drifts"].values()))["frozen"]["test"]["new"][0])
    rows = []
    for drift, all_of_it in found["drifts"].items():
        frozen, last = all_of_it["frozen"]["test"], all_of_it["course"]["looks"][-1]["test"]
        for layer in range(depth - 1):
            values = (frozen["old"], frozen["new"], last["new"])
            rows.append(
                [
                    f"`{drift}`",
                    str(layer + 1),
                    *(with_interval(np.array(v)[:, layer]) for v in values),
                ]
            )
    header = ["", "layer", "before", "right after", "learned on"]
    return "The layers below:\n\n" + markdown(header, rows)
