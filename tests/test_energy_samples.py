"""`run` and `energy` of networks that people bring: on their samples, counted, costed, judged."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import norse.torch as norse
import numpy as np
import pytest
import snntorch as snn
import torch
from compiled_program import compiled
from test_cli import call
from torch import nn

import clapp_neuro
import compiler
from clapp_neuro.errors import InputError
from clapp_neuro.verbs.source import Reading
from compiler.backends import simulator
from compiler.bundle import read_bundle, write_bundle
from compiler.exports.nir import write_nir
from compiler.exports.onnx import write_onnx
from compiler.source import Graph

STEPS, SAMPLES = 12, 7


def spiking() -> Graph:
    torch.manual_seed(7)
    leaky = [snn.Leaky(beta=0.85, init_hidden=True, threshold=0.4) for _ in range(2)]
    net = nn.Sequential(nn.Linear(6, 9), leaky[0], nn.Linear(9, 3), leaky[1])
    return compiler.from_snntorch(net, torch.rand(1, 6))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """net.clapp from a NIR file, samples x.npy, and labels y.npy of which one is wrong."""
    path = tmp_path_factory.mktemp("foreign")
    write_nir(path / "net.nir", spiking())
    assert call("compile", path / "net.nir", "--steps", STEPS) == 0
    random = np.random.default_rng(0)
    np.save(path / "x.npy", (random.random((STEPS, SAMPLES, 6)) < 0.4).astype(float))
    labels = clapp_neuro.answer(path / "net.clapp", path / "x.npy").best
    labels[0] = 2 - labels[0] if labels[0] != 1 else 0
    np.save(path / "y.npy", labels)
    write_bundle(path / "ours.clapp", compiled())
    return path


def test_energy_of_a_nir_file_as_a_user_runs_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {kind: folder / f"energy.{kind}" for kind in ("json", "csv", "png")}
    options = ("--json", files["json"], "--csv", files["csv"], "--plot", files["png"], "--events")
    given = ("--input", folder / "x.npy", "--labels", folder / "y.npy")
    assert call("energy", folder / "net.clapp", *given, "--compare", "all", *options) == 0
    shown = " ".join(capsys.readouterr().out.split())
    accuracy = (SAMPLES - 1) / SAMPLES
    assert f"accuracy {accuracy:.1%} as the program's integers ({SAMPLES} images)" in shown
    assert "It may be concluded" in shown and "of the slowest core of each step" in shown
    told = json.loads(files["json"].read_text())
    assert told["images"] == SAMPLES and told["accuracy"]["chip"] == pytest.approx(accuracy)
    assert set(told["this_cpu"]) == {
        "dense network in integers, inference",
        "event loop, inference",
    }
    program, _ = read_bundle(folder / "net.clapp")
    x = np.load(folder / "x.npy")
    _, events = simulator.infer(program, compiler.stimulus(program, x))
    counted = told["estimate"]["inference"]["events"]
    assert counted["host_message"]["count"] == x.sum() == events.inference.host_messages
    operations = sum(v["count"] for k, v in counted.items() if k.startswith("synaptic_operation"))
    assert operations == pytest.approx(events.inference.synaptic_operations)
    assert counted["management_step"]["count"] == SAMPLES * STEPS
    assert told["estimate"]["learning"] is None
    rows = list(csv.DictReader(files["csv"].open()))
    assert {"loihi1", "loihi2", "cpu", "gpu"} <= {row["machine"] for row in rows}
    assert files["png"].read_bytes().startswith(b"\x89PNG")


def test_run_looks_at_samples(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = folder / "run.json"
    assert call("run", folder / "net.clapp", "--input", folder / "x.npy", "--json", told) == 0
    assert f"{SAMPLES} samples on the simulator" in capsys.readouterr().out
    data = json.loads(told.read_text())
    assert len(data["rates"]) == 2 and all(0 < rate < 1 for rate in data["rates"].values())
    spikes = clapp_neuro.answer(folder / "net.clapp", folder / "x.npy").values
    assert list(data["rates"].values())[-1] == pytest.approx(spikes.mean())


def test_energy_of_an_ann_of_onnx(tmp_path: Path) -> None:
    torch.manual_seed(8)
    net = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(75, 4))
    write_onnx(tmp_path / "net.onnx", compiler.from_torch(net, torch.rand(1, 1, 5, 5)))
    images = np.random.default_rng(9).random((20, 1, 5, 5))
    np.save(tmp_path / "images.npy", images)
    how = Reading(steps=32, calibration=tmp_path / "images.npy")
    clapp_neuro.compile(tmp_path / "net.onnx", reading=how)
    found = clapp_neuro.energy(tmp_path / "net.clapp", samples=images, compare="loihi2,gpu")
    assert found.images == 20 and found.estimate.inference.dynamic.value > 0
    assert found.accuracy.chip is None and str(found.accuracy) == "accuracy not measured"
    assert len(found.comparison.estimates) == 3


def test_energy_of_networks_from_norse_and_snntorch(tmp_path: Path) -> None:
    torch.manual_seed(2)
    recurrent = norse.SequentialState(norse.LIFRecurrentCell(6, 8), nn.Linear(8, 3), norse.LICell())
    x = (np.random.default_rng(1).random((STEPS, 4, 6)) < 0.5).astype(float)
    for graph in (compiler.from_norse(recurrent, torch.rand(1, 6)), spiking()):
        program = compiler.compile_network(graph, "loihi2-sim", steps=STEPS).program
        write_bundle(tmp_path / "net.clapp", program)
        found = clapp_neuro.energy(tmp_path / "net.clapp", samples=x)
        assert found.images == 4 and found.estimate.fixations == 4
        each = found.estimate.inference
        assert each.total.value == pytest.approx(
            each.dynamic.value + each.static.value + each.management.value
        )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("energy", "net.clapp"), "with run and energy, --input SAMPLES.npy"),
        (("run", "net.clapp"), "with run and energy, --input SAMPLES.npy"),
        (("energy", "ours.clapp", "--input", "x.npy"), "looks at images of its own"),
        (("run", "ours.clapp", "--input", "x.npy"), "looks at images of its own"),
        (("energy", "net.clapp", "--labels", "y.npy"), "give --input"),
        (("energy", "net.clapp", "--input", "y.npy"), "samples have shape (7,)"),
        (("energy", "net.clapp", "--input", "none.npy"), "No such file"),
        (("energy", "net.clapp", "--input", "net.nir"), "is no .npy file of numbers"),
        (("energy", "net.clapp", "--input", "empty.npy"), "there are no samples"),
        (("energy", "net.clapp", "--input", "x.npy", "--labels", "x.npy"), "a whole number for"),
        (("energy", "net.clapp", "--input", "x.npy", "--images", 3), "leave them out where"),
        (("energy", "net.clapp", "--input", "x.npy", "--reach", 0.5), "leave them out where"),
        (("run", "net.clapp", "--input", "x.npy", "--learn"), "not learned from"),
        (("run", "net.clapp", "--input", "x.npy", "--images", 3), "not learned from"),
        (("energy", "--sweep", "--input", "x.npy"), "--input"),
    ],
)
def test_what_does_not_fit_is_one_sentence(
    folder: Path,
    arguments: tuple,
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder)
    np.save("empty.npy", np.zeros((STEPS, 0, 6)))
    assert call(*arguments) == 2
    err = capsys.readouterr().err
    assert words in " ".join(err.split()) and "Traceback" not in err


def test_labels_in_python_are_checked_before_any_work(folder: Path) -> None:
    with pytest.raises(InputError, match="a whole number for each of the 7 samples"):
        clapp_neuro.energy(
            folder / "net.clapp", samples=folder / "x.npy", labels=np.zeros(7, np.float32)
        )
