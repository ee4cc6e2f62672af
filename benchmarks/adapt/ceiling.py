"""How much of a change's cost can come back at all, and what learning longer wins of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from shares import GOAL, share_of, share_text, top

from clapp_neuro.data.drift import NEW_CLASSES
from clapp_neuro.reproduce.intervals import with_interval
from clapp_neuro.reproduce.tables import markdown

Found = dict[str, Any]


def ceiling_section(found: Found) -> str:
    """Chips raised in the new world, no encoder at all, and a chip that learns on for longer."""
    parts = [_raised_there(found), _pixels(found), _farther(found)]
    if not any(parts):
        return ""
    return "\n\n".join(["## How much can come back, and learning longer", *filter(None, parts)])


def _raised_there(found: Found) -> str:
    rows = []
    for drift, known in found["drifts"].items():
        native, last = known["native"], known["course"]["looks"][-1]
        if drift == NEW_CLASSES or native is None:
            continue
        seeds = [seed for seed in native["seeds"] if seed in last["seeds"]]
        before, after = (top(known["frozen"], kind, seeds=seeds) for kind in ("old", "new"))
        possible = top(native, "new", seeds=seeds) - after
        won = top(last, "new", seeds=seeds) - after
        rows.append(
            [
                f"`{drift}`",
                ", ".join(map(str, seeds)),
                with_interval(after),
                with_interval(top(native, "new", seeds=seeds)),
                with_interval(possible),
                with_interval(won),
                share_text(share_of(won, before - after)),
                share_text(share_of(won, possible)),
            ]
        )
    if not rows:
        return ""
    header = ["", "seeds", "right after", "raised there", "can come back", "won back"]
    header += ["of the cost", "of what can"]
    return (
        "Raised there: a chip that began alike, and has learned as compiled from "
        f"{found['scale']['born']:,} fixations of the new world only. What it has more than the "
        "chip right after the change is what so much learning there can bring; the rest of the "
        "cost is what the world itself has become for such a network. A chip that learns on may "
        "end above it: it has learned from two worlds. No share is given of less than half a "
        "point.\n\n" + markdown(header, rows)
    )


def _pixels(found: Found) -> str:
    """What the readout finds in the images themselves, which no encoder has touched."""
    rows = []
    for drift, known in found["drifts"].items():
        if known["pixels"] is not None:
            old, new = (float(top(known["pixels"], kind)[0]) for kind in ("old", "new"))
            rows.append([f"`{drift}`", f"{old:.2f}", f"{new:.2f}", f"{old - new:.2f}"])
    if not rows:
        return ""
    return (
        "What a change takes from the same readout of all pixels of an image, without any "
        "encoder:\n\n" + markdown(["", "old world", "new world", "lost"], rows)
    )


def _farther(found: Found) -> str:
    """The setting `far`, which learns for longer."""
    scale, rows, reached = found["scale"], [], []
    for drift, known in found["drifts"].items():
        far = known["settings"].get(scale["far"])
        if far is None:
            continue
        last, seeds = far["looks"][-1], far["seeds"]
        before, after = (top(known["frozen"], kind, seeds=seeds) for kind in ("old", "new"))
        won = top(last, "new") - after
        share = share_of(won, before - after)
        default = top(known["course"]["looks"][-1], "new", seeds=seeds)
        looks = [default, *(top(look, "new") for look in far["looks"])]
        rows.append(
            [
                f"`{drift}`",
                ", ".join(map(str, seeds)),
                *(with_interval(values) for values in (before, after, *looks, won)),
                share_text(share),
                share_text(_of_what_can(known["native"], far, after)),
                with_interval(before - top(last, "old")),
            ]
        )
        if share is not None and share >= GOAL:
            reached.append(f"`{drift}`")
    if not rows:
        return ""
    header = ["", "seeds", "before", "right after", f"default, {scale['looks'][-1]:,}"]
    header += [f"{end:,}" for end in scale["far_looks"]]
    header += ["won back", "of the cost", "of what can", "forgotten, fitted anew"]
    return "\n\n".join(
        [
            f"Learning on for {scale['far_looks'][-1]:,} fixations at {scale['far']}, chosen on "
            "the validation images with seed 0: wider margins open more gates, so more is learned.",
            markdown(header, rows),
            f"Goal of {GOAL:.0%} of the cost, so: met by {', '.join(reached) or 'none'}.",
        ]
    )


def _of_what_can(native: Found | None, course: Found, after: np.ndarray) -> float | None:
    """The share of what a chip raised there has more; None where not all seeds have one."""
    seeds = course["seeds"]
    if native is None or not set(seeds) <= set(native["seeds"]):
        return None
    won = top(course["looks"][-1], "new") - after
    return share_of(won, top(native, "new", seeds=seeds) - after)
