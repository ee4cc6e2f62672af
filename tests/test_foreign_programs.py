"""Networks of other tools, compiled: the integers do what the source does, on every engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nir
import norse.torch as norse
import numpy as np
import pytest
import snntorch as snn
import torch
from test_cli import call
from torch import nn

import clapp_neuro
import compiler
from clapp_neuro.errors import InputError
from clapp_neuro.verbs.source import Reading
from compiler.backends import simulator
from compiler.exports.nir import write_nir
from compiler.exports.onnx import write_onnx
from compiler.source import Graph
from compiler.source.emulate import emulate

STEPS = 25


def hidden(kind: str, **settings: Any) -> nn.Module:
    return getattr(snn, kind)(beta=0.85, init_hidden=True, **settings)


def spikes(graph: Graph, samples: int = 6, seed: int = 0) -> np.ndarray:
    shape = STEPS, samples, *graph.shapes["input"]
    return (np.random.default_rng(seed).random(shape) < 0.4).astype(float)


def run(graph: Graph, x: np.ndarray, inputs: str = "spikes") -> tuple[np.ndarray, np.ndarray]:
    """(T, B, N) of the compiled program, and of the emulation in real numbers."""
    compiled = compiler.compile_network(graph, "loihi2-sim", steps=len(x), inputs=inputs)
    program = compiled.program
    name = program.provenance["output"]
    found = simulator.answer(program, compiler.stimulus(program, x))
    wanted = emulate(graph, x, dtype=np.float64).output(graph).reshape(*x.shape[:2], -1)
    if name in found.spikes:
        return found.spikes[name].swapaxes(0, 1), wanted
    return found.potentials[name].swapaxes(0, 1) * program.potential_unit(name), wanted


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("delay", [True, False])
@pytest.mark.parametrize("kind", ["Leaky", "Synaptic", "RLeaky"])
def test_snntorch_in_integers(kind: str, reset: str, delay: bool) -> None:
    torch.manual_seed(1)
    own: dict[str, Any] = {"reset_mechanism": reset, "reset_delay": delay}
    own |= {"Synaptic": {"alpha": 0.6}, "RLeaky": {"linear_features": 8}}.get(kind, {})
    own["threshold"] = torch.linspace(0.4, 0.9, 8)
    graph = compiler.from_snntorch(
        nn.Sequential(nn.Linear(6, 8), hidden(kind, **own)), torch.rand(1, 6)
    )
    found, wanted = run(graph, spikes(graph))
    assert wanted.any()
    assert np.mean(found != wanted) < 0.02


def test_norse_maps_with_a_readout_in_integers() -> None:
    torch.manual_seed(2)
    net = norse.SequentialState(
        nn.Conv2d(2, 3, 3, padding=1), norse.LIFBoxCell(), nn.Flatten(), nn.Linear(75, 6),
        norse.LICell(),
    )  # fmt: skip
    with torch.no_grad():
        net[0].weight.mul_(8)
    graph = compiler.from_norse(net, torch.rand(1, 2, 5, 5))
    found, wanted = run(graph, spikes(graph))
    assert np.abs(wanted).max() > 0.01
    assert np.abs(found - wanted).max() < 0.05 * np.abs(wanted).max()


def test_a_net_that_ends_in_a_linear_layer() -> None:
    torch.manual_seed(3)
    net = nn.Sequential(nn.Linear(6, 8), hidden("Leaky", threshold=0.5), nn.Linear(8, 3))
    graph = compiler.from_snntorch(net, torch.rand(1, 6))
    found, wanted = run(graph, spikes(graph))
    assert np.abs(found - wanted).max() < 0.02 * np.abs(wanted).max()


def test_pools_delays_and_graded_inputs() -> None:
    torch.manual_seed(4)
    net = nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), hidden("Leaky", threshold=0.2), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(12, 4), hidden("Leaky", threshold=0.2),
    )  # fmt: skip
    graph = compiler.from_snntorch(net, torch.rand(1, 1, 4, 4))
    x = np.random.default_rng(5).integers(-255, 256, (STEPS, 4, 1, 4, 4)) / 255
    found, wanted = run(graph, x, "graded")
    assert wanted.any()
    assert np.mean(found != wanted) < 0.03


def test_a_network_of_slow_synapses_still_spikes(tmp_path: Path) -> None:
    random = np.random.default_rng(6)
    full = np.full
    nodes = [nir.Input({"input": np.array([12])})]
    for taken, size in ((12, 128), (128, 7)):
        weight = random.normal(size=(size, taken)) * 3 / np.sqrt(taken)
        neuron = nir.CubaLIF(
            *(full(size, v) for v in (0.065, 0.16, 1.0, 0.0, 0.4)), w_in=full(size, 1.0)
        )
        nodes += [nir.Linear(weight), neuron]
    graph = nir.NIRGraph.from_list(*nodes, nir.Output({"output": np.array([7])}))
    nir.write(tmp_path / "slow.nir", graph)
    source = compiler.from_nir(tmp_path / "slow.nir", 0.05)
    found, wanted = run(source, spikes(source))
    assert wanted.sum() > 20
    assert abs(found.sum() - wanted.sum()) < 0.1 * wanted.sum()


def test_kernels_keep_their_orientation_and_channels_their_order() -> None:
    conv, dense = nn.Conv2d(2, 3, 3, padding=1, bias=False), nn.Linear(27, 5, bias=False)
    with torch.no_grad():
        conv.weight.copy_(torch.arange(54.0).view(3, 2, 3, 3) - 27)
        dense.weight.copy_(torch.arange(135.0).view(5, 27) % 127 - 60)
    net = nn.Sequential(conv, nn.Flatten(), dense, hidden("Leaky", threshold=900.5))
    graph = compiler.from_snntorch(net, torch.rand(1, 2, 3, 3))
    x = np.zeros((2, 18, 2, 3, 3))
    x[0, np.arange(18)] = np.eye(18).reshape(18, 2, 3, 3)  # each position of each channel alone
    found, wanted = run(graph, x)
    assert 0 < wanted.sum() < wanted.size
    assert np.mean(found != wanted) < 0.02
    only = nn.Sequential(conv, hidden("Leaky", threshold=10.5))
    found, wanted = run(compiler.from_snntorch(only, torch.rand(1, 2, 3, 3)), x)
    assert np.array_equal(found, wanted)  # whole numbers of at most 7 bits lose nothing


def test_weights_that_are_all_zero() -> None:
    net = nn.Sequential(nn.Linear(3, 4, bias=False), hidden("Leaky"))
    with torch.no_grad():
        net[0].weight.zero_()
    found, _ = run(graph := compiler.from_snntorch(net, torch.rand(1, 3)), spikes(graph))
    assert not found.any()


def test_a_small_classifier_keeps_its_classes() -> None:
    torch.manual_seed(10)
    net = nn.Sequential(
        nn.Linear(4, 8), hidden("Synaptic", alpha=0.5, threshold=0.5),
        nn.Linear(8, 3), hidden("Leaky", threshold=0.5),
    )  # fmt: skip
    graph = compiler.from_snntorch(net, torch.rand(1, 4))
    found, wanted = run(graph, spikes(graph, 30))
    counts, expected = found.sum(0), wanted.sum(0)
    clear = np.sort(expected, 1)[:, -1] > np.sort(expected, 1)[:, -2]
    assert clear.sum() >= 10
    assert np.mean(counts.argmax(1)[clear] == expected.argmax(1)[clear]) >= 0.9
    assert np.abs(counts - expected).max() <= 2


def test_seven_layers_take_no_step_each() -> None:
    """A layer of snnTorch hears the one below in the same step, so 8 steps are enough for 7."""
    layers: list[nn.Module] = []
    for _ in range(7):
        layers += [nn.Linear(4, 4, bias=False), hidden("Leaky", threshold=0.5)]
        with torch.no_grad():
            layers[-2].weight.copy_(torch.eye(4))
    graph = compiler.from_snntorch(nn.Sequential(*layers), torch.rand(1, 4))
    x = np.zeros((8, 1, 4))
    x[0] = 1.0
    found, wanted = run(graph, x)
    assert wanted[0].all()
    assert np.array_equal(found, wanted)


def test_the_whole_path_of_a_nir_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(7)
    net = nn.Sequential(nn.Linear(6, 8), hidden("Leaky", threshold=0.4))
    graph = compiler.from_snntorch(net, torch.rand(1, 6))
    write_nir(tmp_path / "net.nir", graph)
    x = spikes(graph, 5)
    np.save(tmp_path / "x.npy", x)
    assert call("check", tmp_path / "net.nir", "--target", "loihi2-sim") == 0
    assert call("compile", tmp_path / "net.nir", "--steps", STEPS) == 0
    bundle = tmp_path / "net.clapp"
    out, told = tmp_path / "y.npy", tmp_path / "y.json"
    assert call("answer", bundle, tmp_path / "x.npy", "--out", out, "--json", told) == 0
    wanted = emulate(graph, x).output(graph)
    assert np.mean(np.load(out).swapaxes(0, 1) != wanted) < 0.02
    assert len(json.loads(told.read_text())["best"]) == 5
    assert call("verify", bundle, "--against", "tensor", "--fixations", 4) == 0
    assert "equal: 4 fixations" in capsys.readouterr().out
    assert call("emit", bundle, "--out", tmp_path / "project", "--fixations", 2) == 0
    assert (tmp_path / "project" / "run.py").is_file()
    assert call("run", bundle) == 2
    assert "show it samples with clapp-neuro answer" in capsys.readouterr().err


def test_the_whole_path_of_an_ann(tmp_path: Path) -> None:
    torch.manual_seed(8)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(64, 5)
    )
    images = np.random.default_rng(9).random((30, 1, 8, 8))
    write_onnx(tmp_path / "net.onnx", compiler.from_torch(net, torch.rand(1, 1, 8, 8)))
    with pytest.raises(InputError, match="is an ANN: give --calibration"):
        clapp_neuro.compile(tmp_path / "net.onnx")
    np.save(tmp_path / "images.npy", images)
    how = Reading(steps=64, calibration=tmp_path / "images.npy")
    result = clapp_neuro.compile(tmp_path / "net.onnx", reading=how)
    assert any("calibration images" in note.text for note in result.compiled.notes)
    answered = clapp_neuro.answer(tmp_path / "net.clapp", images)
    with torch.no_grad():
        wanted = net(torch.from_numpy(images).float()).numpy()
    assert np.mean(answered.best == wanted.argmax(1)) >= 0.9
    assert np.abs(answered.totals / 64 - wanted).max() < 0.1 * np.abs(wanted).max()


def test_answers_to_what_does_not_fit(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Linear(6, 8), hidden("Leaky"))
    write_nir(tmp_path / "net.nir", compiler.from_snntorch(net, torch.rand(1, 6)))
    clapp_neuro.compile(tmp_path / "net.nir", reading=Reading(steps=4))
    bundle = tmp_path / "net.clapp"
    (tmp_path / "text.npy").write_text("no numbers")
    for samples, reason in (
        (np.ones((4, 2, 5)), r"give \(steps, samples, \.\.\.\) with 6 values each, for 4 steps"),
        (tmp_path / "text.npy", "is no .npy file of numbers"),
        (tmp_path / "missing.npy", "No such file"),
    ):
        with pytest.raises(InputError, match=reason):
            clapp_neuro.answer(bundle, samples)
