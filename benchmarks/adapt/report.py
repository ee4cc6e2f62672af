"""The page of what was measured: docs/results/adapt.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from beside import float_section, unchanged_section
from ceiling import ceiling_section
from charts import draw_drifts, draw_trade
from forgetting import forgotten_section, trade_section
from regained import regained_section
from sound import long_section
from unlabelled import unlabelled_section

from clapp_neuro.data.drift import NEW_CLASSES
from clapp_neuro.files import write_whole
from clapp_neuro.reproduce.figures import save

Found = dict[str, Any]


def write_page(found: Found, out: Path) -> None:
    """Writes adapt.md and its two figures into the folder `out`."""
    parts = [_head(found), _missing(found), regained_section(found), ceiling_section(found)]
    parts += [float_section(found), unlabelled_section(found), forgotten_section(found)]
    parts += [trade_section(found), unchanged_section(found), long_section(found["long"])]
    text = "\n\n".join(part for part in parts if part) + "\n"
    write_whole(out / "adapt.md", lambda file: file.write(text.encode()))
    save(draw_drifts(found["drifts"], found["scale"]), out / "adapt.png")
    if any(drift["settings"] for drift in found["drifts"].values()):
        save(draw_trade(found["drifts"], found["scale"]), out / "adapt_trade.png")


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
        if drift == NEW_CLASSES or drift in scale["far_drifts"]:
            parts["the chip raised there"] = known.get("native")
        if drift in scale["far_drifts"]:
            parts[scale["far"]] = known.get("settings", {}).get(scale["far"])
        for name, part in parts.items():
            if part is None or part["seeds"] != list(scale["seeds"]):
                unmeasured.setdefault(name, []).append(f"`{drift}`")
    for name, courses in found["unchanged"].items():
        for setting in (scale["settings"][0], *([scale["far"]] if name == "all" else [])):
            if courses.get(setting, {}).get("seeds") != list(scale["seeds"]):
                unmeasured.setdefault("a chip whose world stays", []).append(f"{name}, {setting}")
    if not unmeasured:
        return ""
    lacks = "; ".join(f"{name}: {', '.join(drifts)}" for name, drifts in unmeasured.items())
    return f"**Not measured yet in all seeds: {lacks}.** `make adapt` goes on with them."
