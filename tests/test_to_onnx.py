"""ONNX out: onnxruntime, called once a step with the states it gave, does what the graph does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import norse.torch as norse
import numpy as np
import onnxruntime
import pytest
import snntorch as snn
import torch
from torch import nn

import compiler
from clapp_neuro.errors import InputError
from compiler.exports.onnx import OnnxExport, write_onnx
from compiler.frontends.onnx.graph import from_onnx
from compiler.source import Graph
from compiler.source.emulate import emulate

STEPS = 12


def run(path: Path, made: OnnxExport, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    states = {k: np.repeat(a, x.shape[1], 0) for k, a in made.states.items()}
    source = next(i.name for i in session.get_inputs() if i.name not in states)
    found = []
    for x_t in x:
        result, *following = session.run(None, {source: x_t, **states})
        states = dict(zip((n.removesuffix(".next") for n in names[1:]), following, strict=True))
        found.append(result)
    return np.stack(found)


def require_same(graph: Graph, folder: Path, seed: int = 0) -> None:
    made = write_onnx(folder / "g.onnx", graph)
    x = (
        np.random.default_rng(seed).random((STEPS, 2, *graph.shapes["input"])).astype(np.float32)
        * 3
    )
    wanted = emulate(graph, x).output(graph)
    assert wanted.any()
    assert np.allclose(run(folder / "g.onnx", made, x), wanted, atol=1e-5)


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("delay", [True, False])
@pytest.mark.parametrize("kind", ["Leaky", "Synaptic", "RLeaky"])
def test_neurons_of_snntorch(kind: str, reset: str, delay: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    own: dict[str, Any] = {"reset_mechanism": reset, "reset_delay": delay, "init_hidden": True}
    own |= {"Synaptic": {"alpha": 0.6}, "RLeaky": {"linear_features": 6}}.get(kind, {})
    net = nn.Sequential(nn.Linear(5, 6), getattr(snn, kind)(beta=0.85, **own))
    require_same(compiler.from_snntorch(net, torch.rand(1, 5)), tmp_path)


def test_norse_and_torch_agree_over_eight_steps(tmp_path: Path) -> None:
    torch.manual_seed(1)
    net = norse.SequentialState(
        nn.Conv2d(1, 2, 3, padding=1), norse.LIFCell(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(18, 4), norse.LIBoxCell(),
    )  # fmt: skip
    x = torch.rand(8, 1, 1, 6, 6) * 30
    made = write_onnx(tmp_path / "g.onnx", compiler.from_norse(net, x[0]))
    state, wanted = None, []
    with torch.no_grad():
        for x_t in x:
            y, state = net(x_t, state)
            wanted.append(y.numpy())
    found = run(tmp_path / "g.onnx", made, x.numpy())
    assert np.allclose(found, np.stack(wanted), atol=1e-5)
    assert np.any(wanted)


def test_an_ann_comes_back_as_it_was(tmp_path: Path) -> None:
    torch.manual_seed(2)
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.ReLU(),
        nn.AvgPool2d(2, padding=1, count_include_pad=False), nn.LPPool2d(1, 2, stride=1),
        nn.Flatten(), nn.Linear(4 * 4, 3), nn.ReLU6(),
    )  # fmt: skip
    graph = compiler.from_torch(net, torch.rand(1, 2, 8, 8))
    require_same(graph, tmp_path)
    again = from_onnx(tmp_path / "g.onnx")
    x = np.random.default_rng(3).random((5, 2, 8, 8))
    both = [emulate(g, x, 1).output(g) for g in (graph, again)]
    assert np.allclose(*both, atol=1e-5)


def test_delays_are_refused_by_name(tmp_path: Path) -> None:
    from compiler.source import Delay, Edge, Input, Output

    nodes = {"input": Input((3,)), "late": Delay(np.ones((), int)), "output": Output()}
    graph = Graph(nodes, (Edge("input", "late"), Edge("late", "output")))
    with pytest.raises(InputError, match="late: Delay has no form in one step"):
        write_onnx(tmp_path / "g.onnx", graph)
    assert not (tmp_path / "g.onnx").exists()
