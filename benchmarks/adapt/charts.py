"""The two figures of the page: accuracy since the change, and winning back against forgetting."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from shares import ledger, top, ways_of

from clapp_neuro.data.drift import NEW_CLASSES
from clapp_neuro.reproduce.figures import COLOURS, look
from clapp_neuro.reproduce.intervals import interval

Found = dict[str, Any]
KINDS = {
    "new": "fitted anew",
    "new_by_old": "refitted on old images",
    "new_kept": "readout of before",
}


def draw_drifts(drifts: dict[str, Found], scale: Found) -> Figure:
    """One panel a change: the new world at each look, with each readout, and who does not learn."""
    figure = Figure(figsize=(max(6, 2.9 * len(drifts)), 4.4), layout="constrained")
    panels = figure.subplots(1, len(drifts), squeeze=False)[0]
    for axes, (drift, found) in zip(panels, drifts.items(), strict=True):
        lines = [(title, kind, found["course"]) for kind, title in KINDS.items()]
        if scale["far"] in found["settings"]:
            far = found["settings"][scale["far"]]
            lines.append((f"{scale['far']}, fitted anew", "new", far))
        last = 0.0
        for number, (title, kind, course) in enumerate(lines):
            if found["frozen"]["test"][kind] is None:
                continue
            start = top(found["frozen"], kind, seeds=course["seeds"])
            values = [start, *(top(some, kind) for some in course["looks"])]
            x = [0, *(some["fixations"] / 1000 for some in course["looks"])]
            means, widths = [v.mean() for v in values], [interval(v) for v in values]
            axes.errorbar(x, means, widths, label=title, capsize=2, **look(number))
            last = max(last, x[-1])
        levels = []
        if drift != NEW_CLASSES:  # another task: its accuracy says nothing of this one
            levels.append(("before the change", top(found["frozen"], "old"), ":"))
        if found["network"] is not None:
            levels.append(("float, fitted anew", top(found["network"], "new"), "--"))
        if found["native"] is not None:
            levels.append(("knows only the new world", top(found["native"], "new"), "-."))
        for title, values, style in levels:
            axes.plot([0, last], [values.mean()] * 2, color="black", linestyle=style, label=title)
        axes.set_title(drift)
        axes.set_xlabel("thousand fixations since")
    _legend(figure, panels)
    panels[0].set_ylabel("accuracy in the new world, percent")
    return figure


def draw_trade(drifts: dict[str, Found], scale: Found) -> Figure:
    """One panel a change, one point a setting: points lost in the old world against points won."""
    shown = {drift: found for drift, found in drifts.items() if found["settings"]}
    figure = Figure(figsize=(max(6, 2.9 * len(shown)), 4.4), layout="constrained")
    panels = figure.subplots(1, len(shown), squeeze=False)[0]
    for axes, (drift, found) in zip(panels, shown.items(), strict=True):
        for number, (name, some) in enumerate(ways_of(found, scale).items()):
            points = ledger(drift, found, some)
            axes.errorbar(
                points.unlearned.mean(),
                points.won.mean(),
                interval(points.won),
                interval(points.unlearned),
                linestyle="none",
                label=name,
                **look(number),
            )
        axes.axhline(0, color=COLOURS[3], linewidth=0.5)
        axes.set_title(drift)
        axes.set_xlabel("forgotten, readout of before")
    panels[0].set_ylabel("won back in the new world, points")
    _legend(figure, panels)
    return figure


def _legend(figure: Figure, panels: Iterable[Axes]) -> None:
    """One for all panels, below them: what a line or point means is the same in each."""
    named = {}
    for axes in panels:
        handles, titles = axes.get_legend_handles_labels()
        named.update(zip(titles, handles, strict=True))
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=4)
