"""Any forward pass: loops, states by hand, functions; what one step does not show is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import snntorch as snn
import torch
from snntorch_networks import neurons, run_torch, single
from torch import nn

import compiler
from clapp_neuro.errors import InputError
from compiler.source import Linear, Reset
from compiler.source.emulate import emulate


class Loop(nn.Module):
    """snnTorch's usual network: the loop over time inside forward, states by hand."""

    def __init__(self, order: str = "constant", result: str = "spikes") -> None:
        super().__init__()
        torch.manual_seed(7)
        self.dense1, self.dense2 = nn.Linear(6, 9), nn.Linear(9, 3)
        self.leaky1 = snn.Leaky(0.9)
        self.leaky2 = snn.Leaky(0.8, reset_mechanism="none" if result == "potential" else "zero")
        self.order, self.result = order, result

    def forward(self, x: torch.Tensor) -> Any:
        memory1, memory2 = self.leaky1.init_leaky(), self.leaky2.init_leaky()
        spikes, potentials, total = [], [], torch.zeros(3)
        for t in range(8):
            x_t = {"constant": x, "time": x[t % len(x)], "batch": x[:, t % x.shape[1]]}[self.order]
            if self.order == "constant":
                x_t = x
            spike, memory1 = self.leaky1(self.dense1(x_t), memory1)
            spike, memory2 = self.leaky2(self.dense2(spike), memory2)
            spikes.append(spike)
            potentials.append(memory2)
            total = total + spike
        return {
            "spikes": (torch.stack(spikes), torch.stack(potentials)),
            "counts": total,
            "sum": torch.stack(spikes).sum(0),
            "potential": torch.stack(potentials),
        }[self.result]


@pytest.mark.parametrize("order", ["constant", "time", "batch"])
def test_a_loop_over_time_becomes_one_step(order: str) -> None:
    shape = {"constant": (2, 6), "time": (8, 2, 6), "batch": (2, 8, 6)}[order]
    net, x = Loop(order), 4 * torch.rand(shape)
    graph = compiler.from_snntorch(net, x)
    assert list(graph.nodes) == ["input", "dense1", "leaky1", "dense2", "leaky2", "output"]
    assert graph.steps == 8
    with torch.no_grad():
        wanted = net(x)[0].numpy()
    shown = x.expand(8, 2, 6) if order == "constant" else x
    shown = shown.transpose(0, 1) if order == "batch" else shown
    assert np.array_equal(emulate(graph, shown.numpy()).output(graph), wanted)
    assert wanted.any()


@pytest.mark.parametrize("result", ["counts", "sum"])
def test_what_the_host_adds_up_is_noted(result: str) -> None:
    graph = compiler.from_snntorch(Loop("time", result), 4 * torch.rand(8, 2, 6))
    assert any("over time" in note for note in graph.notes)
    assert neurons(graph)[-1].spiking


def test_a_potential_that_nothing_resets_is_a_readout() -> None:
    net, x = Loop("time", "potential"), 4 * torch.rand(8, 2, 6)
    graph = compiler.from_snntorch(net, x)
    assert not neurons(graph)[-1].spiking
    with torch.no_grad():
        assert np.allclose(emulate(graph, x.numpy()).output(graph), net(x).numpy(), atol=1e-5)


def test_states_do_not_cross_a_batch_and_stay_the_users() -> None:
    net = single(snn.Leaky(0.9, init_hidden=True), [0.4, 0.6])
    net(torch.ones(1, 1))
    before = net[1].mem.clone()
    graph = compiler.from_snntorch(net, torch.ones(1, 1))
    assert torch.equal(net[1].mem, before)
    ones = np.ones((9, 1, 1), np.float32)
    first, second = (emulate(graph, ones).output(graph) for _ in range(2))
    assert np.array_equal(first, second)


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.leaky = snn.Leaky(0.9, init_hidden=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.leaky(x * 2 if x.sum() > 0 else x)


class Remembering(nn.Module):
    """Carries spikes from call to call by itself, which one call does not show."""

    def __init__(self) -> None:
        super().__init__()
        self.leaky, self.last = snn.Leaky(0.9, init_hidden=True), torch.zeros(1, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.last = self.leaky(x + 0.7 * self.last)
        return self.last


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.leaky = snn.Leaky(0.9, init_hidden=True)
        self.dense = nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.leaky(self.dense(self.leaky(x)))


@pytest.mark.parametrize(
    ("net", "reason"),
    [
        (Branching(), "reads a value of the data"),
        (Remembering(), "does something that its layers alone do not do"),
        (Twice(), "time step 1 of the loop|does something else|on something else"),
    ],
)
def test_a_forward_pass_that_one_step_does_not_show_is_refused(net: nn.Module, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        compiler.from_snntorch(net, torch.ones(1, 3))


def test_samples_that_do_not_fit_are_explained() -> None:
    net = single(snn.Leaky(0.9, init_hidden=True), [0.4])
    for sample, reason in (
        (torch.ones(1), "batch axis"),
        (torch.full((1, 1), torch.nan), "NaN"),
        (torch.ones(1, 7), "the network itself fails"),
    ):
        with pytest.raises(InputError, match=reason):
            compiler.from_snntorch(net, sample)
    with pytest.raises(InputError, match=r"no torch\.nn\.Module"):
        compiler.from_snntorch(lambda x: x, torch.ones(1, 1))  # type: ignore[arg-type]


def test_networks_of_doubles_and_the_wrong_reader() -> None:
    net = nn.Sequential(nn.Linear(3, 4), snn.Leaky(0.9, init_hidden=True)).double()
    assert compiler.from_snntorch(net, torch.rand(1, 3)).shapes["output"] == (4,)
    with pytest.raises(InputError, match=r"has neurons of snntorch: use compiler\.from_snntorch"):
        compiler.from_torch(net, torch.rand(1, 3))


def test_functions_between_layers_are_followed() -> None:
    torch.manual_seed(9)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.dense = nn.Conv2d(1, 2, 3), nn.Linear(18, 4)
            self.leaky1 = snn.Leaky(0.9, threshold=0.4, init_hidden=True)
            self.leaky2 = snn.Leaky(0.9, init_hidden=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.leaky1(nn.functional.max_pool2d(self.conv(x * 2 - 0.1), 2))
            x = x.view(x.size(0), -1)
            skip = self.dense(x)
            return self.leaky2(skip + 0.5 * skip)

    net, x = Net(), torch.rand(20, 2, 1, 8, 8)
    graph = compiler.from_snntorch(net, x[0])
    assert np.array_equal(emulate(graph, x.numpy()).output(graph), run_torch(net, x))
    assert any(isinstance(n, Linear) for n in graph.nodes.values())
    assert neurons(graph)[0].reset is Reset.SUBTRACT
