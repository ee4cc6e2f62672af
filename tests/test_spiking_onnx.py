"""Spiking networks in ONNX, as this package and PyTorch write them: they come back as they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import norse.torch as norse
import numpy as np
import pytest
import snntorch as snn
import torch
from damage import refusals
from graph_samples import samples
from norse.torch.functional.lif import (
    LIFFeedForwardState,
    LIFParameters,
    lif_feed_forward_step,
)
from norse.torch.functional.lif_box import LIFBoxFeedForwardState, lif_box_feed_forward_step
from test_cli import call
from torch import nn

import compiler
from clapp_neuro.errors import InputError
from compiler.exports.onnx import write_onnx
from compiler.frontends.onnx.graph import from_onnx
from compiler.source import Graph, Neuron
from compiler.source.emulate import emulate

RESETS = [(r, d) for r in ("subtract", "zero", "none") for d in (True, False)]


def require_unchanged(graph: Graph, folder: Path) -> Graph:
    """Written and read again it has the same nodes and edges, and sends the same."""
    write_onnx(folder / "a.onnx", graph)
    again = from_onnx(folder / "a.onnx")
    assert again.nodes.keys() == graph.nodes.keys()
    assert set(again.edges) == set(graph.edges)
    for name, node in graph.nodes.items():
        other = again.nodes[name]
        assert type(other) is type(node)
        if isinstance(node, Neuron):
            assert isinstance(other, Neuron)
            assert (other.reset, other.spiking) == (node.reset, node.spiking)
            assert (other.current is None) == (node.current is None)
    x = samples(graph)
    one, other = emulate(graph, x), emulate(again, x)
    assert np.allclose(one.output(graph), other.output(again), atol=1e-5)
    for name, potential in one.membrane.items():
        assert np.allclose(potential, other.membrane[name], atol=1e-5)
    write_onnx(folder / "b.onnx", again)
    once = from_onnx(folder / "b.onnx")
    for name, node in again.nodes.items():
        for key, array in node.arrays().items():
            assert np.array_equal(array, once.nodes[name].arrays()[key]), (name, key)
    return again


@pytest.mark.parametrize(("reset", "delay"), RESETS)
@pytest.mark.parametrize("kind", ["Leaky", "Synaptic", "RLeaky"])
def test_an_export_read_again_is_unchanged(
    kind: str, reset: str, delay: bool, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    own: dict[str, Any] = {"reset_mechanism": reset, "reset_delay": delay, "init_hidden": True}
    own |= {"Synaptic": {"alpha": 0.6}, "RLeaky": {"linear_features": 6}}.get(kind, {})
    net = nn.Sequential(
        nn.Linear(5, 6), getattr(snn, kind)(beta=torch.rand(6), **own), nn.Linear(6, 4),
        snn.Leaky(beta=0.7, init_hidden=True, graded_spikes_factor=2.0),
    )  # fmt: skip
    net[0].weight.data *= 3
    net[2].weight.data *= 3
    graph = compiler.from_snntorch(net, torch.rand(1, 5))
    assert emulate(graph, samples(graph)).output(graph).any()
    require_unchanged(graph, tmp_path)


def test_a_parallel_layer_and_norse_are_unchanged(tmp_path: Path) -> None:
    torch.manual_seed(0)
    parallel = nn.Sequential(snn.LeakyParallel(5, 6, beta=0.8))
    require_unchanged(compiler.from_snntorch(parallel, torch.rand(4, 1, 5)), tmp_path)
    box = norse.LIFBoxParameters(v_reset=torch.tensor(-0.2), v_leak=torch.tensor(0.1))
    net = norse.SequentialState(
        nn.Conv2d(1, 2, 3, padding=1), norse.LIFCell(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(18, 4), norse.LIFBoxCell(box), norse.LIFRecurrentCell(4, 3), nn.Linear(3, 2),
        norse.LICell(),
    )  # fmt: skip
    graph = compiler.from_norse(net, torch.rand(1, 1, 6, 6))
    again = require_unchanged(graph, tmp_path)
    assert not again.nodes["8"].spiking  # type: ignore[attr-defined]


def test_it_compiles_to_the_same_integers_and_begins_where_it_did(tmp_path: Path) -> None:
    torch.manual_seed(1)
    ann = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))
    images = np.random.default_rng(1).random((20, 5))
    graph = compiler.rate_coded(compiler.from_torch(ann, torch.rand(1, 5)), images, steps=16)
    write_onnx(tmp_path / "rates.onnx", graph)
    again = from_onnx(tmp_path / "rates.onnx")
    assert again.steps == 16
    programs = [
        compiler.compile_network(g, "loihi2-sim", inputs="intensities").program
        for g in (graph, again)
    ]
    for one, other in zip(programs[0].synapses, programs[1].synapses, strict=True):
        assert np.array_equal(one.weights, other.weights)
    for mine, its in zip(programs[0].populations, programs[1].populations, strict=True):
        assert mine.soma == its.soma
    code = call("compile", tmp_path / "rates.onnx", "--inputs", "intensities", "--out",
                tmp_path / "rates.clapp")  # fmt: skip
    assert code == 0
    assert call("check", tmp_path / "rates.onnx") == 0


class OneStep(nn.Module):
    """Two layers, states in and states out, as torch.onnx.export wants them."""

    def __init__(self, kind: str, own: dict[str, Any]) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 6), nn.Linear(6, 6)
        self.hidden, self.last = getattr(snn, kind)(beta=0.9, **own), snn.Leaky(beta=0.8)

    def forward(self, x: torch.Tensor, last: torch.Tensor, *states: torch.Tensor) -> Any:
        spikes, *states = self.hidden(self.first(x), *states)
        out, last = self.last(self.second(spikes), last)
        if isinstance(self.hidden, snn.RLeaky):
            states = [spikes, *states]
        return out, last, *states


@pytest.mark.parametrize(("reset", "delay"), RESETS)
@pytest.mark.parametrize("kind", ["Leaky", "Synaptic", "RLeaky"])
def test_what_torch_exports_of_snntorch(kind: str, reset: str, delay: bool, tmp_path: Path) -> None:
    """Six states of one shape, unnamed: each is found by what it decays into."""
    torch.manual_seed(0)
    own: dict[str, Any] = {"reset_mechanism": reset, "reset_delay": delay}
    own |= {"Synaptic": {"alpha": 0.6}, "RLeaky": {"linear_features": 6}}.get(kind, {})
    net = OneStep(kind, own).eval()
    states = [torch.zeros(1, 6)] * (2 if kind == "Leaky" else 3)
    ours, wanted = beside_torch(net, states, 20, 4, tmp_path / "a.onnx")
    assert np.array_equal(ours, wanted)


def beside_torch(
    net: nn.Module, states: list[torch.Tensor], steps: int, strength: float, path: Path
) -> tuple[np.ndarray, np.ndarray]:
    """Spikes (T, 1, N) of what torch exports of a step, by us, and of torch itself."""
    torch.onnx.export(net, (torch.rand(1, 4), *states), path, dynamo=False)
    graph = from_onnx(path)
    x, wanted = torch.rand(steps, 1, 4) * strength, []
    with torch.no_grad():
        for x_t in x:
            out, *states = net(x_t, *states)
            wanted.append(out.numpy())
    assert np.any(wanted)
    return emulate(graph, x.numpy()).output(graph), np.stack(wanted)


class NorseStep(nn.Module):
    """Norse's own steps, whose current jumps before it drives the potential and then decays."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 6), nn.Linear(6, 3)
        self.lif, self.box = LIFParameters(v_th=torch.tensor(0.3)), norse.LIFBoxParameters()

    def forward(self, x: torch.Tensor, v: torch.Tensor, i: torch.Tensor, w: torch.Tensor) -> Any:
        spikes, one = lif_feed_forward_step(self.first(x), LIFFeedForwardState(v, i), self.lif)
        box = LIFBoxFeedForwardState(w)
        out, other = lif_box_feed_forward_step(self.second(spikes) * 20, box, self.box)
        return out, one.v, one.i, other.v


