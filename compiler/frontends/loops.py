"""Where the loops of a graph without time steps are cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from compiler.source import Edge, Input, Neuron, Node
from compiler.source.edges import reached


def cut(nodes: dict[str, Node], edges: tuple[Edge, ...]) -> Iterator[Edge]:
    """Delays the edges that close a loop: those that lead back towards the input.

    What comes back is what a neuron sent one step earlier, so the delay is moved up to where it
    leaves a neuron, as far as nothing else hangs on the way.
    """
    distance: dict[str, int] = {n: 0 for n, node in nodes.items() if isinstance(node, Input)}
    waiting = list(distance)
    while waiting:
        name = waiting.pop(0)
        for e in edges:
            if e.source == name and e.target not in distance:
                distance[e.target] = distance[name] + 1
                waiting.append(e.target)
    ahead = [(e.source, e.target) for e in edges]
    reach = {n: reached(n, ahead) for n in nodes}
    back = set()
    for e in edges:
        loops = e.source in reach[e.target] or e.source == e.target
        if loops and distance.get(e.target, 0) <= distance.get(e.source, 0):
            back.add(_up_to_a_neuron(e, nodes, edges))
    for e in edges:
        yield replace(e, delayed=e in back)


def _up_to_a_neuron(edge: Edge, nodes: dict[str, Node], edges: tuple[Edge, ...]) -> Edge:
    while not isinstance(nodes[edge.source], Neuron):
        before = [e for e in edges if e.target == edge.source]
        beside = [e for e in edges if e.source == edge.source]
        if len(before) != 1 or len(beside) != 1:
            return edge
        edge = before[0]
    return edge
