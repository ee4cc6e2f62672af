"""A network of the compiler as a source graph: its inference part, for other tools.

Populations become nodes, projections onto somata the weights between them. Intensities become
numbers from 0 to 1, the same in every step. What only serves learning (dendrites, comparators,
averages) is left out; the rules are given back as texts.
"""

from __future__ import annotations

import numpy as np

from compiler.connectivity import kernel_of, windows
from compiler.ir import Compartment, Network, Population, Projection
from compiler.ir import Neuron as Soma
from compiler.padding import padded_alike
from compiler.source import (
    Convolution,
    Edge,
    Graph,
    Input,
    Linear,
    Neuron,
    Node,
    Output,
    Reset,
    Reshape,
    Scale,
    SynapticCurrent,
)
from compiler.source.violations import Violation, refuse
from compiler.terms import Connection, per_neuron

OUTPUT = "output"


def raised(network: Network, source: str) -> Graph:
    """The graph of what a network computes; the last population is its output.

    Raises InputError for populations and projections that have no node, by name.
    """
    violations: list[Violation] = []
    nodes: dict[str, Node] = {}
    edges: list[Edge] = []
    kept = [p for p in network.populations if _computes(network, p)]
    for p in kept:
        if p.neuron is None:
            nodes[p.name] = Input(_shape(p))
        elif isinstance(p.neuron, Soma):
            nodes[p.name] = _neuron(p, p.neuron)
        else:
            kind = type(p.neuron).__name__
            remedy = "export a network without pooling"
            violations.append(Violation(p.name, f"{kind} has no node in other tools", remedy))
    for q in network.projections:
        if q.compartment is not Compartment.SOMA or not {q.source, q.target} <= nodes.keys():
            continue
        if q.delay > 1:
            violations.append(Violation(q.name, f"it is delayed by {q.delay}", "export without"))
        _connect(network, q, nodes, edges)
    nodes[OUTPUT] = Output()
    edges.append(Edge(kept[-1].name, OUTPUT))
    refuse(f"{source} for other tools", tuple(violations))
    steps = network.schedule.steps
    notes = tuple(
        f"{k}: left out, other tools do not learn by it: {v}" for k, v in rules(network).items()
    )
    return Graph(nodes, tuple(edges), notes, steps, {"source": source})


def rules(network: Network) -> dict[str, str]:
    """The rule of each plastic projection, in words."""
    return {q.name: str(q.rule) for q in network.projections if q.rule is not None}


def _computes(network: Network, p: Population) -> bool:
    """Whether it takes part in inference: what only adds up for learning drives nothing."""
    return (
        p.neuron is None
        or isinstance(p.neuron, Soma)
        or any(
            q.source == p.name and q.compartment is Compartment.SOMA and q.target != p.name
            for q in network.projections
        )
    )


def _shape(p: Population) -> tuple[int, ...]:
    return p.shape or (p.size,)


def _connect(network: Network, q: Projection, nodes: dict[str, Node], edges: list[Edge]) -> None:
    """Weights between two populations; an input's scale stays with the weights that it drives."""
    source, target = network.population(q.source), network.population(q.target)
    scale = source.scale * (source.largest if source.graded else 1)
    weights = q.weights * scale
    last = q.source
    late = q.delay == 1
    if q.connection is Connection.CONVOLUTION:
        node: Node = _convolution(q, weights, source, target)
    elif q.connection is Connection.ONE_TO_ONE:
        node = Scale(weights.reshape(_shape(target)), np.zeros(()))
    else:
        if len(_shape(source)) > 1:
            nodes[f"{q.name}.flat"] = Reshape((source.size,))
            edges.append(Edge(last, f"{q.name}.flat", late))
            last, late = f"{q.name}.flat", False
        node = Linear(weights)
    nodes[q.name] = node
    edges.append(Edge(last, q.name, late))
    last = q.name
    if q.connection is Connection.ALL_TO_ALL and len(_shape(target)) > 1:
        nodes[f"{q.name}.map"] = Reshape(_shape(target))
        edges.append(Edge(last, f"{q.name}.map"))
        last = f"{q.name}.map"
    edges.append(Edge(last, q.target))


def _convolution(
    q: Projection, weights: np.ndarray, source: Population, target: Population
) -> Convolution:
    along = windows(q.connection, kernel_of(weights.shape), q.geometry)
    assert along is not None, "kernels have windows"
    weights, padding, dilation = padded_alike(weights, along, source.map, target.map)
    around = tuple((p, p) for p in padding)
    return Convolution(weights, None, q.geometry.stride, around, dilation, q.geometry.groups)


def _neuron(p: Population, soma: Soma) -> Neuron:
    shape = _shape(p)

    def each(values: object) -> np.ndarray:
        return np.asarray(per_neuron(values, p.map), np.float64).reshape(shape)  # type: ignore[arg-type]

    current = None
    if soma.current_decay is not None:
        current = SynapticCurrent(each(soma.current_decay), np.ones(()))
    return Neuron(
        each(soma.decay),
        np.ones(()),
        each(p.bias) if p.bias else np.zeros(()),
        None if soma.threshold is None else each(soma.threshold),
        Reset(soma.reset),
        initial=each(soma.start),
        current=current,
    )
