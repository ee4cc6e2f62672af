"""The levels of populations: how many steps each is behind the input."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

from compiler.frontends.paths import Refuse
from compiler.ir import Population, Projection


def levelled(
    populations: dict[str, Population],
    projections: list[Projection],
    always: Set[str],
    refuse: Refuse,
) -> dict[str, Population]:
    """The lowest levels at which everything arrives in its step: delays make up for climbs.

    always: neurons that hear nothing and may lie at level 0. What arrives too late, or skips a
    layer that it may not skip, is told to `refuse`.
    """
    level = {n: int(n not in always and p.neuron is not None) for n, p in populations.items()}
    for _ in range(len(level)):
        before = dict(level)
        for q in projections:
            level[q.target] = max(level[q.target], level[q.source] + 1 - q.delay)
        if level == before:
            break
    for q in projections:
        climbs = level[q.target] - level[q.source]
        if q.delay + climbs < 1:
            refuse(
                q.target,
                f"{q.source} feeds back over {-climbs} layers after {q.delay} step",
                f"a layer is a step behind the one below it: delay it by {1 - climbs} steps",
            )
        if populations[q.source].graded and climbs != 1:
            refuse(
                q.target,
                f"the intensities of {q.source} skip a layer",
                "show them step by step (--inputs graded), or feed the first layer only",
            )
    return {n: replace(p, level=level[n]) for n, p in populations.items()}
