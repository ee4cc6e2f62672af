"""Accuracy over the time since the world changed, in the new world and in the old one."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from clapp_neuro.reproduce.figures import look

Way = tuple[str, Sequence[int], Sequence[float], Sequence[float]]
"""Title, fixations since the change, accuracy in the new world and in the old one."""


def draw_courses(drift: str, before: float, after: float, ways: Sequence[Way]) -> Figure:
    """One colour a way to learn; the new world drawn through, the old one dashed."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    last = max(fixations[-1] for _, fixations, _, _ in ways)
    for accuracy, title, style in (
        (before, "old world, before", (0, (1, 1))),
        (after, "new world, frozen", (0, (4, 1, 1, 1))),
    ):
        axes.plot([0, last], [accuracy] * 2, color="black", linestyle=style, label=title)
    for number, (title, fixations, new, old) in enumerate(ways):
        x = [0, *fixations]
        axes.plot(x, [after, *new], "-", **look(number), label=f"{title}: new world")
        axes.plot(x, [before, *old], "--", **look(number), label=f"{title}: old world")
    axes.set_xlabel("fixations since the change")
    axes.set_ylabel("accuracy of the readout, top layer")
    axes.set_title(drift)
    axes.legend(fontsize="small")
    return figure
