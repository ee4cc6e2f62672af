"""Folds scales (batch norm, factors) into the weights beside them; nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from compiler.source.edges import Edge
from compiler.source.graph import Graph
from compiler.source.nodes import Convolution, Linear, Node, Output, Scale


def fold_scales(graph: Graph) -> Graph:
    """The same graph without scales that follow on weights alone, or lead to nothing but weights.

    A scale after weights is folded whatever it does; one before them where it has no offset and,
    before a convolution, one value a channel.
    """
    while True:
        for name, node in graph.nodes.items():
            if isinstance(node, Scale):
                folded = (
                    _nothing(graph, name, node)
                    or _after(graph, name, node)
                    or _before(graph, name, node)
                )
                if folded is not None:
                    graph = folded
                    break
        else:
            return graph


def _nothing(graph: Graph, name: str, scale: Scale) -> Graph | None:
    """Without a scale of 1: what went in arrives where its result did."""
    if scale.offset.any() or (scale.scale != 1).any():
        return None
    if any(isinstance(graph.nodes[e.target], Output) for e in graph.leaving[name]):
        return None  # a result is one value: it stays where several add up
    edges = tuple(
        replace(e, source=a.source, delayed=e.delayed or a.delayed)
        for e in graph.leaving[name]
        for a in graph.arriving[name]
    )
    if any(e.delayed for e in graph.arriving[name]) or len(set(edges)) != len(edges):
        return None
    others = tuple(e for e in graph.edges if name not in (e.source, e.target))
    if set(others) & set(edges):
        return None
    nodes = {n: node for n, node in graph.nodes.items() if n != name}
    return replace(graph, nodes=nodes, edges=(*others, *edges))


def _after(graph: Graph, name: str, scale: Scale) -> Graph | None:
    arriving = graph.arriving[name]
    if len(arriving) != 1 or arriving[0].delayed:
        return None
    before = arriving[0].source
    node = graph.nodes[before]
    if not isinstance(node, Linear | Convolution) or len(graph.leaving[before]) != 1:
        return None
    axes = node.axes if isinstance(node, Convolution) else 0
    channels = node.weight.shape[0]
    factor = by_channel(scale.scale, channels, axes)
    offset = by_channel(scale.offset, channels, axes)
    if factor is None or offset is None:
        return None
    bias = factor * (0 if node.bias is None else node.bias) + offset
    weight = node.weight * factor.reshape(-1, *(1,) * (node.weight.ndim - 1))
    folded = replace(node, weight=weight, bias=bias if bias.any() else None)
    edges = tuple(
        replace(e, source=before) if e.source == name else e
        for e in graph.edges
        if e.target != name
    )
    return _without(graph, name, {before: folded}, edges)


def _before(graph: Graph, name: str, scale: Scale) -> Graph | None:
    leaving = graph.leaving[name]
    targets = {e.target: graph.nodes[e.target] for e in leaving}
    if scale.offset.any() or not all(
        isinstance(n, Linear | Convolution) and len(graph.arriving[t]) == 1
        for t, n in targets.items()
    ):
        return None
    folded: dict[str, Node] = {}
    for target, node in targets.items():
        assert isinstance(node, Linear | Convolution)
        if isinstance(node, Convolution) and node.groups != 1 and scale.scale.size != 1:
            return None
        axes = node.axes if isinstance(node, Convolution) else 0
        factor = by_channel(scale.scale, node.weight.shape[1], axes)
        if factor is None:
            return None
        weight = node.weight * factor.reshape(1, -1, *(1,) * axes)
        folded[target] = replace(node, weight=weight)
    if len(graph.shapes[name]) > 1 and any(isinstance(n, Linear) for n in targets.values()):
        return None
    edges = tuple(
        replace(e, source=a.source, delayed=e.delayed or a.delayed)
        for e in leaving
        for a in graph.arriving[name]
    )
    others = tuple(e for e in graph.edges if name not in (e.source, e.target))
    return _without(graph, name, folded, (*others, *edges))


def _without(graph: Graph, name: str, changed: dict[str, Node], edges: tuple[Edge, ...]) -> Graph:
    nodes = {n: changed.get(n, node) for n, node in graph.nodes.items() if n != name}
    notes = (*graph.notes, f"{name}: folded into {', '.join(changed)}")
    return replace(graph, nodes=nodes, edges=edges, notes=notes)


def by_channel(array: np.ndarray, channels: int, axes: int) -> np.ndarray | None:
    """The array as (channels,), where it says the same at each position; else None."""
    if array.size == 1:
        return np.full(channels, float(array.ravel()[0]))
    if array.ndim == axes + 1 and array.shape[0] == channels:
        flat = array.reshape(channels, -1)
        return flat[:, 0] if (flat == flat[:, :1]).all() else None
    return None
