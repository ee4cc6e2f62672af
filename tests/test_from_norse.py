"""Live Norse networks: each step of the graph is a step of Norse, or the network is refused."""

from __future__ import annotations

from typing import Any

import norse.torch as norse
import numpy as np
import pytest
import torch
from norse.torch.functional import reset
from norse.torch.functional.iaf import IAFParameters
from norse.torch.functional.lif import LIFParameters
from norse.torch.functional.lif_box import LIFBoxParameters
from torch import nn

import compiler
from clapp_neuro.errors import InputError
from compiler.source import Neuron
from compiler.source.emulate import emulate

SIZE = 6


def per_neuron(low: float, high: float) -> torch.Tensor:
    return torch.linspace(low, high, SIZE)


CELLS: dict[str, tuple[Any, str]] = {
    "LIFCell": (
        norse.LIFCell(
            LIFParameters(
                tau_syn_inv=per_neuron(100, 400),
                tau_mem_inv=per_neuron(50, 200),
                v_leak=per_neuron(-0.1, 0.1),
                v_th=per_neuron(0.5, 1.5),
                v_reset=per_neuron(-0.2, 0.2),
            )
        ),
        "v",
    ),
    "LIFCell, scalars, another dt": (norse.LIFCell(dt=0.002), "v"),
    "LIFBoxCell": (norse.LIFBoxCell(LIFBoxParameters(v_th=per_neuron(0.2, 0.4))), "v"),
    "LIFBoxCell, subtract": (
        norse.LIFBoxCell(
            LIFBoxParameters(v_th=torch.tensor(0.3), reset_method=reset.reset_subtract)
        ),
        "v",
    ),
    "LIFBoxCell, in millivolts": (
        norse.LIFBoxCell(
            LIFBoxParameters(
                v_leak=torch.tensor(-65.0), v_th=torch.tensor(-64.7), v_reset=torch.tensor(-66.0)
            )
        ),
        "v",
    ),
    "IAFCell": (
        norse.IAFCell(IAFParameters(v_th=torch.tensor(2.0), v_reset=torch.tensor(-0.5))),
        "v",
    ),
    "LICell": (norse.LICell(), "v"),
    "LIBoxCell": (norse.LIBoxCell(), "v"),
}


@pytest.mark.parametrize("name", CELLS)
def test_spikes_and_potentials_of_all_cells(name: str) -> None:
    cell, state_name = CELLS[name]
    torch.manual_seed(1)
    net = norse.SequentialState(nn.Linear(4, SIZE), cell)
    x = torch.randn(60, 2, 4) * 4
    graph = compiler.from_norse(net, x[0])
    assert graph.shapes["1"] == (SIZE,)
    found = emulate(graph, x.numpy())
    state, outputs, potentials = None, [], []
    with torch.no_grad():
        for x_t in x:
            out, state = net(x_t, state)
            outputs.append(out)
            potentials.append(getattr(state[1], state_name).expand(2, SIZE))
    assert np.allclose(found.membrane["1"], torch.stack(potentials).numpy(), rtol=1e-5, atol=1e-5)
    wanted = torch.stack(outputs).numpy()
    if "LI" in name and "LIF" not in name:
        assert np.allclose(found.output(graph), wanted, atol=1e-5)
    else:
        assert np.array_equal(found.output(graph), wanted)
        assert 0 < wanted.sum() < wanted.size


def test_a_convolution_without_bias_and_a_flatten() -> None:
    torch.manual_seed(2)
    net = norse.SequentialState(
        nn.Conv2d(1, 2, 3, bias=False), norse.LIFCell(), nn.Flatten(), nn.Linear(72, 4)
    )
    graph = compiler.from_norse(net, torch.rand(2, 1, 8, 8) * 20)
    assert graph.shapes["1"] == (2, 6, 6)
    assert graph.shapes["output"] == (4,)


def test_layers_that_take_a_time_series() -> None:
    torch.manual_seed(3)
    net = norse.SequentialState(
        norse.Lift(nn.Conv2d(1, 2, 3)),
        norse.LIF(),
        nn.Flatten(2),
        nn.Linear(72, 5),
        norse.LIFRecurrent(5, 6),
        nn.Linear(6, 3),
        norse.LI(),
    )
    x = torch.rand(15, 2, 1, 8, 8) * 30
    graph = compiler.from_norse(net, x)
    assert graph.steps == 15
    with torch.no_grad():
        assert np.allclose(emulate(graph, x.numpy()).output(graph), net(x)[0].numpy(), atol=1e-5)


def test_recurrent_cells() -> None:
    torch.manual_seed(4)
    net = norse.SequentialState(norse.LIFRecurrentCell(4, SIZE), norse.LILinearCell(SIZE, 2))
    graph = compiler.from_norse(net, torch.rand(3, 4) * 20)
    assert [e.source for e in graph.edges if e.delayed] == ["0"]
    assert not [n for n in graph.nodes.values() if isinstance(n, Neuron)][-1].spiking


def test_a_time_constant_below_a_step_is_refused() -> None:
    net = norse.SequentialState(nn.Linear(2, 3), norse.LIFBoxCell(dt=0.02))
    with pytest.raises(InputError, match=r"1: decay is -1; give 0 to 1: a time constant of at"):
        compiler.from_norse(net, torch.rand(1, 2))


def test_sequences_inside_sequences() -> None:
    torch.manual_seed(0)
    inner = norse.SequentialState(norse.LIFCell(), nn.Linear(5, 3))
    net = norse.SequentialState(nn.Linear(4, 5), inner, norse.SequentialState(norse.LICell()))
    graph = compiler.from_norse(net, torch.rand(1, 4) * 20)
    assert {"1.0", "1.1", "2.0"} <= graph.nodes.keys()


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (norse.LSNNCell(), "its threshold adapts to its own spikes"),
        (norse.LIFAdExCell(), "a second current adapts"),
        (norse.LIFExCell(), "its potential grows exponentially"),
        (norse.LIFRefracCell(), "it counts steps in which it cannot spike"),
        (norse.CobaLIFCell(3, 3), "its inputs are conductances"),
        (norse.LSNNRecurrentCell(3, 3), "its threshold adapts to its own spikes"),
        (norse.RecurrentSequential(nn.Linear(3, 3), norse.LIFCell()), "it feeds its result back"),
    ],
)
def test_other_neurons_are_refused_with_the_reason(cell: nn.Module, reason: str) -> None:
    net = norse.SequentialState(nn.Linear(2, 3), cell, nn.Tanh())
    with pytest.raises(InputError) as refused:
        compiler.from_norse(net, torch.rand(1, 2))
    assert f"1: {type(cell).__name__} is not taken: {reason}" in str(refused.value)
    assert "2: Tanh is not taken; use one of LIFCell" in str(refused.value)
