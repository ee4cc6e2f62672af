"""Random source graphs: lowered, written as NIR and as ONNX, they do the same in every step."""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from real_network import run as run_real
from test_to_onnx import run as run_onnx

from compiler.exports.nir import write_nir
from compiler.exports.onnx import write_onnx
from compiler.frontends.lower import lowered
from compiler.frontends.nir.graph import from_nir
from compiler.source import (
    AveragePool,
    Convolution,
    Delay,
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
    SumPool,
    SynapticCurrent,
)
from compiler.source.emulate import emulate
from compiler.source.nodes import Shape

STEPS = 12


@st.composite
def neurons(draw: st.DrawFn, shape: Shape, random: np.random.Generator) -> Neuron:
    sizes = [(), shape, (shape[0], *(1,) * (len(shape) - 1))]

    def values(low: float, high: float) -> np.ndarray:
        return random.uniform(low, high, draw(st.sampled_from(sizes)))

    reset = draw(st.sampled_from(Reset))
    decay = np.ones(()) if draw(st.integers(0, 4)) == 0 else values(0, 0.95)
    leaky = bool((decay < 1).all())
    current = SynapticCurrent(values(0, 0.9), values(0.5, 2)) if draw(st.booleans()) else None
    return Neuron(
        decay,
        values(0.5, 2),
        values(-0.2, 0.2) if leaky and draw(st.booleans()) else np.zeros(()),
        values(0.3, 1.5),
        reset,
        values(-0.2, 0.2) if reset is Reset.ZERO_AT_ONCE else np.zeros(()),
        initial=values(-0.1, 0.1) if draw(st.booleans()) else np.zeros(()),
        current=current if leaky else None,
    )


@st.composite
def layers(draw: st.DrawFn, shape: Shape, random: np.random.Generator) -> list[Node]:
    """Nodes without memory that fit a shape."""
    pair = st.tuples(st.integers(1, 2), st.integers(1, 2))
    bias = draw(st.booleans())
    if len(shape) == 1:
        out = draw(st.integers(2, 5))
        return [
            Linear(random.normal(size=(out, shape[0])), random.normal(size=out) if bias else None)
        ]
    kind = draw(st.sampled_from(["convolution", "pool", "flat", "scale"]))
    if kind == "flat":
        return [Reshape((int(np.prod(shape)),))]
    if kind == "scale":
        return [Scale(random.uniform(0.5, 2, (shape[0], 1, 1)), np.zeros(()))]
    size = tuple(min(k, n) for k, n in zip(draw(pair), shape[1:], strict=True))
    if kind == "pool":
        pool = draw(st.sampled_from([SumPool, AveragePool]))
        return [pool(size, draw(pair), ((0, 0), (0, 0)))]
    groups = draw(st.sampled_from([1, shape[0]]))
    out = groups * draw(st.integers(1, 2))
    kernel = random.normal(size=(out, shape[0] // groups, *(2 * k - 1 for k in size)))
    padding = tuple((p, p) for p in (k - 1 for k in size))
    own = random.normal(size=out) if bias else None
    return [Convolution(kernel, own, draw(pair), padding, (1, 1), groups)]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    shape: Shape = draw(st.sampled_from([(3,), (2, 4, 3), (1, 3, 5)]))
    nodes: dict[str, Node] = {"input": Input(shape)}
    back: list[Edge] = []
    for number in range(draw(st.integers(1, 3))):
        for node in draw(layers(shape, random)):
            nodes[f"{number}.{type(node).__name__}"] = node
            shape = node.output_shape(shape)
        if draw(st.integers(0, 4)) == 0:
            nodes[f"{number}.delay"] = Delay(random.integers(0, 3, shape))
        name = f"{number}.neuron"
        nodes[name] = draw(neurons(shape, random))
        if len(shape) == 1 and draw(st.booleans()):
            weights = random.normal(size=(shape[0], shape[0])) * 0.5
            back += [Edge(name, f"{number}.back", delayed=True), Edge(f"{number}.back", name)]
            nodes[f"{number}.back"] = Linear(weights, random.normal(size=shape[0]) * 0.2)
    path = [n for n in nodes if not n.endswith(".back")]
    nodes["output"] = Output()
    edges = (*(Edge(a, b) for a, b in pairwise([*path, "output"])), *back)
    return Graph(nodes, edges, steps=STEPS)


def shown(graph: Graph) -> np.ndarray:
    shape = STEPS, 1, *graph.shapes["input"]
    return (np.random.default_rng(0).random(shape) < 0.5).astype(float)


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_lowering_changes_nothing(graph: Graph) -> None:
    x = shown(graph)
    wanted = emulate(graph, x, dtype=np.float64).output(graph).reshape(STEPS, -1)
    network, violations = lowered(graph)
    if network is None:
        assert all("a bias comes through a delay" in v.what for v in violations)
        return
    found = run_real(network, x.reshape(STEPS, -1))[network.provenance["output"]]
    assert np.allclose(found, wanted, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(graphs())
def test_nir_out_and_in_changes_nothing(graph: Graph) -> None:
    x = shown(graph)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "g.nir")
        write_nir(path, graph, 1e-3)
        again = from_nir(path)
    both = [emulate(g, x, dtype=np.float64) for g in (graph, again)]
    assert np.array_equal(both[0].output(graph), both[1].output(again))
    assert again.steps == STEPS


@settings(max_examples=40, deadline=None)
@given(graphs())
def test_onnx_does_the_same(graph: Graph) -> None:
    if any(isinstance(n, Delay) for n in graph.nodes.values()):
        return
    x = shown(graph).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "g.onnx")
        made = write_onnx(path, graph)
        found = run_onnx(path, made, x)
    wanted = emulate(graph, x).output(graph)
    assert np.mean(found != wanted) <= 0.02  # sums of products are rounded in another order
