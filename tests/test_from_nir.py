"""NIR files: its own equations by a reference of a few lines, foreign files, damaged bytes."""

from __future__ import annotations

from itertools import pairwise, product
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest
import snntorch as snn
import torch
from damage import refusals
from snntorch.export_nir import export_to_nir
from torch import nn

from clapp_neuro.errors import InputError
from compiler.frontends.nir.graph import from_nir
from compiler.source import Delay, Graph, Neuron
from compiler.source.emulate import emulate

DT = 1e-3
N = 4


def full(value: float) -> np.ndarray:
    return np.full(N, value)


def write(path: Path, *nodes: Any, shape: tuple[int, ...] = (3,)) -> Path:
    named = {"input": nir.Input({"input": np.array(shape)})}
    named |= {f"n{i}": node for i, node in enumerate(nodes)}
    named["output"] = nir.Output({"output": None})
    names = list(named)
    del named["output"]
    graph = nir.NIRGraph(named, [], type_check=False)
    graph.nodes["output"] = nir.Output({"output": np.array([1])})
    graph.edges = list(pairwise(names))
    nir.write(path, graph)
    with h5py.File(path, "a") as file:
        del file["node/nodes/output/shape"]
    return path


def reference(node: Any, x: np.ndarray, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """NIR's equations by forward Euler; x (T, N)."""
    v = np.broadcast_to(getattr(node, "v_leak", 0.0), x.shape[1:]).astype(float)
    i, spikes, potentials = np.zeros(x.shape[1:]), [], []
    for x_t in x:
        i = i + dt / node.tau_syn * (node.w_in * x_t - i) if hasattr(node, "tau_syn") else x_t
        tau = getattr(node, "tau_mem", getattr(node, "tau", None))
        v = v + (dt * node.r * i if tau is None else dt / tau * (node.v_leak - v + node.r * i))
        z = v > node.v_threshold if hasattr(node, "v_threshold") else np.zeros_like(v, bool)
        v = np.where(z, getattr(node, "v_reset", 0), v)
        spikes.append(z)
        potentials.append(v)
    return np.array(spikes), np.array(potentials)


KINDS = {
    "LIF": lambda: nir.LIF(full(0.02), full(3.0), full(0.1), full(0.4), full(-0.1)),
    "LIF, tau of a step": lambda: nir.LIF(full(DT), full(1.0), full(0.0), full(0.7)),
    "IF": lambda: nir.IF(full(100.0), full(0.6), full(0.05)),
    "I": lambda: nir.I(full(50.0)),
    "LI": lambda: nir.LI(full(0.02), full(2.0), full(0.3)),
    "CubaLI": lambda: nir.CubaLI(full(0.005), full(0.02), full(1.0), full(0.0), full(2.0)),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dt", [DT, 5e-4])
def test_neurons_do_what_their_equations_say(kind: str, dt: float, tmp_path: Path) -> None:
    node = KINDS[kind]()
    graph = from_nir(write(tmp_path / "n.nir", node, shape=(N,)), dt)
    x = np.random.default_rng(0).random((80, N))
    found = emulate(graph, x[:, None], dtype=np.float64)
    spikes, potentials = reference(node, x, dt)
    assert np.allclose(found.membrane["n0"][:, 0], potentials)
    if hasattr(node, "v_threshold"):
        assert np.array_equal(found.output(graph)[:, 0], spikes)
        assert spikes.any()


@pytest.mark.parametrize(
    ("tau_syn", "w_in", "r"), product([0.001, 0.005], [1.0, 50.0], [1.0, 20.0])
)
def test_the_drive_is_scaled_once(tau_syn: float, w_in: float, r: float, tmp_path: Path) -> None:
    node = nir.CubaLIF(full(tau_syn), full(0.02), full(r), full(0.0), full(0.5), w_in=full(w_in))
    graph = from_nir(write(tmp_path / "n.nir", node, shape=(N,)), DT)
    x = np.random.default_rng(1).random((60, N))
    found = emulate(graph, x[:, None], dtype=np.float64)
    spikes, potentials = reference(node, x, DT)
    assert np.array_equal(found.output(graph)[:, 0], spikes)
    assert np.allclose(found.membrane["n0"][:, 0], potentials)


def test_kernels_that_are_not_square_and_all_that_is_no_neuron(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    weight = rng.normal(size=(4, 1, 3, 2)).astype(np.float32)
    conv = nir.Conv2d((8, 7), weight, (2, 1), (1, 0), (1, 2), 2, np.zeros(4, np.float32))
    nodes = [
        conv,
        nir.SumPool2d(np.array([2, 1]), np.array([2, 1]), np.array([0, 0])),
        nir.AvgPool2d(np.array([1, 2]), np.array([1, 2]), np.array([0, 1])),
        nir.Flatten({"input": np.array([4, 2, 3])}, 0, -1),
        nir.Scale(np.array([2.0])),
        nir.Delay(np.full(1, 2 * DT)),
        nir.Threshold(np.array([0.3])),
    ]
    path = write(tmp_path / "c.nir", *nodes, shape=(2, 8, 7))
    graph = from_nir(path, DT)
    assert graph.shapes["n0"] == (4, 4, 5)
    assert graph.shapes["n2"] == (4, 2, 3)
    x = rng.random((1, 2, 8, 7)).astype(np.float32)
    t = torch.nn.functional.conv2d(
        torch.from_numpy(x), torch.from_numpy(weight), None, (2, 1), (1, 0), (1, 2), 2
    )
    t = torch.nn.functional.avg_pool2d(t, (2, 1), (2, 1), divisor_override=1)
    t = torch.nn.functional.avg_pool2d(t, (1, 2), (1, 2), (0, 1))
    wanted = (2 * t.flatten(1) > 0.3).numpy()
    sent = emulate(graph, x[None].repeat(4, 0)).output(graph)
    assert not sent[:2].any()
    assert np.array_equal(sent[2], wanted)
    assert isinstance(graph.nodes["n5"], Delay)


def recurrent() -> nir.NIRGraph:
    """A recurrent layer as snnTorch writes it: a graph inside the graph."""
    lif = nir.LIF(full(0.005), full(5.0), full(0.0), full(0.9))
    back = nir.Affine(np.random.default_rng(3).normal(size=(N, N)) * 0.5, full(0.1))
    inner = nir.NIRGraph(
        {
            "input": nir.Input({"input": np.array([N])}),
            "lif": lif,
            "w_rec": back,
            "output": nir.Output({"output": np.array([N])}),
        },
        [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")],
        type_check=False,
    )
    return nir.NIRGraph(
        {
            "input": nir.Input({"input": np.array([N])}),
            "rnn": inner,
            "output": nir.Output({"output": np.array([N])}),
        },
        [("input", "rnn"), ("rnn", "output")],
        type_check=False,
    )


def test_a_loop_is_cut_where_spikes_come_back(tmp_path: Path) -> None:
    path = tmp_path / "r.nir"
    nir.write(path, recurrent())
    graph = from_nir(path, DT)
    assert [str(e) for e in graph.edges if e.delayed] == ["rnn.lif -> rnn.w_rec (one step later)"]
    rnn = recurrent().nodes["rnn"].nodes
    lif, back = rnn["lif"], rnn["w_rec"]
    x = np.random.default_rng(4).random((50, N))
    v, z, wanted = np.zeros(N), np.zeros(N), []
    for x_t in x:
        drive = x_t + back.weight @ z + back.bias
        v = v + DT / lif.tau * (-v + lif.r * drive)
        z = (v > lif.v_threshold).astype(float)
        v = np.where(z > 0, 0, v)
        wanted.append(z)
    assert np.array_equal(emulate(graph, x[:, None], dtype=np.float64).output(graph)[:, 0], wanted)


def test_a_file_that_snntorch_writes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Linear(5, 6),
        snn.Leaky(torch.full((6,), 0.9), threshold=torch.full((6,), 1.0), init_hidden=True),
    )
    path = tmp_path / "s.nir"
    nir.write(path, export_to_nir(net, torch.rand(1, 5), ignore_dims=[0]))
    graph = from_nir(path, 1e-4)
    neuron = next(n for n in graph.nodes.values() if isinstance(n, Neuron))
    assert np.allclose(neuron.decay, 0.9)
    assert np.allclose(neuron.gain, 1.0)
    with pytest.raises(InputError, match=r"give --dt SECONDS \(snnTorch writes for 1e-4"):
        from_nir(path)


def test_all_faults_of_a_file_are_said_at_once(tmp_path: Path) -> None:
    lif = nir.LIF(full(0.02), full(1.0), full(0.0), full(1.0))
    path = write(tmp_path / "bad.nir", nir.Linear(np.ones((N, 3))), lif)
    with h5py.File(path, "a") as file:
        nodes = file["node/nodes"]
        nodes["n0"].create_dataset("gain", data=3.0)
        del nodes["n1/tau"]
        odd = nodes.create_group("odd")
        odd.create_dataset("type", data="Izhikevich")
    with pytest.raises(InputError) as refused:
        from_nir(path, DT)
    for part in ("n0: Linear has the parameter gain", "n1: LIF has no tau", "odd: Izhikevich"):
        assert part in str(refused.value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda n: n["n1/tau"].__setitem__(slice(None), 0.0), "n1: tau is 0; give a time constant"),
        (lambda n: n["n1/tau"].__setitem__(slice(None), 1e-4), "n1: decay is -9"),
        (lambda n: n["n0/weight"].__setitem__((1, 2), np.nan), r"n0: weight\[1, 2\] is nan"),
        (lambda n: n["input/shape"].__setitem__(0, 7), "n0: weight takes 3 inputs, 7 arrive"),
    ],
)
def test_parameters_that_mean_nothing(change: Any, reason: str, tmp_path: Path) -> None:
    lif = nir.LIF(full(0.02), full(1.0), full(0.0), full(1.0))
    path = write(tmp_path / "bad.nir", nir.Linear(np.ones((N, 3))), lif)
    with h5py.File(path, "a") as file:
        change(file["node/nodes"])
    with pytest.raises(InputError, match=reason):
        from_nir(path, DT)


def test_nothing_outside_the_file_is_looked_at(tmp_path: Path) -> None:
    path = write(tmp_path / "link.nir", nir.Linear(np.ones((N, 3))))
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["weight"] = np.ones((N, 3))
    with h5py.File(path, "a") as file:
        del file["node/nodes/n0/weight"]
        file["node/nodes/n0/weight"] = h5py.ExternalLink(str(other), "/weight")
    with pytest.raises(InputError, match="is a link elsewhere"):
        from_nir(path, DT)


def test_damaged_files_are_refused_in_a_sentence(tmp_path: Path) -> None:
    lif = nir.LIF(full(0.02), full(1.0), full(0.0), full(1.0))
    path = write(tmp_path / "w.nir", nir.Affine(np.ones((N, 3)), full(0.0)), lif)

    def use(graph: Graph) -> None:
        emulate(graph, np.ones((2, 1, *graph.shapes["input"])))

    assert refusals(path, lambda damaged: from_nir(damaged, DT), use) > 100
