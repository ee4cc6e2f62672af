"""Lowering changes nothing: network and graph send the same spikes in every step, or it refuses."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import norse.torch as norse
import numpy as np
import pytest
import snntorch as snn
import torch
from norse.torch.functional.lif import LIFParameters
from real_network import run
from torch import nn

import compiler
from clapp_neuro.errors import InputError
from compiler.backends.simulator import trace
from compiler.frontends.compile_source import stimulus
from compiler.frontends.lower import lower
from compiler.ir import Population
from compiler.source import Delay, Edge, Graph, Input, Linear, MaxPool, Neuron, Output, Threshold
from compiler.source.emulate import emulate
from compiler.terms import Connection

STEPS = 25
ONE, ZERO = np.ones(()), np.zeros(())


def spike_trains(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random((STEPS, 1, *shape)) < 0.4).astype(float)


def require_same(graph: Graph) -> tuple[Population, ...]:
    """Runs graph and network side by side; gives the populations."""
    x = spike_trains(graph.shapes["input"])
    wanted = emulate(graph, x, dtype=np.float64).output(graph).reshape(STEPS, -1)
    network = lower(graph, STEPS)
    found = run(network, x.reshape(STEPS, -1))[network.provenance["output"]]
    assert np.allclose(found, wanted, atol=1e-9)
    assert wanted.any()
    return network.populations


def hidden(kind: str, **settings: Any) -> nn.Module:
    return getattr(snn, kind)(beta=0.85, init_hidden=True, **settings)


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("delay", [True, False])
@pytest.mark.parametrize("kind", ["Leaky", "Synaptic", "RLeaky"])
def test_neurons_of_snntorch(kind: str, reset: str, delay: bool) -> None:
    torch.manual_seed(0)
    settings: dict[str, Any] = {"reset_mechanism": reset, "reset_delay": delay}
    settings |= {"Synaptic": {"alpha": 0.6}, "RLeaky": {"linear_features": 6}}.get(kind, {})
    net = nn.Sequential(nn.Linear(5, 6), hidden(kind, **settings), nn.Linear(6, 3), hidden("Leaky"))
    populations = require_same(compiler.from_snntorch(net, torch.rand(1, 5)))
    assert ("1.always" in [p.name for p in populations]) == (kind == "Synaptic")


@pytest.mark.parametrize(
    "cell",
    [
        norse.LIFCell(
            LIFParameters(
                v_leak=torch.tensor(0.1),
                v_th=torch.linspace(0.2, 0.4, 6),
                v_reset=torch.tensor(-0.2),
            )
        ),
        norse.LIFBoxCell(),
        norse.IAFCell(),
        norse.LICell(),
    ],
)
def test_neurons_of_norse(cell: nn.Module) -> None:
    torch.manual_seed(1)
    net = norse.SequentialState(nn.Linear(5, 6), cell)
    with torch.no_grad():
        net[0].weight.mul_(6)
    require_same(compiler.from_norse(net, torch.rand(1, 5)))


@pytest.mark.parametrize(
    ("layer", "kernels"),
    [
        (nn.Conv2d(2, 3, 3, padding=1), True),
        (nn.Conv2d(2, 4, (3, 5), padding="same", groups=2), True),
        (nn.Conv2d(2, 3, 3, padding=2, dilation=2, bias=False), True),
        (nn.Conv2d(2, 3, 2, padding="same"), True),
        (nn.Conv2d(2, 3, 3), True),
        (nn.Conv2d(2, 3, 3, stride=2, padding=1), True),
        (nn.Conv2d(2, 4, (3, 2), stride=(1, 3), padding=(2, 0), dilation=(2, 1), groups=2), True),
        (nn.AvgPool2d((2, 3), (2, 1)), True),
        (nn.AvgPool2d(3, 2, padding=1, divisor_override=4), True),
        (nn.LPPool2d(1, 2), True),
        (nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.AvgPool2d(2)), True),
        (nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(2, 3, 2, stride=2)), True),
        (nn.Sequential(nn.AvgPool2d(2), nn.BatchNorm2d(2), nn.Conv2d(2, 3, 2)), True),
        (nn.AvgPool2d(3, 2, padding=1, count_include_pad=False), False),  # fewer at the border
        # what the second pads is in the first's last column, which reads the map
        (nn.Sequential(nn.AvgPool2d((2, 3), 2), nn.Conv2d(2, 3, 3, padding=1)), False),
        (nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(3, 2, 3, padding=1)), False),
    ],
)
def test_convolutions(layer: nn.Module, kernels: bool) -> None:
    torch.manual_seed(2)
    net = nn.Sequential(layer, hidden("Leaky", threshold=0.2), nn.Flatten(), nn.LazyLinear(4))
    net(torch.rand(1, 2, 6, 7))
    graph = compiler.from_snntorch(net, torch.rand(1, 2, 6, 7))
    require_same(graph)
    first = lower(graph, STEPS).projections[0]
    assert (first.connection is Connection.CONVOLUTION) == kernels


def test_a_one_dimensional_convolution() -> None:
    torch.manual_seed(3)
    net = nn.Sequential(nn.Conv1d(2, 3, 5, padding=2), hidden("Leaky", threshold=0.3))
    graph = compiler.from_snntorch(net, torch.rand(1, 2, 9))
    require_same(graph)
    assert lower(graph, STEPS).projections[0].connection is Connection.CONVOLUTION


def test_gains_of_each_neuron_of_a_map_are_not_those_of_a_channel() -> None:
    random = np.random.default_rng(4)
    net = nn.Conv2d(1, 2, 3, padding=1)
    node = compiler.from_snntorch(nn.Sequential(net, hidden("Leaky")), torch.rand(1, 1, 4, 4))
    gains = random.uniform(0.5, 2, (2, 4, 4))
    neuron = Neuron(np.full((2, 4, 4), 0.9), gains, ZERO, random.uniform(0.3, 1, (2, 4, 4)))
    graph = Graph({**node.nodes, "1": neuron}, node.edges)
    require_same(graph)


def test_pools_of_spikes_step_functions_and_delays() -> None:
    random = np.random.default_rng(5)
    nodes = {
        "input": Input((2, 4, 4)),
        "pool": MaxPool((2, 2), (2, 2), ((0, 0), (0, 0))),
        "delay": Delay(random.integers(0, 4, (2, 2, 2))),
        "leaky": Neuron(np.full((), 0.7), ONE, ZERO, np.full((), 0.9)),
        "step": Threshold(np.full((), 0.5)),
        "output": Output(),
    }
    names = list(nodes)
    edges = tuple(Edge(a, b) for a, b in pairwise(names))
    require_same(Graph(nodes, edges))


def test_a_skipped_layer_and_a_sum_of_layers() -> None:
    random = np.random.default_rng(6)
    leaky = Neuron(np.full((), 0.7), ONE, ZERO, np.full((), 0.9))
    nodes = {
        "input": Input((5,)),
        "dense": Linear(random.normal(size=(5, 5))),
        "first": leaky,
        "second": leaky,
        "output": Output(),
    }
    path = [("input", "dense"), ("dense", "first"), ("first", "second"), ("input", "second")]
    edges = tuple(Edge(a, b) for a, b in [*path, ("second", "output")])
    require_same(Graph(nodes, edges))


def test_what_no_network_says_is_refused_by_name_all_at_once() -> None:
    leaky = Neuron(np.full((), 0.7), ONE, ZERO, np.full((), 0.9))
    nodes = {
        "input": Input((4, 4, 4)),
        "analog": Neuron(ZERO, ONE, ZERO, None),
        "pool": MaxPool((2, 2), (2, 2), ((0, 0), (0, 0))),
        "floor": Neuron(ZERO, ONE, ZERO, ONE, rectified=True),
        "back": leaky,
        "output": Output(),
    }
    names = list(nodes)
    edges = [Edge(a, b) for a, b in pairwise(names)]
    with pytest.raises(InputError) as refused:
        lower(Graph(nodes, tuple(edges)), inputs="graded")
    for part in ("analog: its potential goes into another layer", "floor: its membrane potential"):
        assert part in str(refused.value)
    with pytest.raises(InputError, match="pool: it takes the largest of what is no spike"):
        pooled = [Edge("input", "pool"), *edges[2:]]
        kept = {n: node for n, node in nodes.items() if n != "analog"}
        lower(Graph(kept, tuple(pooled)), inputs="graded")


def test_feedback_over_layers_needs_more_than_a_step() -> None:
    leaky = Neuron(np.full((), 0.7), ONE, ZERO, np.full((), 0.9))
    nodes = {"input": Input((3,)), "a": leaky, "b": leaky, "output": Output()}
    path = [Edge("input", "a"), Edge("a", "b"), Edge("b", "output")]
    with pytest.raises(InputError, match=r"a: b feeds back over 1 layers .* delay it by 2 steps"):
        lower(Graph(nodes, (*path, Edge("b", "a", delayed=True))))


def test_a_network_compiles_and_runs_on_the_simulator() -> None:
    torch.manual_seed(7)
    net = nn.Sequential(
        nn.Flatten(), nn.Linear(16, 12), hidden("Leaky"), nn.Linear(12, 5), hidden("Leaky")
    )
    graph = compiler.from_snntorch(net, torch.rand(1, 4, 4))
    compiled = compiler.compile_network(graph, steps=20, inputs="intensities")
    samples = np.random.default_rng(8).random((20, 4, 4))
    wanted = emulate(graph, np.rint(samples * 255) / 255, 20).output(graph)
    traces = trace(compiled.program, stimulus(compiled.program, samples), learn=False)
    found = np.stack([t.spikes["4"] for t in traces], axis=1)
    assert wanted.any()
    assert np.mean(found != wanted) < 0.03  # weights of 8 bits, decays of 12


def test_samples_that_do_not_fit_are_explained() -> None:
    net = nn.Sequential(nn.Linear(4, 3), hidden("Leaky"))
    graph = compiler.from_snntorch(net, torch.rand(1, 4))
    program = compiler.compile_network(graph, steps=5, inputs="intensities").program
    for samples, reason in (
        (np.ones((2, 5)), r"give \(samples, \.\.\.\) with 4 values each"),
        (np.full((2, 4), 1.5), "go from 1.5 to 1.5: give 0 to 1"),
        (np.full((2, 4), np.nan), "go from nan"),
    ):
        with pytest.raises(InputError, match=reason):
            stimulus(program, samples)
    with pytest.raises(InputError, match="unknown kind of inputs 'spike': did you mean 'spikes'"):
        lower(graph, 5, "spike")
