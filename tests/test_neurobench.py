"""NeuroBench's metrics are NeuroBench's: neurobench itself, on the same network in snnTorch."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import snntorch as snn
import torch
from compiled_program import compiled, stimulus
from plain_synapses import listed
from torch import nn

from compiler.backends.simulator import infer, simulate, trace
from compiler.energy.silicon.workload import program as build
from compiler.energy.silicon.workload import projection
from compiler.events import messages_sent, neurobench
from compiler.program import Program, ProgramPopulation, Soma
from compiler.terms import Connection, Reset
from compiler.trace import Stimulus

STEPS, FIXATIONS, SHIFT, DECAY, THRESHOLD = 9, 7, 10, 3686, 61 << 10
KINDS = {"dense": ((14, 1, 1), (11, 1, 1)), "convolution": ((2, 3, 4), (3, 3, 4))}
OUTPUTS, KERNEL = 5, 3
INSTALL = "python -m pip install --no-deps 'neurobench>=2.3'   # or: make setup"


def network(kind: str = "dense", seed: int = 5) -> Program:
    """Inputs that spike, a layer of that kind, a dense one; a third of the weights zero."""
    random = np.random.default_rng(seed)
    soma = Soma(DECAY, THRESHOLD, Reset.SUBTRACT, input_shift=SHIFT, latched=False)
    shapes = (*KINDS[kind], (OUTPUTS, 1, 1))
    sizes = [int(np.prod(shape)) for shape in shapes]
    names = ("input", "layer1", "layer2")
    populations = [
        ProgramPopulation(
            name, size, level, soma if level else None, shape=shape, spikes=level == 0
        )
        for level, (name, size, shape) in enumerate(zip(names, sizes, shapes, strict=True))
    ]
    synapses = []
    for level in (1, 2):
        convolves = kind == "convolution" and level == 1
        extent = (shapes[1][0], shapes[0][0], KERNEL, KERNEL)
        shape = extent if convolves else (sizes[level], sizes[level - 1])
        weights = random.integers(-30, 60, shape).astype(np.int8)
        weights[random.random(weights.shape) < 1 / 3] = 0
        s = projection(level, names[level - 1], names[level], weights, STEPS)
        synapses.append(replace(s, connection=Connection.CONVOLUTION) if convolves else s)
    return build(populations, synapses, STEPS, machine="loihi2")


def seen(program: Program, seed: int = 2) -> Stimulus:
    """A silent fixation, and random ones."""
    size = program.populations[0].size
    intensities = np.random.default_rng(seed).integers(0, 160, (FIXATIONS, size))
    intensities[0] = 0
    return Stimulus({"input": intensities.astype(np.uint8)}, {})


def trains(stimulus: Stimulus) -> np.ndarray:
    """(F, steps, N): what such inputs send."""
    i = stimulus.intensities["input"].astype(np.int64)[:, None]
    t = np.arange(STEPS)[:, None]
    return ((i * (t + 1) + 128) >> 8) > ((i * t + 128) >> 8)


class Torch(nn.Module):
    """The same network in snnTorch, weights times 2^shift so that rounding decides no spike."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for s in program.synapses:
            linear: nn.Module
            if s.connection is Connection.CONVOLUTION:
                channels = s.weights.shape[1::-1]
                linear = nn.Conv2d(*channels, KERNEL, padding=KERNEL // 2, bias=False)
                layers.append(nn.Unflatten(1, program.population(s.source).map))
            else:
                linear = nn.Linear(*s.weights.shape[::-1], bias=False)
                layers.append(nn.Flatten())
            linear.weight.data = torch.from_numpy(s.weights.astype(np.float32) * 2**SHIFT)
            leaky = snn.Leaky(
                DECAY / 4096, THRESHOLD, reset_mechanism="subtract", init_hidden=True, output=True
            )
            layers += [linear, leaky]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        for layer in self.layers:
            x = layer(x[0] if isinstance(x, tuple) else x)
        return x  # type: ignore[return-value]


def theirs(program: Program, stimulus: Stimulus) -> dict[str, Any]:
    """What neurobench measures on the network in snnTorch."""
    assert importlib.util.find_spec("neurobench") is not None, f"neurobench is missing: {INSTALL}"
    from neurobench.metrics.static import ConnectionSparsity
    from neurobench.metrics.workload import ActivationSparsity, MembraneUpdates, SynapticOperations
    from neurobench.models import SNNTorchModel

    model = SNNTorchModel(Torch(program))
    model.register_hooks()
    data = torch.from_numpy(trains(stimulus).astype(np.float32))
    with torch.no_grad():
        predicted = model(data)
        given = (data, torch.zeros(len(data)))
        return {
            "activation_sparsity": ActivationSparsity()(model, predicted, given),
            "membrane_updates": MembraneUpdates()(model, predicted, given),
            "synaptic_operations": SynapticOperations()(model, predicted, given),
            "connection_sparsity": ConnectionSparsity()(model),
            "spikes": [h.activation_outputs for h in model.activation_hooks],
        }


@pytest.fixture(scope="module", params=KINDS)
def both(
    request: pytest.FixtureRequest,
) -> tuple[dict[str, Any], dict[str, Any], Program, Stimulus]:
    program = network(request.param)
    stimulus = seen(program)
    counts, events = infer(program, stimulus)
    ours = neurobench(program, events, messages_sent(program, stimulus, counts))
    return ours, theirs(program, stimulus), program, stimulus


def test_it_is_the_same_network(both) -> None:
    _, theirs, program, stimulus = both
    for f, shown in enumerate(trace(program, stimulus, learn=False)):
        for layer, spikes in zip(("layer1", "layer2"), theirs["spikes"], strict=True):
            torchs = np.stack([step[f].numpy().ravel() for step in spikes])
            assert np.array_equal(torchs, shown.spikes[layer])


def test_activation_sparsity(both) -> None:
    ours, theirs, *_ = both
    assert 0 < ours["activation_sparsity"] < 1
    assert ours["activation_sparsity"] == pytest.approx(theirs["activation_sparsity"], rel=1e-12)


def test_connection_sparsity(both) -> None:
    ours, theirs, *_ = both
    assert round(ours["connection_sparsity"], 4) == theirs["connection_sparsity"] > 0


def test_synaptic_operations(both) -> None:
    ours, theirs, *_ = both
    assert theirs["synaptic_operations"]["Effective_ACs"] > 0
    assert ours["synaptic_operations"] == theirs["synaptic_operations"]


def test_membrane_updates_differ_by_what_is_idle_in_the_first_step(both) -> None:
    ours, theirs, program, stimulus = both
    idle = 0
    sent = trains(stimulus)
    for f, shown in enumerate(trace(program, stimulus, learn=False)):
        below = sent[f]
        for s in program.synapses:
            plain = listed(program, s)
            size = program.population(s.target).size
            current = plain.arriving(s.weights, below[0].astype(np.int64), size)
            idle += int(np.count_nonzero(current == 0))
            below = shown.spikes[s.target]
    assert idle > 0
    assert theirs["membrane_updates"] == pytest.approx(ours["membrane_updates"] + idle / FIXATIONS)


def test_footprint() -> None:
    """NeuroBench adds up parameters and buffers: given our integers, it finds our bytes."""
    from neurobench.metrics.static import Footprint
    from neurobench.models import TorchModel

    program = compiled()
    net = nn.Module()
    for index, s in enumerate(program.synapses):
        for kind, array in (("weights", s.weights), ("tags", s.tags)):
            assert array is not None
            net.register_buffer(f"{kind}{index}", torch.from_numpy(array.copy()))
    for p in program.populations[1:]:
        for field in ("potential", "count"):
            net.register_buffer(f"{p.name}_{field}", torch.zeros(p.size, dtype=torch.int32))
    events = infer(program, stimulus(program, 2))[1]
    assert neurobench(program, events)["footprint"] == Footprint()(TorchModel(net))


def test_without_spike_counts_zeros_are_spread_evenly() -> None:
    """Exact where no weight is zero, near it where a third of them is."""
    program = network()
    shown = seen(program)
    counts, events = infer(program, shown)
    sent = messages_sent(program, shown, counts)
    exact, even = (neurobench(program, events, s)["synaptic_operations"] for s in (sent, None))
    assert even["Effective_ACs"] == pytest.approx(exact["Effective_ACs"], rel=0.1)
    full = tuple(
        replace(s, weights=np.where(s.weights == 0, 1, s.weights)) for s in program.synapses
    )
    program = replace(program, synapses=full)
    counts, events = infer(program, shown)
    sent = messages_sent(program, shown, counts)
    exact, even = (neurobench(program, events, s)["synaptic_operations"] for s in (sent, None))
    assert exact == even


def test_a_latched_input_costs_one_multiply_accumulate_a_synapse() -> None:
    program = compiled(plastic=False)
    shown = stimulus(program, 3)
    counts, events = infer(program, shown)
    metrics = neurobench(program, events, messages_sent(program, shown, counts))
    nonzero = np.count_nonzero(shown.intensities["input"], axis=1)
    weights = np.count_nonzero(program.synapses[0].weights, axis=0)
    expected = (shown.intensities["input"] != 0) @ weights
    assert nonzero.sum() > 0
    assert metrics["synaptic_operations"]["Effective_MACs"] == expected.mean()


def test_learning_has_metrics_of_its_own() -> None:
    program = compiled()
    shown = stimulus(program, 20)
    counts, forward = infer(program, shown)
    learned = simulate(program, shown).events
    metrics = neurobench(program, forward, messages_sent(program, shown, counts), learned)
    assert metrics["learning"]["trace_writes"] == learned.learning.trace_writes / 20 > 0
    assert metrics["synaptic_operations"]["Effective_ACs"] > 0
