"""The page of what was measured: docs/results/on_chip.md and the learning curves beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from spread import interval_of_kept, kept_of_means

from clapp_neuro.files import write_whole
from clapp_neuro.reproduce.figures import COLOURS, save
from clapp_neuro.reproduce.intervals import with_interval
from clapp_neuro.reproduce.tables import markdown

Found = dict[str, Any]
GOALS = {"gain": 0.95, "loss": 0.98}
LEAST_GAIN = 0.5  # points of accuracy that the reference must gain for a ratio to say something


def write_page(found: Found, out: Path) -> None:
    """Writes on_chip.md and on_chip.png into the folder `out`."""
    parts = [_head(found)]
    for name, network in found["networks"].items():
        parts.append(_network(name, network))
    text = "\n\n".join(parts) + "\n"
    write_whole(out / "on_chip.md", lambda file: file.write(text.encode()))
    save(_curves(next(iter(found["networks"].values()))), out / "on_chip.png")


def _head(found: Found) -> str:
    first = next(iter(found["networks"].values()))
    default = first["default"]
    return f"""# Learning on the chip beside learning in float

Written by `make on-chip`; all numbers are in [on_chip.json](on_chip.json). {default["source"]}.
Online: one fixation after the other, and weights change after each. The learning rate of the float
reference is the best of those named below, by the accuracy of the readout on the first 5,000 test
images. All accuracies shown are of the other {default["tested"]:,} test images, on which nothing
was chosen. The chip learns at the same rate.

The readout is logistic regression on each layer's mean activity over an image's positions, in
percent. Loss is the hinge loss of the last fifth of the run. What is kept of the gain is
(chip − untrained) / (float − untrained), of the means over the seeds; of the loss gain
(1 − loss) / (1 − loss of float). ± is the half width of a 95 % interval over the seeds, by
Student's t.