def test_what_torch_exports_of_norse(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = NorseStep().eval()
    states = [torch.zeros(1, 6), torch.zeros(1, 6), torch.zeros(1, 3)]
    ours, wanted = beside_torch(net, states, 30, 10, tmp_path / "a.onnx")
    assert np.mean(ours != wanted) <= 0.001


class Unrolled(nn.Module):
    """All steps in one file."""

    def __init__(self) -> None:
        super().__init__()
        self.weights, self.neuron = nn.Linear(4, 3), snn.Leaky(0.9)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mem, found = self.neuron.init_leaky(), []
        for x_t in x:
            spikes, mem = self.neuron(self.weights(x_t), mem)
            found.append(spikes)
        return torch.stack(found)


def test_steps_written_out_are_refused_with_what_would_be_right(tmp_path: Path) -> None:
    torch.onnx.export(Unrolled(), (torch.rand(3, 1, 4),), tmp_path / "a.onnx", dynamo=False)
    with pytest.raises(InputError, match="Split is not taken; export one time step, its states"):
        from_onnx(tmp_path / "a.onnx")


def test_damaged_spiking_files(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), snn.Leaky(beta=0.9, init_hidden=True))
    write_onnx(tmp_path / "w.onnx", compiler.from_snntorch(net, torch.rand(1, 3)))

    def use(graph: Graph) -> None:
        emulate(graph, np.ones((1, 1, *graph.shapes[graph.inputs[0]])))

    assert refusals(tmp_path / "w.onnx", from_onnx, use) > 100
