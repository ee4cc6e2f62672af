"""What rounding costs, from the command line: exponents, percentiles, and what samples show."""

from __future__ import annotations

import json
from pathlib import Path

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
from compiler.bundle import read_bundle
from compiler.exports.nir import write_nir
from compiler.exports.onnx import write_onnx
from compiler.source import Graph

FIGURES = ("exponent", "unit", "threshold", "decay", "rate", "threshold_distance")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.pt"
    preset = ("--preset", "fashion-dense", "--mode", "online", "--steps", 60)
    assert call("train", *preset, "--out", path) == 0
    return path


def foreign(path: Path) -> Graph:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(10, 20), snn.Leaky(0.9, threshold=0.5, init_hidden=True))
    sample = (torch.rand(25, 1, 10) < 0.4).float()
    graph: Graph = compiler.from_snntorch(net, sample[0])
    write_nir(path, graph)
    return graph


def test_exponents_are_as_asked_and_shown(model: Path, tmp_path: Path, capsys) -> None:
    out, told = tmp_path / "own.clapp", tmp_path / "own.json"
    chosen = ("--exponent", "layer1=-6", "--exponent", "layer2=-3")
    assert call("compile", model, "--static", *chosen, "--out", out, "--json", told) == 0
    assert "exponent" in capsys.readouterr().out
    layers = json.loads(told.read_text())["precision"]["layers"]
    assert [layer["exponent"] for layer in layers] == [-6, -3]
    assert all(name in layer for layer in layers for name in FIGURES)
    program, _ = read_bundle(out)
    shifts = [p.soma.input_shift for p in program.populations if p.soma is not None]
    assert shifts == [0, 3]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--exponent", "layr1=-2"), "unknown layer 'layr1': did you mean 'layer1'"),
        (("--exponent", "layer1=1"), "exponent 1 of layer1: give -6 to 0"),
        (("--exponent", "layer1"), "--exponent layer1: give LAYER=NUMBER"),
        (("--activity-percentile", "12"), "percentile 12 of activities: give 50 to 100"),
        (("--measure", "0"), "measure on 0 samples: give at least 1"),
    ],
)
def test_what_cannot_be_is_said(model: Path, tmp_path: Path, capsys, options, words) -> None:
    out = tmp_path / "out.clapp"
    assert call("compile", model, "--out", out, *options) == 2
    assert words in capsys.readouterr().err and not out.exists()


def test_an_exponent_that_does_not_fit_names_the_largest(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    experiment = clapp_neuro.with_settings(
        clapp_neuro.load_preset("fashion-dense"),
        encoder={"threshold": 200.0},
        train={"mode": "online", "steps": 0},
    )
    clapp_neuro.train(experiment, path)
    with pytest.raises(InputError, match=r"would not fit 23 bits; give at most -\d") as refused:
        clapp_neuro.compile(path, static=True, exponents={"layer1": 0})
    most = int(str(refused.value).split()[-1])
    found = clapp_neuro.compile(path, static=True, exponents={"layer1": most})
    assert found.precision.layers[0].exponent == most


def test_a_checkpoint_is_measured_on_its_images(model: Path, tmp_path: Path, capsys) -> None:
    told = tmp_path / "told.json"
    where = ("--out", tmp_path / "out.clapp", "--json", told)
    assert call("compile", model, "--measure", 9, *where) == 0
    assert "of 9 samples" in capsys.readouterr().out
    found = json.loads(told.read_text())["precision"]["measured"]
    assert found["samples"] == 9 and found["steps"] == 8 and found["cut"] == 0
    for layer in found["layers"].values():
        assert layer["asked"] == 9 * 8 * 256
        assert abs(layer["rate_shift"]) < 0.05
        assert 0 < layer["near"] < 0.1 * layer["asked"]


def test_a_spiking_network_of_another_tool_is_measured_on_samples(tmp_path: Path) -> None:
    path = tmp_path / "net.nir"
    foreign(path)
    samples = (np.random.default_rng(0).random((25, 70, 10)) < 0.4).astype(float)
    np.save(tmp_path / "samples.npy", samples)
    how = Reading(dt=1e-4, steps=25, calibration=tmp_path / "samples.npy")
    found = clapp_neuro.compile(path, reading=how).precision
    assert found.measured.samples == 64
    few = clapp_neuro.compile(path, reading=how, measure=3).precision
    assert few.measured.samples == 3
    (layer,) = found.measured.layers.values()
    assert layer.real > 0 and layer.differing < 0.01 * layer.asked
    assert 0 < found.layers[0].in_thresholds < 0.5
    with pytest.raises(InputError, match="measuring needs samples: give --calibration"):
        clapp_neuro.compile(path, reading=Reading(dt=1e-4), measure=3)
    with pytest.raises(InputError, match="leave the percentile of activities out"):
        clapp_neuro.compile(path, reading=Reading(dt=1e-4, activities=99.0))


def test_percentile_and_maximum_of_activities_choose_an_anns_thresholds(tmp_path: Path) -> None:
    torch.manual_seed(0)
    graph = compiler.from_torch(
        nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 3)), torch.rand(1, 6)
    )
    write_onnx(tmp_path / "ann.onnx", graph)
    np.save(tmp_path / "images.npy", np.random.default_rng(1).random((50, 6)))

    def threshold(activities: float | None) -> float:
        how = Reading(steps=16, calibration=tmp_path / "images.npy", activities=activities)
        found = clapp_neuro.compile(tmp_path / "ann.onnx", reading=how)
        assert found.precision.measured.samples == 50
        (note,) = (n.text for n in found.compiled.notes if "of activations beyond" in n.text)
        return float(note.split("threshold ")[1].split(",")[0])

    assert threshold(80.0) < threshold(None) == threshold(99.9) <= threshold(100.0)


def test_percentile_and_maximum_of_activities_scale_what_a_rule_reads(
    model: Path, tmp_path: Path
) -> None:
    def calibrated(activities: float | None) -> dict[str, float]:
        reading = Reading(activities=activities)
        found = clapp_neuro.compile(model, out=tmp_path / "out.clapp", reading=reading)
        return found.compiled.quantized.network.calibration

    stored, same, largest = (calibrated(p) for p in (None, 99.9, 100.0))
    assert same == pytest.approx(stored, rel=1e-4)
    assert largest["layer1.apical_max"] > stored["layer1.apical_max"]
