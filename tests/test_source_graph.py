"""The source graph: shapes as PyTorch has them, soundness as a whole, operations as PyTorch's."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from clapp_neuro.errors import InputError
from compiler.source import (
    AveragePool,
    Convolution,
    Delay,
    Edge,
    Graph,
    Input,
    Linear,
    MaxPool,
    Neuron,
    Node,
    Output,
    Reshape,
    Scale,
    SumPool,
    Threshold,
)
from compiler.source.emulate import emulate
from compiler.source.fold import fold_scales

ONE, ZERO = np.ones(()), np.zeros(())


def sequence(shape: tuple[int, ...], *nodes: Node) -> Graph:
    names = [str(n) for n in range(len(nodes))]
    every = {"input": Input(shape), **dict(zip(names, nodes, strict=True)), "output": Output()}
    path = list(every)
    edges = tuple(Edge(a, b) for a, b in pairwise(path))
    return Graph(every, edges)


def once(graph: Graph, x: np.ndarray) -> np.ndarray:
    return emulate(graph, x[None], dtype=np.float64).output(graph)[0]


sides = st.integers(1, 3)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 2))
def test_convolutions_are_those_of_torch(data: st.DataObject, axes: int) -> None:
    groups = data.draw(st.integers(1, 3))
    taken, given_out = (data.draw(st.integers(1, 2)) for _ in range(2))
    kernel, stride, dilation, padding = (
        tuple(data.draw(st.integers(low, 3)) for _ in range(axes)) for low in (1, 1, 1, 0)
    )
    space = tuple(
        data.draw(st.integers(d * (k - 1) + 1, 9)) for k, d in zip(kernel, dilation, strict=True)
    )
    random = np.random.default_rng(0)
    weight = random.normal(size=(given_out * groups, taken, *kernel))
    bias = random.normal(size=given_out * groups)
    x = random.normal(size=(2, taken * groups, *space))
    node = Convolution(weight, bias, stride, tuple((p, p) for p in padding), dilation, groups)
    graph = sequence(x.shape[1:], node)
    convolve: Any = functional.conv1d if axes == 1 else functional.conv2d
    wanted = convolve(
        *map(torch.from_numpy, (x, weight, bias)), stride, padding, dilation, groups
    ).numpy()
    assert graph.shapes["0"] == wanted.shape[1:]
    assert np.allclose(once(graph, x), wanted)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(["average", "bare average", "divided", "sum", "max"]))
def test_pools_are_those_of_torch(data: st.DataObject, kind: str) -> None:
    kernel, stride = (tuple(data.draw(sides) for _ in range(2)) for _ in range(2))
    padding = tuple(data.draw(st.integers(0, k // 2)) for k in kernel)
    x = np.random.default_rng(1).normal(size=(2, 3, data.draw(st.integers(3, 8)), 7))
    shape = kernel, stride, tuple((p, p) for p in padding)
    tensor = torch.from_numpy(x)
    node: Node
    if kind == "max":
        node, wanted = MaxPool(*shape), functional.max_pool2d(tensor, kernel, stride, padding)
    elif kind == "sum":
        node = SumPool(*shape)
        wanted = functional.avg_pool2d(tensor, kernel, stride, padding, divisor_override=1)
    else:
        own: dict[str, Any] = {
            "average": {},
            "bare average": {"count_include_pad": False},
            "divided": {"divisor_override": 3},
        }[kind]
        wanted = functional.avg_pool2d(tensor, kernel, stride, padding, **own)
        node = AveragePool(*shape, kind != "bare average", own.get("divisor_override"))
    graph = sequence(x.shape[1:], node)
    assert graph.shapes["0"] == tuple(wanted.shape[1:])
    assert np.allclose(once(graph, x), wanted.numpy())


def test_kernels_are_not_turned() -> None:
    weight = np.arange(9.0).reshape(1, 1, 3, 3)
    graph = sequence((1, 3, 3), Convolution(weight, None, (1, 1), ((1, 1),) * 2, (1, 1)))
    for place in range(9):
        x = np.zeros((1, 1, 3, 3))
        x.flat[place] = 1
        wanted = functional.conv2d(torch.from_numpy(x), torch.from_numpy(weight), padding=1)
        assert np.array_equal(once(graph, x), wanted.numpy())


def test_delays_are_of_each_element() -> None:
    graph = sequence((3,), Delay(np.array([0, 1, 3])))
    x = np.arange(1.0, 16.0).reshape(5, 1, 3)
    sent = emulate(graph, x, dtype=np.float64).output(graph)[:, 0]
    assert np.array_equal(sent[:, 0], x[:, 0, 0])
    assert np.array_equal(sent[:, 1], [0, *x[:4, 0, 1]])
    assert np.array_equal(sent[:, 2], [0, 0, 0, *x[:2, 0, 2]])


def test_a_delayed_edge_brings_first_what_its_source_sends_for_silence() -> None:
    neuron = Neuron(ZERO, ONE, ZERO, np.full((), 0.5))
    nodes = {
        "input": Input((1,)),
        "neuron": neuron,
        "back": Linear(np.array([[2.0]]), np.array([-1.0])),
        "output": Output(),
    }
    edges = (
        Edge("input", "neuron"),
        Edge("neuron", "back"),
        Edge("back", "neuron", delayed=True),
        Edge("neuron", "output"),
    )
    graph = Graph(nodes, edges)
    assert emulate(graph, np.full((3, 1, 1), 2.0)).membrane["neuron"].ravel().tolist() == [1, 3, 3]


def test_scales_fold_into_weights_and_change_nothing() -> None:
    random = np.random.default_rng(2)
    graph = sequence(
        (2, 5, 5),
        Scale(np.array([2.0, -1.0])[:, None, None], ZERO),
        Convolution(random.normal(size=(3, 2, 3, 3)), None, (1, 1), ((0, 0),) * 2, (1, 1)),
        Scale(random.normal(size=(3, 1, 1)), random.normal(size=(3, 1, 1))),
        Reshape((27,)),
        Linear(random.normal(size=(4, 27))),
        Threshold(np.full((), 0.1)),
    )
    folded = fold_scales(graph)
    x = random.normal(size=(3, 2, 5, 5))
    assert not any(isinstance(n, Scale) for n in folded.nodes.values())
    assert np.array_equal(once(folded, x), once(graph, x))


def test_all_that_is_unsound_is_said_at_once() -> None:
    nodes = {
        "input": Input((4,)),
        "dense": Linear(np.ones((3, 5))),
        "broken": Linear(np.array([[np.inf]])),
        "decaying": Neuron(np.full((), 1.5), ONE, ZERO, ONE),
        "lonely": Reshape((2,)),
        "output": Output(),
    }
    edges = (Edge("input", "dense"), Edge("dense", "output"), Edge("input", "nowhere"))
    with pytest.raises(InputError) as refused:
        Graph(nodes, edges)
    for part in ("there is no node 'nowhere'", "broken: weight[0, 0] is inf", "decaying: decay is"):
        assert part in str(refused.value)
    with pytest.raises(InputError, match=r"dense: weight takes 5 inputs, 4 arrive; flatten"):
        Graph({k: nodes[k] for k in ("input", "dense", "output")}, edges[:2])


def test_a_loop_that_no_input_enters_is_refused() -> None:
    nodes = {"input": Input((1,)), "a": Reshape((1,)), "b": Reshape((1,)), "output": Output()}
    edges = (Edge("input", "output"), Edge("a", "b"), Edge("b", "a", delayed=True))
    with pytest.raises(InputError, match="a: nothing leads to it but a loop") as refused:
        Graph(nodes, edges)
    assert "b: nothing leads to it but a loop" in str(refused.value)


def test_a_loop_without_a_delay_is_refused() -> None:
    nodes = {"input": Input((1,)), "a": Reshape((1,)), "b": Reshape((1,)), "output": Output()}
    edges = (Edge("input", "a"), Edge("a", "b"), Edge("b", "a"), Edge("b", "output"))
    with pytest.raises(InputError, match=r"loop without a delay: (a -> b -> a|b -> a -> b)"):
        Graph(nodes, edges)
    again = Graph(nodes, (*edges[:2], Edge("b", "a", delayed=True), edges[3]))
    assert again.order == ("input", "a", "b", "output")
