"""Live snnTorch networks: a step of the graph is a step of snnTorch, or the network is refused."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import snntorch as snn
import torch
from snntorch import surrogate
from snntorch_networks import STEPS, neurons, run_torch, single
from torch import nn

import compiler
from clapp_neuro.errors import InputError
from compiler.frontends.live.snntorch_networks import version_notes
from compiler.source.emulate import emulate

COUNTS = {  # of the three neurons below in 50 steps; delayed resets as measured on snnTorch 1.0.0
    ("subtract", True): [29, 18, 6],
    ("zero", True): [25, 16, 7],
    ("none", True): [49, 48, 44],
    ("subtract", False): [32, 20, 7],
    ("zero", False): [25, 16, 7],
    ("none", False): [49, 48, 44],
}


@pytest.mark.parametrize(("reset", "delay"), COUNTS)
def test_each_reset_keeps_its_meaning(reset: str, delay: bool) -> None:
    neuron = snn.Leaky(0.9, reset_mechanism=reset, reset_delay=delay, init_hidden=True)
    net = single(neuron, [0.7, 0.45, 0.2])
    graph = compiler.from_snntorch(net, torch.ones(1, 1))
    ones = torch.ones(STEPS, 1, 1)
    spikes = emulate(graph, ones.numpy()).output(graph)
    assert np.array_equal(spikes, run_torch(net, ones))
    assert spikes.sum((0, 1)).tolist() == COUNTS[reset, delay]


@pytest.mark.parametrize("kind", ["Leaky", "Synaptic", "Lapicque", "RLeaky", "RSynaptic"])
@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("delay", [True, False])
def test_spikes_and_potentials_of_all_neurons(kind: str, reset: str, delay: bool) -> None:
    own: dict[str, Any] = {"reset_mechanism": reset}
    if kind != "Lapicque":
        own["reset_delay"] = delay
    if kind.endswith("Synaptic"):
        own["alpha"] = torch.linspace(0.2, 0.9, 6)
    if kind.startswith("R"):
        own |= {"linear_features": 6}
    torch.manual_seed(3)
    neuron = getattr(snn, kind)(
        beta=0.85, threshold=torch.linspace(0.5, 1.5, 6) if kind != "Lapicque" else 1.0, **own
    )

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dense, self.neuron = nn.Linear(4, 6), neuron

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            states: Any = tuple(torch.zeros(x.shape[1], 6) for _ in range(self.states))
            spikes, potentials = [], []
            for x_t in x:
                result = self.neuron(self.dense(x_t), *states)
                spike, *kept = result
                states = result if kind.startswith("R") else tuple(kept)
                spikes.append(spike)
                potentials.append(kept[-1])
            return torch.stack(spikes), torch.stack(potentials)

        states = {"Leaky": 1, "Lapicque": 1, "Synaptic": 2, "RLeaky": 2, "RSynaptic": 3}[kind]

    net, x = Net(), 3 * torch.rand(30, 2, 4)
    if kind == "RSynaptic" and not delay:
        with pytest.raises(InputError, match=r"neuron: reset_delay is False.*reset_delay=True"):
            compiler.from_snntorch(net, x)
        return
    graph = compiler.from_snntorch(net, x)
    found = emulate(graph, x.numpy())
    with torch.no_grad():
        spikes, potentials = net(x)
    assert np.array_equal(found.output(graph), spikes.numpy())
    assert 0 < spikes.sum() < spikes.numel()
    assert np.allclose(found.membrane["neuron"], potentials.numpy(), atol=1e-5)


def test_scalar_vector_and_map_parameters_are_one_program() -> None:
    torch.manual_seed(0)
    dense = nn.Linear(12, 8)
    programs = []
    for shape in ((), (8,), (1, 8)):
        neuron = snn.Leaky(
            beta=torch.full(shape, 0.9), threshold=torch.full(shape, 0.8), init_hidden=True
        )
        net = nn.Sequential(nn.Flatten(), dense, neuron)
        graph = compiler.from_snntorch(net, torch.rand(1, 3, 4))
        x = np.random.default_rng(0).random((STEPS, 2, 3, 4)).astype(np.float32) * 2
        programs.append(emulate(graph, x).output(graph))
    assert programs[0].any()
    assert all(np.array_equal(programs[0], other) for other in programs[1:])


def test_the_documented_example_of_snntorch() -> None:
    net = nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 500),
        snn.Leaky(beta=0.9, init_hidden=True),
        nn.Linear(500, 10),
        snn.Leaky(beta=0.9, init_hidden=True, output=True),
    )
    graph = compiler.from_snntorch(net, torch.randn(1, 784))
    assert graph.shapes["output"] == (10,)
    x = torch.rand(10, 3, 784) * 3
    assert np.array_equal(emulate(graph, x.numpy()).output(graph), run_torch(net, x))


def test_a_threshold_a_channel_broadcasts_along_channels() -> None:
    torch.manual_seed(1)
    threshold = torch.tensor([0.2, 0.6, 1.0]).view(3, 1, 1)
    net = nn.Sequential(
        nn.Conv2d(2, 3, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), bias=False),
        snn.Leaky(0.9, threshold=threshold, init_hidden=True),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(3 * 2 * 2, 4, bias=False),
        snn.Leaky(0.9, init_hidden=True),
    )
    x = torch.rand(20, 2, 2, 9, 7) * 4
    graph = compiler.from_snntorch(net, x[0])
    assert np.array_equal(emulate(graph, x.numpy()).output(graph), run_torch(net, x))
    assert graph.shapes["1"] == (3, 5, 5)


@pytest.mark.parametrize("beta", [-0.1, 0.0, 1.0, 1.2])
def test_decays_at_and_beyond_their_bounds(beta: float) -> None:
    net = single(snn.Leaky(beta, init_hidden=True), [0.3, -0.2, 0.9])
    graph = compiler.from_snntorch(net, torch.ones(1, 1))
    assert neurons(graph)[0].decay == min(max(beta, 0), 1)
    ones = torch.ones(STEPS, 1, 1)
    assert np.array_equal(emulate(graph, ones.numpy()).output(graph), run_torch(net, ones))


def test_a_weight_that_is_no_number_is_named() -> None:
    net = single(snn.Leaky(0.9, init_hidden=True), [0.3, float("nan"), 0.9])
    with pytest.raises(InputError, match=r"0: weight\[1, 0\] is nan; .*train again"):
        compiler.from_snntorch(net, torch.ones(1, 1))


def test_what_multiplies_spikes_is_folded_and_dropout_is_nothing() -> None:
    torch.manual_seed(2)
    net = nn.Sequential(
        nn.Linear(5, 8),
        snn.Leaky(0.9, graded_spikes_factor=3.0, init_hidden=True),
        nn.Dropout(0.5),
        nn.Linear(8, 4),
        nn.BatchNorm1d(4),
        snn.Leaky(0.9, init_hidden=True),
    )
    net[4].running_mean.uniform_(-1, 1)
    net[4].running_var.uniform_(0.5, 2)
    net.train()
    graph = compiler.from_snntorch(net, torch.rand(2, 5))
    assert net.training
    assert [type(n).__name__ for n in graph.nodes.values()].count("Scale") == 0
    assert np.allclose(
        graph.nodes["3"].weight,  # type: ignore[attr-defined]
        3 * (net[3].weight / torch.sqrt(net[4].running_var + 1e-5)[:, None]).detach().numpy(),
        rtol=1e-6,
    )
    net.eval()
    x = torch.rand(20, 2, 5) * 2
    assert np.array_equal(emulate(graph, x.numpy()).output(graph), run_torch(net, x))


def test_weight_norm_and_groups_and_stride() -> None:
    torch.manual_seed(4)
    net = nn.Sequential(
        nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 8, 3, stride=2, groups=4)),
        snn.Leaky(0.8, threshold=0.3, init_hidden=True),
    )
    x = torch.rand(10, 2, 4, 9, 9)
    graph = compiler.from_snntorch(net, x[0])
    assert np.array_equal(emulate(graph, x.numpy()).output(graph), run_torch(net, x))


@pytest.mark.parametrize(
    "recurrence",
    [
        {"linear_features": 6},
        {"all_to_all": False, "V": torch.linspace(-1, 1, 6)},
        {"all_to_all": False, "V": 0.7},
    ],
)
def test_recurrence_comes_one_step_later(recurrence: dict[str, Any]) -> None:
    torch.manual_seed(5)
    net = nn.Sequential(nn.Linear(4, 6), snn.RLeaky(0.9, **recurrence, init_hidden=True))
    x = torch.rand(30, 2, 4) * 2
    graph = compiler.from_snntorch(net, x[0])
    assert any(edge.delayed for edge in graph.edges)
    assert np.array_equal(emulate(graph, x.numpy()).output(graph), run_torch(net, x))


def test_a_recurrent_convolution() -> None:
    torch.manual_seed(6)
    net = nn.Sequential(
        nn.Conv2d(1, 2, 3),
        snn.RLeaky(0.8, conv2d_channels=2, kernel_size=(3, 5), init_hidden=True),
    )
    x = torch.rand(30, 2, 1, 7, 8) * 3
    graph = compiler.from_snntorch(net, x[0])
    assert np.array_equal(emulate(graph, x.numpy()).output(graph), run_torch(net, x))


@pytest.mark.parametrize("beta", [0.0, 0.5])
def test_alpha_is_one_exponential_through_another_a_step_later(beta: float) -> None:
    torch.manual_seed(0)
    own = {"alpha": torch.linspace(0.6, 0.95, 6), "beta": torch.full((6,), beta)}
    neuron = snn.Alpha(**own, threshold=0.3, reset_mechanism="none", init_hidden=True)
    net = nn.Sequential(nn.Linear(4, 6), neuron)
    net[0].weight.data *= 3
    graph = compiler.from_snntorch(net, torch.rand(1, 4))
    inputs = torch.rand(STEPS, 2, 4)
    wanted = run_torch(net, inputs)
    assert wanted.any()
    assert np.array_equal(emulate(graph, inputs.numpy()).output(graph), wanted)


@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_alpha_that_clears_two_currents_is_refused(reset: str) -> None:
    neuron = snn.Alpha(alpha=0.9, beta=0.5, reset_mechanism=reset, init_hidden=True)
    with pytest.raises(InputError, match=f"1: Alpha with reset_mechanism '{reset}' clears both"):
        compiler.from_snntorch(nn.Sequential(nn.Linear(4, 6), neuron), torch.rand(1, 4))


def test_parallel_neurons_decay_as_they_are_told_or_are_refused() -> None:
    torch.manual_seed(8)
    layer = snn.LeakyParallel(4, 6, beta=torch.linspace(0.1, 0.9, 6))
    x = torch.rand(12, 2, 4) * 3
    with pytest.raises(InputError, match="beta has a value a neuron, which this snnTorch ignores"):
        compiler.from_snntorch(layer, x)
    layer.rnn.weight_hh_l0.data = torch.diag(layer.beta)
    graph = compiler.from_snntorch(layer, x)
    assert np.allclose(neurons(graph)[0].decay, np.linspace(0.1, 0.9, 6))
    with torch.no_grad():
        assert np.array_equal(emulate(graph, x.numpy()).output(graph), layer(x).numpy())
    short = snn.LeakyParallel(4, 6, beta=torch.tensor([0.1, 0.9]))
    with pytest.raises(InputError, match=r"beta has 2 values for 6 neurons; give one value or 6"):
        compiler.from_snntorch(short, x)


def test_weights_of_an_old_version_are_warned_of() -> None:
    net = nn.Sequential(nn.Linear(2, 3), snn.Synaptic(0.5, 0.9, init_hidden=True))
    graph = compiler.from_snntorch(net, torch.rand(1, 2), trained_with="0.9.1")
    assert any("Synaptic of snnTorch 0.9.1" in note for note in graph.notes)
    assert version_notes(net, "0.9.4") == ()
    assert graph.provenance["version.snntorch"] == "0.9.1"


def test_all_that_is_not_taken_is_named_at_once() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inhibited = snn.Leaky(0.9, inhibition=True, init_hidden=True)
    net = nn.Sequential(
        nn.Linear(4, 6),
        inhibited,
        nn.Sigmoid(),
        nn.Linear(6, 6),
        snn.Alpha(0.9, 0.8, init_hidden=True),
        nn.Linear(6, 2),
        snn.Leaky(0.9, threshold=-1.0, init_hidden=True),
    )
    with pytest.raises(InputError) as refused:
        compiler.from_snntorch(net, torch.rand(1, 4))
    for part in ("1: inhibition", "2: Sigmoid is not taken", "4: Alpha", "6: threshold is -1"):
        assert part in str(refused.value)
    assert "4 things" in str(refused.value)


def test_a_surrogate_that_is_no_step_is_refused() -> None:
    net = single(snn.Leaky(0.9, spike_grad=torch.sigmoid, init_hidden=True), [0.4])
    with pytest.raises(InputError, match="spike_grad spikes otherwise"):
        compiler.from_snntorch(net, torch.ones(1, 1))
    for grad in (
        surrogate.fast_sigmoid(),
        surrogate.sigmoid(),
        surrogate.straight_through_estimator(),
    ):
        net = single(snn.Leaky(0.9, spike_grad=grad, init_hidden=True), [0.4])
        assert compiler.from_snntorch(net, torch.ones(1, 1)).outputs


def test_convolutions_without_bias_and_pools_between_neurons() -> None:
    torch.manual_seed(3)

    def block(channels: int, made: int) -> list[nn.Module]:
        conv = nn.Conv2d(channels, made, 3, padding=1, bias=False)
        return [conv, snn.Leaky(0.8, threshold=0.1, init_hidden=True), nn.AvgPool2d(2)]

    net = nn.Sequential(
        *block(2, 4), *block(4, 6), *block(6, 8), nn.Flatten(), nn.Linear(8, 5, bias=False),
        snn.Leaky(0.8, threshold=0.05, init_hidden=True),
    )  # fmt: skip
    graph = compiler.from_snntorch(net, torch.rand(1, 2, 10, 10))
    assert graph.shapes["9"] == (8,)
    arrays = [a for node in graph.nodes.values() for a in node.arrays().values()]
    assert all(isinstance(a, np.ndarray) and a.dtype.kind in "fi" for a in arrays)
    inputs = torch.rand(STEPS, 2, 2, 10, 10)
    wanted = run_torch(net, inputs)
    assert wanted.any()
    assert np.mean(emulate(graph, inputs.numpy()).output(graph) != wanted) <= 0.001
