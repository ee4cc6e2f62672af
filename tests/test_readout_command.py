"""`compile --readout reward` and what follows, as a user runs it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_cli import call

import clapp_neuro
from clapp_neuro.data.images import load_images
from clapp_neuro.errors import InputError
from clapp_neuro.verbs.own_readout import answers, scores
from clapp_neuro.verbs.sight import experiment_of, gaze, machine_of, readouts, scan
from compiler import energy
from compiler.backends.simulator import simulate, trace
from compiler.bundle import read_bundle
from compiler.passes.placing.place import place

IMAGES = 60


def trained(path: Path, preset: str, **train: object) -> Path:
    """A small network of a preset."""
    layers = {"layers": (24, 16)} if preset != "fashion-conv-chip" else {}
    settings = {"steps": 5, **train}
    experiment = clapp_neuro.load_preset(preset)
    clapp_neuro.train(
        clapp_neuro.with_settings(experiment, data={}, encoder=layers, train=settings), path
    )
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("readout") / "model.pt", "fashion-dense", mode="online")


@pytest.fixture(scope="module")
def bundle(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("compiled") / "model.clapp"
    clapp_neuro.compile(model, out=path, readout="reward")
    return path


def test_compile_and_run_show_what_the_chip_names(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, learned, report = (tmp_path / n for n in ("m.clapp", "learned.clapp", "r.json"))
    assert call("compile", model, "--readout", "reward", "--out", path, "--json", report) == 0
    found = {e["projection"]: e for e in json.loads(report.read_text())["examples"]}
    assert found["readout.layer1"]["matrix"] == pytest.approx(1, abs=0.1)
    shown = capsys.readouterr().out
    assert "readout.critic" in shown and "one of 10 classes" in shown
    options = ("--images", IMAGES, "--out", learned, "--probe", "--train-images", 100)
    assert call("run", path, "--learn", *options, "--json", report) == 0
    shown = capsys.readouterr().out
    assert "named the class in" in shown and "added up over all positions" in shown
    values = json.loads(report.read_text())
    assert 0 <= values["rewarded"] <= 1 and list(values["accuracy"]) == ["layer1", "layer2"]
    assert list(values["loss"]) == list(values["rates"]) == ["layer1", "layer2"]
    program = read_bundle(learned)[0]
    images = load_images(experiment_of(program).data)
    right = (answers(program, images.test_images) == images.test_labels).mean()
    assert values["accuracy_on_chip"] == pytest.approx(right)


def test_without_a_readout_nothing_is_said_of_it(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.clapp"
    clapp_neuro.compile(model, out=path)
    result = clapp_neuro.run(path, images=3, learn=True)
    assert result.rewarded is None and result.accuracy_on_chip is None


def test_answers_are_what_the_dendrites_collect(bundle: Path, tmp_path: Path) -> None:
    learned = tmp_path / "learned.clapp"
    clapp_neuro.run(bundle, images=IMAGES, learn=True, out=learned)
    program = read_bundle(learned)[0]
    images = load_images(experiment_of(program).data)
    some = images.test_images[:2]
    seen = scan(program, some)
    seen.signals["class"][:] = -1  # nobody is rewarded: the readout does not learn
    seen.signals["saccade"][:] = 0  # nor does a layer
    collected = np.array([t.retro["readout"] for t in trace(program, seen)])
    assert scores(program, some).reshape(collected.shape).tolist() == collected.tolist()
    assert collected.any()


def test_each_position_has_a_readout_of_its_own(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, learned, report = (tmp_path / n for n in ("m.clapp", "learned.clapp", "r.json"))
    options = ("--readout", "reward-by-position", "--consolidation", "pair", "--out", path)
    assert call("compile", model, *options) == 0
    capsys.readouterr()
    run = ("--learn", "--images", IMAGES, "--out", learned, "--json", report)
    assert call("run", path, *run) == 0
    assert "named the class in" in capsys.readouterr().out
    values = json.loads(report.read_text())
    assert 0 < values["rewarded"] < 1 and list(values["rates"]) == ["layer1", "layer2"]
    program = read_bundle(learned)[0]
    images = load_images(experiment_of(program).data)
    shown = gaze(program, images, 27, seed=1)
    for position, name in enumerate(readouts(program)):
        told = shown.signals[f"class{position + 1}"] >= 0
        assert name == f"readout{position + 1}"
        assert told.tolist() == (np.arange(27) % 9 == position).tolist()
    seen = scan(program, images.test_images[:2])
    for name in seen.signals:
        seen.signals[name][:] = -1 if name.startswith("class") else 0
    collected = [t.retro[f"readout{t.fixation % 9 + 1}"] for t in trace(program, seen)]
    said = scores(program, images.test_images[:2])
    assert said.reshape(18, 10).tolist() == np.array(collected).tolist() and said.any()
    lost = replace(program, gates=program.gates[:-1])
    with pytest.raises(InputError, match="8 readouts for 9 positions"):
        gaze(lost, images, 9, seed=1)


@pytest.mark.parametrize("static", [False, True])
def test_engines_agree(model: Path, tmp_path: Path, static: bool) -> None:
    path = tmp_path / "m.clapp"
    clapp_neuro.compile(model, out=path, readout="reward", static=static)
    assert clapp_neuro.verify(path, against="tensor", learn=True, fixations=40).equal
    assert clapp_neuro.verify(path, against="reference").fixations == 20


def test_verify_against_lava(bundle: Path) -> None:
    assert clapp_neuro.verify(bundle, against="lava", learn=True, fixations=4).equal


def test_the_reference_learns_beside_it(bundle: Path) -> None:
    found = clapp_neuro.verify(bundle, against="reference", learn=True, fixations=30).agreement
    assert "layer1.forward change" in found
    assert not any(name.startswith("readout") for name in found)


def test_energy_counts_it(model: Path, bundle: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.clapp"
    clapp_neuro.compile(model, out=bare)
    costs = []
    for path in (bare, bundle):
        program, _ = read_bundle(path)
        machine = machine_of(program)
        stimulus = gaze(program, load_images(experiment_of(program).data), 40, seed=0)
        events = simulate(program, stimulus).events
        learning = energy.estimate(events, place(program, machine), machine).learning
        assert learning is not None
        costs.append((learning.dynamic.value, events.learning.plastic_updates))
    (less, fewer), (more, updates) = costs
    assert more > less and updates > fewer


def test_what_has_no_readout_is_refused(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    convolution = trained(tmp_path / "conv.pt", "fashion-conv-chip", steps=0)
    timed = trained(tmp_path / "stdp.pt", "fashion-stdp", steps=0)
    out = tmp_path / "none.clapp"
    for given, words in (
        ((model, "--readout", "rewards"), "did you mean 'reward'"),
        ((model, "--readout", "reward", "--readout-rate", -1), "give a number above 0"),
        ((convolution, "--static", "--readout", "reward"), "layer1 is a map"),
        ((convolution, "--readout", "reward-by-position"), "train a dense network"),
        ((timed, "--readout", "reward"), "learns at every time step"),
        ((Path("net.onnx"), "--readout", "reward"), "has no labelled images"),
    ):
        assert call("compile", *given, "--out", out) == 2
        shown = " ".join(capsys.readouterr().err.split())
        assert words in shown, shown
    assert not out.exists()
