"""Pools of the largest in an ANN, as rectifiers: what rates can stand for.

    max(a, b) = b + relu(a - b)

exactly, so the largest of a window is found tap by tap, first along rows, then along columns. Each
difference is a rectifier of its own, which becomes a neuron; what is added is a convolution of one
tap. A pool before a rectifier changes places with it, as both leave the order of numbers alone.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from compiler.source import (
    AveragePool,
    Convolution,
    Edge,
    Graph,
    Input,
    MaxPool,
    Node,
    Rectifier,
    Reshape,
    Scale,
    SumPool,
)
from compiler.source.nodes import Shape
from compiler.source.violations import Violation

ORDERLY = (Input, Rectifier)  # send nothing below zero; images go from 0 to 1
KEEPING = (MaxPool, AveragePool, SumPool, Reshape)  # send nothing below zero if they hear nothing
ONE, ZERO = np.ones(()), np.zeros(())


def without_largest(graph: Graph) -> tuple[Graph, tuple[str, ...], tuple[Violation, ...]]:
    """The same without pools of the largest, the rectifiers that it got, and what is in the way.

    Off the map there are zeros for a convolution and nothing for a pool, which is the same where
    nothing lies below zero; a pool that pads other numbers is a violation, and stays.
    """
    pools = [name for name in graph.order if isinstance(graph.nodes[name], MaxPool)]
    for name in pools:
        graph = _after_its_rectifier(graph, name)
    differences: list[str] = []
    violations: list[Violation] = []
    for name in pools:
        node = graph.nodes[name]
        assert isinstance(node, MaxPool)
        if any(map(any, node.padding)) and not _above_zero(graph, name):
            what = "it pads what may lie below zero"
            violations.append(Violation(name, what, "put a rectifier before it, or do not pad"))
            continue
        graph, found = _unfolded(graph, name, node)
        differences += found
    return graph, tuple(differences), tuple(violations)


def _after_its_rectifier(graph: Graph, name: str) -> Graph:
    """The pool and the rectifier that alone hears it, the other way round."""
    leaving = graph.leaving[name]
    after = leaving[0].target
    heard = graph.arriving[after]
    alone = len(leaving) == len(heard) == 1 and not leaving[0].delayed
    if not alone or not isinstance(graph.nodes[after], Rectifier):
        return graph
    edges = [e for e in graph.edges if e != leaving[0]]
    edges = [
        replace(e, target=after)
        if e.target == name
        else (replace(e, source=name) if e.source == after else e)
        for e in edges
    ]
    return replace(graph, edges=(*edges, Edge(after, name)))


def _above_zero(graph: Graph, name: str) -> bool:
    """Whether nothing below zero arrives at a node."""
    sources = [(e.source, graph.nodes[e.source]) for e in graph.arriving[name]]
    return all(
        isinstance(node, ORDERLY) or (isinstance(node, KEEPING) and _above_zero(graph, source))
        for source, node in sources
    )


def _unfolded(graph: Graph, name: str, pool: MaxPool) -> tuple[Graph, list[str]]:
    """The pool as rectifiers of differences, axis by axis; its result keeps the name."""
    channels = graph.shape_of_input(name)[0]
    nodes: dict[str, Node] = {n: node for n, node in graph.nodes.items() if n != name}
    edges = [e for e in graph.edges if e.target != name]
    heard = list(graph.arriving[name])
    differences = []
    for axis in reversed(range(len(pool.kernel))):
        result = f"{name}.{axis}" if axis else name
        width, before = pool.kernel[axis], None
        for tap in range(1, width):
            difference, rectifier = f"{name}.{axis}.{tap}.difference", f"{name}.{axis}.{tap}"
            nodes[difference] = _taps(pool, axis, channels, {tap - 1: 1.0, tap: -1.0})
            nodes[rectifier] = Rectifier()
            edges += [replace(e, target=difference) for e in heard]
            edges.append(Edge(difference, rectifier))
            if before is not None:
                edges.append(Edge(before, rectifier))
            before = rectifier
            differences.append(rectifier)
        nodes[f"{result}.last"] = _taps(pool, axis, channels, {width - 1: 1.0})
        nodes[result] = Scale(ONE, ZERO)
        edges += [replace(e, target=f"{result}.last") for e in heard]
        edges.append(Edge(f"{result}.last", result))
        if before is not None:
            edges.append(Edge(before, result))
        heard = [Edge(result, name)]
    return replace(graph, nodes=nodes, edges=tuple(edges)), differences


def _taps(pool: MaxPool, axis: int, channels: int, weights: dict[int, float]) -> Convolution:
    """Each channel by itself through some taps of a window along one axis."""
    axes = len(pool.kernel)

    def along(value: int, otherwise: int) -> Shape:
        return tuple(value if a == axis else otherwise for a in range(axes))

    kernel = np.zeros(pool.kernel[axis])
    kernel[list(weights)] = list(weights.values())
    return Convolution(
        np.tile(kernel.reshape(along(-1, 1)), (channels, 1, *(1,) * axes)),
        None,
        along(pool.stride[axis], 1),
        tuple(pool.padding[axis] if a == axis else (0, 0) for a in range(axes)),
        along(1, 1),
        channels,
    )
