"""The page of the readout on the chip: docs/results/readout.md and the curves beside it."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from readout_settings import SCALES

from clapp_neuro.files import write_whole
from clapp_neuro.reproduce.figures import COLOURS, save
from clapp_neuro.reproduce.intervals import with_interval
from clapp_neuro.reproduce.tables import markdown

Found = dict[str, Any]
FITTED = "linear readout, fitted off the chip on {:,} labelled images"


def write_page(found: Found, out: Path) -> None:
    """Writes readout.md and readout.png into the folder `out`."""
    parts = [_head(found), _table(found), _verdict(found), _over_time(found), _costs(found)]
    text = "\n\n".join(parts) + "\n"
    write_whole(out / "readout.md", lambda file: file.write(text.encode()))
    save(_curves(found), out / "readout.png")


def _head(found: Found) -> str:
    first, settings = found["ways"]["learning"], found["settings"]
    return f"""# A readout that learns from rewards on the chip

Written by `make readout SCALE={found["scale"]}`; all numbers are in [readout.json](readout.json).
{first["source"][0]}, {settings["looks"][-1]:,} fixations of the chip's gaze, one after the other,
seeds {", ".join(map(str, first["seeds"]))}.
Nothing is trained off the chip: layers and readout begin untrained, and the readout hears one bit
of reward a fixation. [How it learns](../on_chip.md#a-readout-that-learns-from-rewards).
{_rest(found)}

An image is named by the readout's scores added up over its nine positions, without noise.
Accuracies, in percent, are of {first["tested"][0]:,} test images on which nothing was chosen; each
way's learning rate was chosen on the other 5,000, with the first seed. ± is the half width of a
95 % interval over the seeds, by Student's t.

![accuracy over time](readout.png)"""


def _rest(found: Found) -> str:
    """What a scale leaves out."""
    if found["scale"] == "full":
        return ""
    full = SCALES["full"]
    return (
        f"\nNot run: `SCALE=full`, {full.looks[-1]:,} fixations and {len(full.seeds)} seeds; the "
        "curves below still rise where they end."
    )


def _verdict(found: Found) -> str:
    """How much learned layers help, what float has more, and how far the best readout is away."""
    ways = found["ways"]
    ends = {
        name: dict(zip(way["seeds"], (run[-1] for run in way["test"]), strict=True))
        for name, way in ways.items()
    }
    chip = ends["learning"]
    linear = dict(zip(chip, ways["learning"]["linear"], strict=False))
    others = {
        "learned − untrained layers": ends["untrained"],
        "chip − float": ends["float"],
        "chip − linear readout off the chip": linear,
    }
    placed = ends["learning-by-position"]
    more = {
        "one for each position − one for all": chip,
        "one for each position, learned − untrained layers": ends["untrained-by-position"],
        "one for each position − linear readout off the chip": linear,
    }
    parts = [f"{words} {_less(chip, other)}" for words, other in others.items()]
    parts += [f"{words} {_less(placed, other)}" for words, other in more.items()]
    return f"Seed by seed, in points: {'; '.join(parts)}."


def _less(one: dict[int, float], other: dict[int, float]) -> str:
    """How much the one has more than the other, seed by seed."""
    return _mean([one[seed] - other[seed] for seed in one if seed in other])


def _table(found: Found) -> str:
    ways, labelled = found["ways"], found["settings"]["labelled"]
    rows = []
    for name, way in ways.items():
        patches = _mean([run[-1] for run in way["patches"] if run])
        rewarded = _mean([run[-1] for run in way["rewarded"]])
        rows.append((way["title"], _mean([run[-1] for run in way["test"]]), patches, rewarded))
        if way["linear"]:
            layers = "learned" if name == "learning" else "untrained"
            title = f"{FITTED.format(labelled)}, the same {layers} layers"
            rows.append((title, _mean(way["linear"]), "", ""))
    header = ("readout", "images", "single patches", "rewarded in the last stretch, with noise")
    return markdown(header, rows)


def _over_time(found: Found) -> str:
    looks = found["settings"]["looks"]
    rows = [
        (way["title"], *(_mean([run[i] for run in way["test"]]) for i in range(len(looks))))
        for way in found["ways"].values()
    ]
    return "## Over time\n\n" + markdown(("after fixations", *(f"{n:,}" for n in looks)), rows)


def _costs(found: Found) -> str:
    parts = []
    for way in found["ways"].values():
        tried = ", ".join(f"{rate} ({right:.1f} %)" for rate, right in way["validated"].items())
        parts.append(f"- {way['title']}: {way['rate']:g}, of {tried} in validation")
    clipped = [
        f"{way['title'].capitalize()}, {_number(way['plastic_updates'])} synapses are updated in a "
        f"fixation. In a whole run {_number(way['post_clipped'])} post values, "
        f"{_number(way['tag_clipped'])} tags and {_number(way['weight_clipped'])} weights were "
        "clipped (means over the seeds)."
        for way in (found["ways"][name] for name in ("learning", "learning-by-position"))
    ]
    return "\n\n".join(("## Learning rates and clipping", "\n".join(parts), *clipped))


def _number(values: list[float]) -> str:
    return f"{statistics.mean(values):,.0f}"


def _mean(values: list[float]) -> str:
    return with_interval(values) if values else ""


def _curves(found: Found) -> Figure:
    """Accuracy of named images over fixations, and what linear readouts reach."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    looks = np.array(found["settings"]["looks"]) / 1000
    for colour, way in zip(COLOURS, found["ways"].values(), strict=False):
        runs = np.array(way["test"])
        axes.plot(looks, runs.mean(0), "o-", color=colour, label=way["title"])
        axes.fill_between(looks, runs.min(0), runs.max(0), color=colour, alpha=0.2, linewidth=0)
        if way["linear"]:
            reached = statistics.mean(way["linear"])
            axes.axhline(reached, color=colour, linestyle=":", label="linear readout, off the chip")
    axes.set_xscale("log")
    axes.set_xlabel("thousand fixations")
    axes.set_ylabel("test images named, %")
    axes.legend(fontsize=7)
    return figure
