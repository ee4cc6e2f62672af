"""Kernels that learn, from checkpoint to chip: commands, engines, the float reference."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from test_cli import call

import clapp_neuro
from clapp_neuro.verbs.sight import gaze, images_of
from compiler.backends import simulator
from compiler.bundle import read_bundle
from compiler.connectivity import on_the_map
from compiler.program import TAG_UNITS
from compiler.terms import Connection


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two small convolutions, one pooled, that learned online from real images for a moment."""
    path = tmp_path_factory.mktemp("kernels") / "model.pt"
    small = clapp_neuro.with_settings(
        clapp_neuro.load_preset("fashion-conv-chip"),
        data={"patch": 8, "stride": 10},
        encoder={"layers": (8, 12), "pool": (1,)},
        train={"mode": "online", "steps": 20},
    )
    clapp_neuro.train(small, path)
    return path


def untied(path: Path) -> list:
    program = read_bundle(path)[0]
    return [s for s in program.synapses if s.connection is Connection.UNTIED]


@pytest.mark.parametrize("kernels", ["untied", "tied-averaged"])
def test_the_commands(kernels: str, model: Path, tmp_path: Path) -> None:
    bundle, learned = tmp_path / "m.clapp", tmp_path / "learned.clapp"
    report = tmp_path / "report.json"
    words = ("--kernels", kernels, "--average-every", 30, "--out", bundle, "--json", report)
    assert call("compile", model, *words) == 0
    examples = {e["projection"]: e for e in json.loads(report.read_text())["examples"]}
    assert list(examples) == [f"layer{n}.{role}" for n in (1, 2)
                              for role in ("forward", "prediction", "retrodiction")]  # fmt: skip
    for name, example in examples.items():
        assert example["expected"] != 0
        # traces of inputs and of means lose their lowest bits
        assert 0.7 < example["matrix"] < 1.2, name
    assert call("run", bundle, "--learn", "--images", 10, "--out", learned, "--json", report) == 0
    values = json.loads(report.read_text())
    assert values["fixations"] == 90 and list(values["loss"]) == ["layer1", "layer2"]
    for before, after in zip(untied(bundle), untied(learned), strict=True):
        height, width = read_bundle(bundle)[0].population(before.target).map[1:]
        real = np.broadcast_to(on_the_map(before.weights.shape, (height, width)), before.tags.shape)
        assert (before.tags != after.tags)[real].any()
        assert not after.weights[~real].any() and not after.tags[~real].any()
        exact = TAG_UNITS * after.weights.astype(int) + after.tags
        spread = np.ptp(np.where(real, exact, exact[height * width // 2 + width // 2]), axis=0)
        # 90 fixations: after the third averaging all copies are one again
        assert (spread.max() == 0) == (kernels == "tied-averaged")


def test_one_set_of_synapses_for_all_positions(model: Path, tmp_path: Path, capsys) -> None:
    bundle, learned = tmp_path / "m.clapp", tmp_path / "learned.clapp"
    report = tmp_path / "report.json"
    words = ("--kernels", "sequential", "--average-every", 30, "--out", bundle, "--json", report)
    assert call("compile", model, *words) == 0
    compiled = json.loads(report.read_text())
    # 64 positions, a row and a column more of them; two slots, and what else there is
    assert compiled["timetable"]["period"] - 2 * 9 * 9 in range(20, 60)
    for example in compiled["examples"]:
        assert 0.7 < example["matrix"] < 1.2, example["projection"]
    assert call("run", bundle, "--learn", "--images", 10, "--out", learned, "--json", report) == 0
    program, after = read_bundle(bundle)[0], read_bundle(learned)[0]
    assert untied(bundle) == [] and not json.loads(report.read_text())["loss"].keys() ^ {
        "layer1",
        "layer2",
    }
    carried = 0
    for old, new in zip(program.synapses, after.synapses, strict=True):
        if old.in_turn:
            carried += int((old.weights != new.weights).sum())
            assert (np.abs(new.tags) <= new.tag_units // 2).all() and (old.tags != new.tags).any()
    assert carried > 0, "three times in 90 fixations"
    assert call("energy", learned, "--images", 5) == 0
    assert call("run", learned, "--probe", "--images", 5, "--train-images", 50) == 0
    capsys.readouterr()
    assert call("verify", bundle, "--against", "lava", "--fixations", 2) == 0
    assert call("verify", bundle, "--against", "lava", "--learn", "--fixations", 2) == 2
    refused = capsys.readouterr().err
    assert "layer1.forward learns from one position after the other" in refused
    assert call("verify", bundle, "--against", "tensor", "--learn", "--fixations", 4) == 0


@pytest.mark.parametrize("kernels", ["untied", "sequential"])
def test_the_float_network_learns_the_same(kernels: str, model: Path, tmp_path: Path) -> None:
    bundle, report = tmp_path / "m.clapp", tmp_path / "report.json"
    assert call("compile", model, "--kernels", kernels, "--out", bundle) == 0
    words = ("--against", "reference", "--learn", "--fixations", 40, "--json", report)
    assert call("verify", bundle, *words) == 0
    agreement = json.loads(report.read_text())["agreement"]
    for role in ("forward", "prediction", "retrodiction"):
        assert agreement[f"layer1.{role} change"]["correlation"] > 0.8
    assert agreement["layer1.pool counts"]["correlation"] > 0.999


def test_lava_learns_the_same_bits(model: Path, tmp_path: Path) -> None:
    bundle, report = tmp_path / "m.clapp", tmp_path / "report.json"
    assert call("compile", model, "--kernels", "tied-averaged", "--average-every", 2,
                "--out", bundle) == 0  # fmt: skip
    words = ("--against", "lava", "--learn", "--fixations", 5, "--json", report)
    assert call("verify", bundle, *words) == 0
    assert json.loads(report.read_text())["weights_compared"] > 0


def test_what_was_learned_has_an_energy_and_a_readout(model: Path, tmp_path: Path) -> None:
    bundle, learned = tmp_path / "m.clapp", tmp_path / "learned.clapp"
    assert call("compile", model, "--out", bundle) == 0
    assert call("run", bundle, "--learn", "--images", 10, "--out", learned) == 0
    assert call("energy", learned, "--images", 5, "--readout-images", 0) == 0
    assert call("run", learned, "--probe", "--images", 5, "--train-images", 50) == 0


@pytest.mark.parametrize("kernels", ["tied-averaged", "sequential"])
def test_a_run_goes_on_to_the_bit(kernels: str, model: Path, tmp_path: Path) -> None:
    """Averaging counts fixations over both parts of a run."""
    bundle = tmp_path / "m.clapp"
    words = ("--kernels", kernels, "--average-every", 7, "--out", bundle)
    assert call("compile", model, *words) == 0
    program = read_bundle(bundle)[0]
    images = images_of(program, None)
    stimulus = gaze(program, images, 20, 0)
    whole = simulator.simulate(program, stimulus)
    first = simulator.simulate(program, stimulus.part(0, 9))
    second = simulator.simulate(first.program, stimulus.part(9, 20), state=first.state)
    assert second.program.synapses == whole.program.synapses


def test_the_engine_on_tensors_learns_the_same_bits(model: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "m.clapp"
    assert call("compile", model, "--out", bundle) == 0
    assert call("verify", bundle, "--against", "tensor", "--learn", "--fixations", 4) == 0
