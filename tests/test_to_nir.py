"""NIR out: our reader gives the same graph back, and snnTorch's and Norse's readers load it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nir
import norse.torch as norse
import numpy as np
import pytest
import snntorch as snn
import torch
from norse.torch.utils.import_nir import from_nir as norse_from_nir
from snntorch.import_nir import import_from_nir
from torch import nn

import compiler
from clapp_neuro.errors import InputError
from compiler.exports.nir import to_nir, write_nir
from compiler.frontends.nir.graph import from_nir
from compiler.source import Graph
from compiler.source.emulate import emulate

STEPS = 30


def hidden(kind: str, **settings: Any) -> nn.Module:
    return getattr(snn, kind)(beta=0.85, init_hidden=True, **settings)


def networks() -> dict[str, Graph]:
    torch.manual_seed(0)
    dense = nn.Sequential(nn.Linear(5, 6), hidden("Leaky"), nn.Linear(6, 3, bias=False))
    maps = nn.Sequential(
        nn.BatchNorm2d(2),
        nn.Conv2d(2, 4, (3, 2), stride=(1, 2), padding=(1, 0), groups=2, bias=False),
        hidden("Leaky", threshold=0.1, reset_mechanism="zero", reset_delay=False),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(4 * 3 * 2, 3),
        hidden("Synaptic", alpha=0.5, threshold=0.2, reset_mechanism="none"),
    )
    recurrent = nn.Sequential(nn.Linear(5, 4), hidden("RLeaky", linear_features=4))
    cells = norse.SequentialState(
        nn.Linear(5, 4), norse.LIFCell(), nn.Linear(4, 4), norse.IAFCell(), norse.LICell()
    )
    return {
        "dense": compiler.from_snntorch(dense, torch.rand(1, 5)),
        "maps": compiler.from_snntorch(maps, torch.rand(1, 2, 6, 9)),
        "recurrent": compiler.from_snntorch(recurrent, torch.rand(1, 5)),
        "norse": compiler.from_norse(cells, torch.rand(1, 5)),
    }


GRAPHS = networks()


@pytest.mark.parametrize("name", GRAPHS)
def test_a_round_trip_changes_nothing(name: str, tmp_path: Path) -> None:
    graph = GRAPHS[name]
    write_nir(tmp_path / "g.nir", graph)
    again = from_nir(tmp_path / "g.nir")
    assert again.nodes.keys() == graph.nodes.keys()
    assert set(again.edges) == set(graph.edges)
    for title, node in graph.nodes.items():
        other = again.nodes[title]
        assert type(other) is type(node)
        for key, array in node.arrays().items():
            assert np.allclose(other.arrays()[key], array, rtol=1e-14, atol=1e-16), (title, key)
    x = (np.random.default_rng(1).random((STEPS, 2, *graph.shapes["input"])) < 0.5) * 2.0
    ran, ran_again = (emulate(g, x).output(g) for g in (graph, again))
    assert ran.any()
    assert np.allclose(ran, ran_again, atol=1e-6)
    write_nir(tmp_path / "h.nir", again)
    assert (tmp_path / "h.nir").stat().st_size > 0


def test_the_reader_of_nir_itself_checks_it(tmp_path: Path) -> None:
    for name, graph in GRAPHS.items():
        write_nir(tmp_path / "g.nir", graph)
        read = nir.read(tmp_path / "g.nir", type_check=name != "maps")  # wrong for such kernels
        inner = {f"{n}.recurrent" for n in read.nodes}  # recurrent layers are graphs of their own
        assert set(graph.nodes) - inner <= set(read.nodes)


@pytest.mark.parametrize("name", ["dense", "recurrent"])
def test_snntorch_loads_it(name: str, tmp_path: Path) -> None:
    write_nir(tmp_path / "g.nir", GRAPHS[name], dt=1e-4)
    net = import_from_nir(nir.read(tmp_path / "g.nir"))
    decays = [float(np.ravel(m.beta)[0]) for m in net.modules() if hasattr(m, "beta")]
    assert decays
    assert np.allclose(decays, 0.85, atol=1e-6)


@pytest.mark.parametrize("name", ["dense", "norse"])
def test_norse_loads_it(name: str, tmp_path: Path) -> None:
    graph = GRAPHS[name]
    kept = {"dense": graph, "norse": GRAPHS["dense"]}[name]
    write_nir(tmp_path / "g.nir", kept, dt=1e-3)
    net = norse_from_nir(nir.read(tmp_path / "g.nir"), dt=1e-3)
    assert sum(p.numel() for p in net.parameters()) == sum(
        a.size
        for n in kept.nodes.values()
        for k, a in n.arrays().items()
        if k in ("weight", "bias")
    )


def test_what_readers_will_do_otherwise_is_said() -> None:
    notes = to_nir(GRAPHS["dense"]).notes
    assert any("1: its reset ('subtract') is metadata" in note for note in notes)
    assert to_nir(GRAPHS["maps"]).notes[0].startswith("6: its reset ('none')")


def test_what_nir_cannot_say_is_refused_by_name() -> None:
    net = nn.Sequential(
        nn.Conv2d(1, 2, 2, padding="same"), hidden("Leaky"), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(8, 3), snn.Leaky(torch.tensor([0.5, 1.0, 1.0]), init_hidden=True),
    )  # fmt: skip
    graph = compiler.from_snntorch(net, torch.rand(1, 1, 4, 4))
    with pytest.raises(InputError) as refused:
        to_nir(graph)
    for part in ("0: its padding", "2: NIR has no MaxPool", "5: some of its neurons do not leak"):
        assert part in str(refused.value)
    with pytest.raises(InputError, match="dt is 0"):
        to_nir(graph, 0.0)
