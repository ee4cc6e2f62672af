"""The ways from what sends spikes to what receives them, over nodes without memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from compiler.source import Delay, Graph, Input, MaxPool, Neuron, Node, Scale, Threshold
from compiler.source.nodes import Shape

Refuse = Callable[[str, str, str], None]  # node, what is wrong, what would be right


@dataclass(frozen=True)
class Path:
    """Nodes without memory from one that sends to one that receives; delay: steps on the way."""

    source: str
    nodes: tuple[str, ...]
    chain: tuple[Node, ...]
    delay: int


def sends(graph: Graph, name: str) -> bool:
    """Whether a node becomes a population, from which paths begin."""
    return isinstance(graph.nodes[name], Input | Neuron | Threshold | MaxPool)


def paths(graph: Graph, name: str, refuse: Refuse, through: tuple[str, ...] = ()) -> Iterator[Path]:
    """All ways that end on a node; what cannot be one is told to `refuse`."""
    for edge in graph.arriving[name]:
        late, source = int(edge.delayed), edge.source
        node = graph.nodes[source]
        if isinstance(node, Neuron) and not node.spiking:
            refuse(source, "its potential goes into another layer", "use a neuron that spikes")
        if sends(graph, source):
            yield Path(source, (), (), late)
            continue
        if source in through:
            refuse(source, "it lies on a loop without a neuron", "put a neuron there")
            return
        for path in paths(graph, source, refuse, (*through, source)):
            nodes = (*path.nodes, source)
            if isinstance(node, Delay):
                yield from _delays(path, nodes, node, late, graph.shapes[source])
            else:
                yield Path(path.source, nodes, (*path.chain, node), path.delay + late)


def _delays(
    path: Path, nodes: tuple[str, ...], node: Delay, late: int, shape: Shape
) -> Iterator[Path]:
    """A path for each delay, with the elements that have it."""
    every = np.broadcast_to(node.steps, shape)
    for steps in np.unique(every):
        chosen = every == steps
        mask: tuple[Node, ...] = ()
        if not chosen.all():
            mask = (Scale(chosen.astype(float), np.zeros(())),)
        yield Path(path.source, nodes, (*path.chain, *mask), path.delay + late + int(steps))
