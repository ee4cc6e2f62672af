"""What was forgotten of the old world, and what that trades against: its part of the page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from shares import ledger, share_text, top, ways_of

from clapp_neuro.reproduce.intervals import with_interval
from clapp_neuro.reproduce.tables import markdown

Found = dict[str, Any]


def forgotten_section(found: Found) -> str:
    rows = []
    for drift, all_of_it in found["drifts"].items():
        last = all_of_it["course"]["looks"][-1]
        points = ledger(drift, all_of_it, last)
        rows.append(
            [
                f"`{drift}`",
                *(with_interval(top(some, "old")) for some in (all_of_it["frozen"], last)),
                with_interval(points.forgotten),
                with_interval(top(last, "old_kept")),
                with_interval(points.unlearned),
                _numbers(all_of_it["frozen"]["dead"]),
                _numbers(last["dead"]),
            ]
        )
    header = ["", "before", "learned on, fitted anew", "forgotten", "learned on, readout of before"]
    header += ["forgotten by both", "dead when it changed", "dead at the end"]
    return "\n\n".join(
        [
            "## What was forgotten of the old world",
            "Tested in the old world. What a readout fitted anew still finds is what the encoder "
            "has not forgotten; the readout of before also suffers from all that has moved. Dead "
            "neurons, layer by layer in the mean of the seeds, are silent for the first 1,000 "
            "test images of the new world.",
            markdown(header, rows),
        ]
    )


def trade_section(found: Found) -> str:
    rows = []
    for drift, all_of_it in found["drifts"].items():
        if not all_of_it["settings"]:
            continue
        ways = ways_of(all_of_it, found["scale"])
        chosen = {n: ledger(drift, all_of_it, ways[n], "validation").won.mean() for n in ways}
        best = max(chosen, key=lambda name: chosen[name])
        for name, look in ways.items():
            points = ledger(drift, all_of_it, look)
            rows.append(
                [
                    f"`{drift}`",
                    f"**{name}**" if name == best else name,
                    str(len(look["seeds"])),
                    with_interval(points.won),
                    share_text(points.share),
                    with_interval(points.forgotten),
                    with_interval(points.unlearned),
                    ", ".join(f"{g:.0%}" for g in np.mean(look["gate"], axis=0)),
                ]
            )
    if not rows:
        return ""
    header = ["", "setting", "seeds", "won back", "of the cost", "forgotten, fitted anew"]
    header += ["forgotten, readout of before", "gates open"]
    return "\n\n".join(
        [
            "## Winning back against forgetting",
            f"After {found['scale']['tried']:,} fixations of the new world. A smaller margin "
            "closes gates sooner, a smaller rate moves less, tags are consolidated every 32 "
            "fixations where nothing else is said. Bold: what the validation images would choose "
            "for the new world alone.",
            "![won back against forgotten](adapt_trade.png)",
            markdown(header, rows),
        ]
    )


def _numbers(rows: Iterable[Iterable[int]]) -> str:
    return ", ".join(f"{np.mean(values):.1f}" for values in zip(*rows, strict=True))
