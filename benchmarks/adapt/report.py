"""The page of what was measured: docs/results/adapt.md."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from charts import draw_drifts, draw_trade
from shares import ledger, top, ways_of
from sound import long_section

from clapp_neuro.data.drift import NEW_CLASSES
from clapp_neuro.files import write_whole
from clapp_neuro.reproduce.figures import save
from clapp_neuro.reproduce.intervals import with_interval
from clapp_neuro.reproduce.tables import markdown
from clapp_neuro.verbs.adapt import LEAST_COST

Found = dict[str, Any]
GOAL = 0.8


def write_page(found: Found, out: Path) -> None:
    """Writes adapt.md and its two figures into the folder `out`."""
    parts = [_head(found), _missing(found), _cost(found), _float(found), _unlabelled(found)]
    parts += [_forgotten(found), _trade(found), _control(found), long_section(found["long"])]
    text = "\n\n".join(part for part in parts if part) + "\n"
    write_whole(out / "adapt.md", lambda file: file.write(text.encode()))
    save(draw_drifts(found["drifts"]), out / "adapt.png")
    if any(drift["settings"] for drift in found["drifts"].values()):
        save(draw_trade(found["drifts"], found["scale"]["settings"][0]), out / "adapt_trade.png")


def _head(found: Found) -> str:
    scale, first = found["scale"], next(iter(found["drifts"].values()))
    return f"""# When the world changes

Written by `make adapt` (`python benchmarks/adapt`); all numbers are in [adapt.json](adapt.json).
{first["source"]}; preset `{scale["preset"]}`. A chip has learned from {scale["born"]:,} fixations
of the old world. Then the world changes, and the chip learns on from {scale["looks"][-1]:,}
fixations of the new one, at the same learning rate, without any label. `rotate90`: a quarter turn;
`dim`: a quarter of the light; `noise`: normal noise of 64 of 255 on each pixel; `invert`: black for
white; `new-classes`: the classes 0 to 4 before, 5 to 9 after.

Accuracy is that of logistic regression on the mean spike counts of the top layer, in percent.
Fitted anew means: on {scale["labelled"]:,} labelled images of the world in which it is tested, seen
through the chip as it is. So labels of the new world reach the readout, never the encoder; what is
reached without any of them is [a table of its own](#without-any-label-of-the-new-world). Settings
are chosen on the first half of a world's test images (at most 5,000), everything shown is of the
others, {first["tested"]:,} (`new-classes`: {_tested_new(found)}). ± is the half width of a 95 %
interval over the seeds {_seeds(found)}, by Student's t.

![accuracy over the time since the change](adapt.png)"""


def _seeds(found: Found) -> str:
    return ", ".join(map(str, found["scale"]["seeds"]))


def _tested_new(found: Found) -> str:
    new = found["drifts"].get(NEW_CLASSES)
    return "not measured" if new is None else f"{new['tested']:,}"


def _missing(found: Found) -> str:
    """What this scale asks for and has not been measured in all seeds."""
    scale = found["scale"]
    unmeasured: dict[str, list[str]] = {}
    for drift in scale["drifts"]:
        known = found["drifts"].get(drift, {})
        parts = {
            "the chip that learns on": known.get("course"),
            "the float network": known.get("network"),
            **{name: known.get("settings", {}).get(name) for name in scale["settings"][1:]},
        }
        if drift == NEW_CLASSES:
            parts["the chip that knows only them"] = known.get("native")
        for name, part in parts.items():
            if part is None or part["seeds"] != list(scale["seeds"]):
                unmeasured.setdefault(name, []).append(f"`{drift}`")
    if not unmeasured:
        return ""
    lacks = "; ".join(f"{name}: {', '.join(drifts)}" for name, drifts in unmeasured.items())
    return f"**Not measured yet in all seeds: {lacks}.** `make adapt` goes on with them."


def _cost(found: Found) -> str:
    fixations = [f"{look['fixations']:,}" for look in _any_course(found)["looks"]]
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
                _share(points.share),
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


def _float(found: Found) -> str:
    rows = []
    for drift, all_of_it in found["drifts"].items():
        network = all_of_it["network"]
        if network is None:
            continue
        last = all_of_it["course"]["looks"][-1]
        shown = [
            top(network, "old"),
            top(network, "new"),
            None if drift == NEW_CLASSES else top(network, "old") - top(network, "new"),
            top(all_of_it["frozen"], "new"),
            top(last, "new"),
        ]
        if network["seeds"] == last["seeds"]:
            shown.append(top(last, "new") - top(network, "new"))
        else:
            shown.append(None)
        rows.append([f"`{drift}`", *("–" if v is None else with_interval(v) for v in shown)])
    if not rows:
        return ""
    header = ["", "float before", "float after", "its cost", "frozen chip", "chip that learned on"]
    header.append("that chip − float")
    return "\n\n".join(
        [
            "## Beside the float network trained offline",
            f"{found['scale']['batches']:,} minibatches of 64 images of the old world, then it "
            "learns nothing more. Readouts fitted anew, in the new world where nothing else is "
            "said.",
            markdown(header, rows),
        ]
    )


def _unlabelled(found: Found) -> str:
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


def _forgotten(found: Found) -> str:
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


def _trade(found: Found) -> str:
    rows = []
    for drift, all_of_it in found["drifts"].items():
        if not all_of_it["settings"]:
            continue
        ways = ways_of(all_of_it, found["scale"]["settings"][0])
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
                    _share(points.share),
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


def _control(found: Found) -> str:
    rows = []
    for name, course in found["unchanged"].items():
        if course is None:
            continue
        drift = next(d for d in found["drifts"] if (d == NEW_CLASSES) == (name == "old-classes"))
        frozen, last = found["drifts"][drift]["frozen"], course["looks"][-1]
        seeds = last["seeds"]
        gain = top(last, "old") - top(frozen, "old", seeds=seeds)
        kept = top(last, "old_kept") - top(frozen, "old_kept", seeds=seeds)
        rows.append(
            [name, str(len(seeds)), *(with_interval(v) for v in (top(last, "old"), gain, kept))]
        )
    if not rows:
        return ""
    header = [
        "old world",
        "seeds",
        "learned on there",
        "gain, fitted anew",
        "gain, readout of before",
    ]
    return "\n\n".join(
        [
            "## If nothing had changed",
            "The same chips learn on from as many fixations of the old world. What they gain comes "
            "from learning longer, not from the change; what the readout of before loses, from "
            "features that move although nothing has changed.",
            markdown(header, rows),
        ]
    )


def _any_course(found: Found) -> Found:
    course: Found = next(iter(found["drifts"].values()))["course"]
    return course


def _share(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"


def _numbers(rows: Iterable[Iterable[int]]) -> str:
    return ", ".join(f"{np.mean(values):.1f}" for values in zip(*rows, strict=True))
