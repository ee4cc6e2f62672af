"""What is reached without any label of the new world: its part of the page."""

from __future__ import annotations

from typing import Any

from shares import top

from clapp_neuro.reproduce.intervals import with_interval
from clapp_neuro.reproduce.tables import markdown

Found = dict[str, Any]


def unlabelled_section(found: Found) -> str:
    rows = []
    for drift, all_of_it in found["drifts"].items():
        frozen, last = all_of_it["frozen"], all_of_it["course"]["looks"][-1]
        if frozen["test"]["new_kept"] is None:
            continue
        before, stale = top(frozen, "old"), top(frozen, "new_kept")
        by_old, kept = top(last, "new_by_old"), top(last, "new_kept")
        lost = (before - stale).mean()
        rows.append(
            [
                f"`{drift}`",
                *(with_interval(v) for v in (before, stale, kept, by_old, top(last, "new"))),
                *(f"{(v - stale).mean() / lost:.0%}" for v in (kept, by_old)),
            ]
        )
    header = ["", "before", "right after, readout of before", "learned on, readout of before"]
    header += ["learned on, readout refitted on old images", "learned on, fitted anew"]
    header += ["share back, readout of before", "share back, refitted"]
    return "\n\n".join(
        [
            "## Without any label of the new world",
            "The readout of before is not touched; or it is refitted, through the chip that has "
            "learned on, on the labelled images of the old world. Both are tested in the new one. "
            "No readout knows new classes without labels of them.",
            markdown(header, rows),
        ]
    )