![learning curves](on_chip.png)"""


def _network(name: str, network: Found) -> str:
    settings, default = network["settings"], network["default"]
    seeds = default["seeds"]
    depth = len(default["accuracy"][0])
    tried = ", ".join(f"{float(r):.5f} ({a:.2f} %)" for r, a in network["validated"].items())
    fastest = settings["fastest"]
    fitting = f"; `compile` takes at most {fastest:.5f} for all ways to learn" if fastest else ""
    text = [
        f"## {name}: preset `{settings['preset']}`",
        f"`python benchmarks/on_chip --scale {network['scale']} --networks {name}`: "
        f"{settings['fixations']:,} fixations, seeds {', '.join(map(str, seeds))}, readout fitted "
        f"on {settings['labelled']:,} images.\nLearning rate {network['rate']:.5f}, of (with "
        f"accuracy in validation) {tried}{fitting}.\n"
        f"It all took {network['seconds'] / 3600:.1f} hours of processes that "
        "shared two cores with other work.",
        *_missing(network),
        markdown(
            [
                "",
                *(f"layer {k + 1}" for k in range(depth)),
                *(f"loss {k + 1}" for k in range(depth)),
            ],
            [
                ["untrained", *_columns(default["untrained"], 2), *["–"] * depth],
                [
                    "float, online",
                    *_columns(default["online"], 2),
                    *_columns(default["online_loss"], 3),
                ],
                ["on chip", *_columns(default["accuracy"], 2), *_columns(default["loss"], 3)],
                [
                    "chip − float",
                    *_columns(_difference(default), 2),
                    *_columns(_difference(default, "loss", "online_loss"), 3),
                ],
            ],
        ),
        _verdict(default),
        *_lava(network["lava"]),
    ]
    ways = {"carry": default, **network["variants"]}
    if len(ways) > 1:
        text.append(_lowerings(ways, depth))
    text.append(_gates(default))
    return "\n\n".join(text)


def _lava(found: Found | None) -> list[str]:
    """How the beginning of the run compared with Lava, if it was."""
    if found is None:
        return []
    differences = f"{found['differences']:,} differences" if found["differences"] else "all equal"
    return [
        f"The first {found['fixations']} fixations of the first seed's run, learning, in Lava: "
        f"{found['values']:,} values compared, {differences}."
    ]


def _missing(network: Found) -> list[str]:
    """What this setting asks for and has not been measured, if anything."""
    asked, default = network["settings"], network["default"]
    seeds = [seed for seed in asked["seeds"] if seed not in default["seeds"]]
    ways = [name for name in asked["lowerings"] if name not in network["variants"]]
    if not seeds and not ways:
        return []
    parts = [f"the seeds {_and(seeds)}"] if seeds else []
    parts += [f"the ways to learn {_and(ways)}"] if ways else []
    text = f"**Not measured yet: {'; '.join(parts)}.** `make on-chip` goes on with them."
    if len(default["seeds"]) == 1:
        text += " A single seed says little about accuracy; the loss is the finer measure."
    return [text]


def _and(values: list[Any]) -> str:
    *most, last = map(str, values)
    return f"{', '.join(most)} and {last}" if most else last


def _verdict(default: Found) -> str:
    """What was kept, layer by layer, and whether the goals are met."""
    loss, kept, goals = _means(default["loss_gain"]), [], []
    ratios = zip(_gained(default), kept_of_means(default), interval_of_kept(default), strict=True)
    for gain, ratio, width in ratios:
        known = gain >= LEAST_GAIN
        text = f"{ratio:.2f}" + (f" ± {width:.2f}" if width else "")
        kept.append(text if known else f"– (float gained {gain:.2f} points)")
        if known:
            goals.append(ratio >= GOALS["gain"])
    met = {True: "met", False: "missed"}
    of_gain = met[all(goals)] if goals else "can neither be met nor missed"
    if goals and len(goals) < len(kept):
        of_gain += " in the layers where float gains enough to tell"
    return (
        f"Kept of the gain, by layer: {', '.join(kept)}; a ratio to less than {LEAST_GAIN:g} "
        f"points would be noise. Kept of the loss gain: "
        f"{', '.join(_columns(default['loss_gain'], 3))}. Goals: "
        f"{GOALS['gain']:.0%} of the gain {of_gain}, "
        f"{GOALS['loss']:.0%} of the loss gain {met[all(v >= GOALS['loss'] for v in loss)]}, in "
        "the means over the seeds."
    )


def _gained(way: Found) -> list[float]:
    """Points that the float reference gained, by layer, mean over the seeds."""
    return list(np.mean(np.array(way["online"]) - np.array(way["untrained"]), axis=0))


def _lowerings(ways: dict[str, Found], depth: int) -> str:
    header = [
        "from an update to the weight",
        "seeds",
        *(f"layer {k + 1}" for k in range(depth)),
        *(f"gain {k + 1}" for k in range(depth)),
        *(f"loss gain {k + 1}" for k in range(depth)),
        "plastic updates",
        "consolidation visits",
        "energy of learning, cores",
        "management processor",
    ]
    rows = [
        [
            way["title"],
            str(len(way["seeds"])),
            *_columns(way["accuracy"], 2),
            *(
                f"{ratio:.2f}" if gain >= LEAST_GAIN else "–"
                for ratio, gain in zip(kept_of_means(way), _gained(way), strict=True)
            ),
            *(f"{v:.3f}" for v in _means(way["loss_gain"])),
            f"{way['plastic_updates']:,.0f}",
            f"{way['carry_visits'] + way['management_visits']:,.0f}",
            _energy(way["learning_energy"]),
            _energy(way["management_energy"]) if way["management_visits"] else "–",
        ]
        for way in ways.values()
    ]
    return (
        "Updates, visits and energy are those of one fixation, on Loihi 2, whose coefficients are "
        "not published (read the bands). Energy of learning is the dynamic energy that it adds in "
        "the cores. The management processor's is that of its consolidation visits: what it reads "
        "and writes of pairs and copies.\n\n" + markdown(header, rows)
    )


def _energy(band: Found) -> str:
    value, low, high = (1e6 * band[key] for key in ("value", "low", "high"))
    return f"{value:.1f} µJ [{low:.1f} – {high:.1f}]"


def _gates(default: Found) -> str:
    curve = np.array(default["curves"]["gate"])
    tenth = max(1, curve.shape[1] // 10)
    opened = "; ".join(
        f"layer {k + 1} {layer[:tenth].mean():.0%} in the first tenth, "
        f"{layer[-2 * tenth :].mean():.0%} in the last fifth"
        for k, layer in enumerate(curve)
    )
    return f"Fixations that open the gate: {opened}."


def _difference(way: Found, chip: str = "accuracy", known: str = "online") -> list[list[float]]:
    return list((np.array(way[chip]) - np.array(way[known])).tolist())


def _columns(rows: list[list[float]], digits: int) -> list[str]:
    """Mean ± interval of each layer, of seeds x layers."""
    return [with_interval(layer, digits) for layer in zip(*rows, strict=True)]


def _means(rows: list[list[float]]) -> list[float]:
    return list(np.nanmean(_numbers(rows), axis=0))


def _numbers(rows: Any) -> np.ndarray:
    return np.array(rows, np.float64)  # None becomes NaN


def _curves(network: Found) -> Figure:
    """Loss and share of open gates over the run, float, chip and every update rounded."""
    figure = Figure(figsize=(8, 3), layout="constrained")
    axes = figure.subplots(1, 2)
    default = network["default"]
    shown = {
        "float": (default["curves"]["online_loss"], default["curves"]["online_gate"]),
        "chip": (default["curves"]["loss"], default["curves"]["gate"]),
    }
    if "direct" in network["variants"]:
        direct = network["variants"]["direct"]["curves"]
        shown["each update rounded"] = direct["loss"], direct["gate"]
    for colour, (name, curves) in zip(COLOURS, shown.items(), strict=False):
        for axis, curve in zip(axes, curves, strict=True):
            for layer, values in enumerate(curve):
                share = network["settings"]["fixations"] / len(values) / 1000
                x = share * (np.arange(len(values)) + 0.5)
                style = "-" if layer == 0 else "--" if layer == 1 else ":"
                axis.plot(x, values, style, color=colour, label=f"{name}, layer {layer + 1}")
    for axis, title in zip(axes, ("hinge loss", "open gates, share of fixations"), strict=True):
        axis.set_xlabel("thousand fixations")
        axis.set_title(title)
        axis.set_ylim(bottom=0)
    axes[0].legend(fontsize="small")
    return figure
