"""Edges between named nodes: in which order they are followed, and where they lead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from compiler.source.nodes import Node


@dataclass(frozen=True)
class Edge:
    """What leaves `source` arrives at `target` in the same time step, or with `delayed` the next.

    Before the first step a delayed edge brings what its source would send if no neuron had spiked.
    """

    source: str
    target: str
    delayed: bool = False

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}" + (" (one step later)" if self.delayed else "")


def ordered(nodes: Mapping[str, Node], edges: tuple[Edge, ...]) -> tuple[list[str], list[str]]:
    """Nodes in the order of a time step, and those of a loop without a delay, if there is one."""
    waiting = {n: sum(e.target == n and not e.delayed for e in edges) for n in nodes}
    following: dict[str, list[str]] = {n: [] for n in nodes}
    for e in edges:
        if not e.delayed:
            following[e.source].append(e.target)
    ready = [n for n, count in waiting.items() if count == 0]
    found: list[str] = []
    while ready:
        name = ready.pop(0)
        found.append(name)
        for target in following[name]:
            waiting[target] -= 1
            if waiting[target] == 0:
                ready.append(target)
    left = [n for n in nodes if n not in set(found)]
    if not left:
        return found, []
    walk = [left[0]]
    while True:  # backwards: each node that is left waits for another that is
        before = next(e.source for e in edges if e.target == walk[-1] and e.source in left)
        if before in walk:
            return found, [*walk[walk.index(before) :], before][::-1]
        walk.append(before)


def reached(start: str, steps: Iterable[tuple[str, str]]) -> set[str]:
    """Where steps, each from one node to another, lead; `start` itself only by a loop."""
    onward: dict[str, list[str]] = {}
    for here, there in steps:
        onward.setdefault(here, []).append(there)
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for name in onward.get(waiting.pop(), ()):
            if name not in found:
                found.add(name)
                waiting.append(name)
    return found
