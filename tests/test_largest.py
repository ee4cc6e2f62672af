"""Pools of the largest in an ANN as rectifiers: exact in real numbers, and as rates."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import compiler
from clapp_neuro.errors import InputError
from compiler.frontends.largest import without_largest
from compiler.frontends.rate_coding import rate_coded
from compiler.source import Edge, Graph, Input, MaxPool, Output, Rectifier
from compiler.source.emulate import emulate


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_pool_is_the_rectifiers_that_take_its_place(data: st.DataObject) -> None:
    axes = data.draw(st.integers(1, 2))
    kernel = tuple(data.draw(st.integers(1, 4)) for _ in range(axes))
    stride = tuple(data.draw(st.integers(1, 3)) for _ in range(axes))
    padding = tuple(
        (data.draw(st.integers(0, k - 1)), data.draw(st.integers(0, k - 1))) for k in kernel
    )
    shape = (3, *(k + data.draw(st.integers(0, 5)) for k in kernel))
    rectified = data.draw(st.booleans())
    chain = {"pool": MaxPool(kernel, stride, padding if rectified else ((0, 0),) * axes)}
    if rectified:
        chain["relu"] = Rectifier(largest=data.draw(st.sampled_from([float("inf"), 1.0])))
    nodes = {"input": Input(shape), **chain, "output": Output()}
    names = list(nodes)
    edges = tuple(Edge(a, b) for a, b in itertools.pairwise(names))
    graph = Graph(nodes, edges)
    without, added, violations = without_largest(graph)
    assert not violations and len(added) == sum(k - 1 for k in kernel)
    assert not any(isinstance(node, MaxPool) for node in without.nodes.values())
    x = np.random.default_rng(0).normal(size=(4, *shape))
    wanted, found = (emulate(g, x, 1, np.float64).output(g) for g in (graph, without))
    assert np.allclose(found, wanted, atol=1e-12)


def network() -> Graph:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3),
        nn.MaxPool2d(3, 2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(6 * 3 * 3, 5),
    )
    return compiler.from_torch(net.eval(), torch.rand(1, 1, 14, 14))


def test_an_ann_with_pools_of_the_largest_is_rate_coded() -> None:
    graph, images = network(), np.random.default_rng(0).random((30, 1, 14, 14))
    wanted = emulate(graph, images, 1, np.float64).output(graph)[0]
    spiking = rate_coded(graph, images, steps=256)
    found = emulate(spiking, images, 256, np.float64).output(spiking)[-1] / 256
    assert np.abs(found - wanted).max() < 0.1 * np.abs(wanted).max()
    assert (found.argmax(1) == wanted.argmax(1)).mean() > 0.9
    assert any(note.startswith("2.1.1: threshold") for note in spiking.notes)
    compiled = compiler.compile_network(spiking, "loihi2-sim", steps=8, inputs="intensities")
    assert sum(s.weights.size for s in compiled.program.synapses) < 4000


def test_a_difference_that_is_never_above_zero_is_no_dead_layer() -> None:
    nodes = {"input": Input((1, 2)), "pool": MaxPool((2,), (2,), ((0, 0),)), "relu": Rectifier(),
             "output": Output()}  # fmt: skip
    names = list(nodes)
    graph = Graph(nodes, tuple(Edge(a, b) for a, b in itertools.pairwise(names)))
    images = np.array([[[0.1, 0.5]], [[0.2, 0.9]]])
    spiking = rate_coded(graph, images, steps=64)
    found = emulate(spiking, images, 64, np.float64).output(spiking)[-1] / 64
    assert np.allclose(found.ravel(), [0.5, 0.9], atol=0.03)


def test_padding_of_what_may_lie_below_zero_is_refused() -> None:
    graph = network()
    pool = next(n for n, node in graph.nodes.items() if isinstance(node, MaxPool) and n != "2")
    after = graph.leaving[pool][0].target
    nodes = {n: node for n, node in graph.nodes.items() if n != after}
    edges = [e for e in graph.edges if after not in (e.source, e.target)]
    edges += [replace(e, source=pool) for e in graph.leaving[after]]
    with pytest.raises(InputError, match=f"{pool}: it pads what may lie below zero; put a rect"):
        rate_coded(Graph(nodes, tuple(edges)), np.random.default_rng(0).random((3, 1, 14, 14)))
