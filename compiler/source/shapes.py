"""The shape of what leaves each node of a graph."""

from __future__ import annotations

from collections.abc import Mapping

from compiler.source.edges import Edge
from compiler.source.nodes import Node, Shape, ShapeError
from compiler.source.violations import Violation


def infer_shapes(
    nodes: Mapping[str, Node], edges: tuple[Edge, ...], unsound: frozenset[str] = frozenset()
) -> tuple[dict[str, Shape], tuple[Violation, ...]]:
    """Shapes of what leaves each node, and where something that arrives does not fit.

    Nothing is said of `unsound` nodes, nor of what only they lead to.
    """
    shapes: dict[str, Shape] = {}
    found: list[Violation] = []
    before = {n: [e.source for e in edges if e.target == n] for n in nodes}
    waiting = [n for n in nodes if n not in unsound]
    while True:
        known = [n for n in waiting if not before[n] or any(s in shapes for s in before[n])]
        if not known:
            break
        for name in known:
            waiting.remove(name)
            first = next((s for s in before[name] if s in shapes), None)
            try:
                shapes[name] = nodes[name].output_shape(shapes[first] if first else ())
            except ShapeError as error:
                what, _, remedy = str(error).partition(": ")
                found.append(Violation(name, what, remedy))
    for name, sources in before.items():
        brought = {s: shapes[s] for s in sources if s in shapes}
        if len(set(brought.values())) > 1:
            what = ", ".join(f"{s} brings {shape}" for s, shape in brought.items())
            found.append(Violation(name, what, "bring the same shape along all edges"))
    return shapes, tuple(found)
