"""Accuracy over the time since the world changed, in the new world and in the old one."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clapp_neuro.reproduce.figures import look

Way = tuple[str, Sequence[int], Sequence[float], Sequence[float]]
"""Title, fixations since the change, accuracy in percent in the new world and in the old one."""


def draw_courses(drift: str, before: float, after: float, ways: Sequence[Way]) -> Figure:
    """New world and old world beside each other, one colour a way to learn, in percent.

    before, after: accuracy in the old world and in the new one when the world changes.
    """
    figure = Figure(figsize=(8, 4), layout="constrained")
    new, old = figure.subplots(1, 2, sharey=True)
    last = max(fixations[-1] for _, fixations, _, _ in ways)
    for number, (title, fixations, in_new, in_old) in enumerate(ways):
        new.plot([0, *fixations], [after, *in_new], "-", **look(number), label=title)
        old.plot([0, *fixations], [before, *in_old], "-", **look(number))
    _level(new, last, before, "old world, before the change", ":")
    _level(new, last, after, "frozen chip", "--")
    _level(old, last, before, None, "--")
    for axes, title in ((new, f"new world: {drift}"), (old, "old world")):
        axes.set_title(title)
        axes.set_xlabel("fixations since the change")
        axes.xaxis.set_major_formatter("{x:,.0f}")
    new.set_ylabel("accuracy, top layer, percent")
    figure.legend(loc="outside lower center", ncols=2, fontsize="small")
    return figure


def _level(axes: Axes, last: int, accuracy: float, title: str | None, style: str) -> None:
    axes.plot([0, last], [accuracy] * 2, color="black", linestyle=style, label=title)
