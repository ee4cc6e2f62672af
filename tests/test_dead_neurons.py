"""`run` says which neurons tell nothing: they never spike, or do so in every fixation."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import clapp_neuro
from clapp_neuro.cli import main
from clapp_neuro.config import read_experiment
from clapp_neuro.verbs import dead_neurons as module
from clapp_neuro.verbs.dead_neurons import Untold, dead_neurons
from compiler.bundle import read_bundle, write_bundle

WIDTHS = (10, 6)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    values = {
        "data": {"dataset": "fashion-mnist", "images": 100},
        "encoder": {"layers": list(WIDTHS)},
        "train": {"mode": "online", "steps": 0},
    }
    path = tmp_path_factory.mktemp("model") / "model.pt"
    clapp_neuro.train(read_experiment(values, "test"), path)
    program, notes = read_bundle(clapp_neuro.compile(path).path)
    synapses = {s.name: s for s in program.synapses}
    first = synapses["layer1.forward"]
    weights = first.weights.copy()  # (target, source)
    weights[2:4], weights[4] = -1, 127
    changed = replace(first, weights=weights)
    kept = tuple(changed if s is first else s for s in program.synapses)
    return write_bundle(path.with_suffix(".clapp"), replace(program, synapses=kept), notes)


@pytest.mark.parametrize("at_once", [2, 500])
def test_they_are_counted_over_all_fixations(bundle, at_once, monkeypatch):
    monkeypatch.setattr(module, "IMAGES_AT_ONCE", at_once)
    program, _ = read_bundle(bundle)
    bright = np.full((5, 28, 28), 200, np.uint8)
    first = dead_neurons(program, bright)["layer1"]
    assert (first.neurons, first.dead >= 2, first.always_on >= 1) == (10, True, True)
    bright[4] = 0  # a last image that no neuron spikes for: nothing is always on
    assert dead_neurons(program, bright)["layer1"] == replace(first, always_on=0)
    black = dead_neurons(program, np.zeros((3, 28, 28), np.uint8))
    assert black == {f"layer{n}": Untold(size, size, 0) for n, size in enumerate(WIDTHS, 1)}


def test_run_shows_them_before_learning_and_after(bundle, tmp_path, capsys):
    looked = clapp_neuro.run(bundle, images=4)
    assert looked.dead_of == 4 and not looked.dead_before
    assert looked.dead_after["layer1"].dead >= 2
    out, told = tmp_path / "learned.clapp", tmp_path / "run.json"
    arguments = ("run", bundle, "--learn", "--images", 20, "--out", out, "--json", told)
    with pytest.raises(SystemExit) as end:
        main([str(a) for a in arguments])
    assert not end.value.code
    values = json.loads(told.read_text())
    was, after = (values[f"dead_{when}"]["layer1"] for when in ("before", "after"))
    shown = " ".join(capsys.readouterr().out.split())
    assert f"{was['dead']} → {after['dead']}" in shown
    assert "before learning and after, in 20 test images" in shown
    learned = clapp_neuro.run(out, images=20).dead_after["layer1"]
    assert vars(learned) == after
