"""What `compile` says before anything is learned: saturation, stalls, wandering weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import clapp_neuro
from clapp_neuro.checkpoint import load_checkpoint, save_checkpoint
from clapp_neuro.config import read_experiment
from clapp_neuro.errors import InputError
from clapp_neuro.verbs.sight import gaze, images_of
from compiler.backends.simulator import simulate
from compiler.passes.lowering.consolidation import CARRY, DIRECT, Consolidation
from compiler.passes.lowering.learning_warnings import stalls, wanders
from compiler.program import TRACE_MAX


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    values = {
        "data": {"dataset": "fashion-mnist", "images": 200},
        "encoder": {"layers": [48, 32]},
        "train": {"mode": "online", "steps": 0},
    }
    path = tmp_path_factory.mktemp("model") / "start.pt"
    clapp_neuro.train(read_experiment(values, "test"), path)
    return load_checkpoint(path)


def compiled(checkpoint, folder, consolidation=None, **train):
    experiment = clapp_neuro.with_training(checkpoint.experiment, **train)
    save_checkpoint(folder / "model.pt", replace(checkpoint, experiment=experiment))
    return clapp_neuro.compile(folder / "model.pt", consolidation=consolidation).compiled


def warnings(compiled):
    return [note.text for note in compiled.notes if note.text.startswith("warning")]


def test_the_default_needs_no_warning_and_says_what_to_expect(checkpoint, tmp_path):
    found = compiled(checkpoint, tmp_path)
    assert warnings(found) == []
    assert sum("largest expected y" in note.text for note in found.notes) == 8  # of both layers


def test_expected_post_values_are_not_clipped_and_hardly_exceeded(checkpoint, tmp_path):
    program = compiled(checkpoint, tmp_path).program
    stimulus = gaze(program, images_of(program, None), 500, seed=1)
    events = simulate(program, stimulus).events
    writes = sum(p.post_writes for p in events.populations)
    assert sum(p.post_clipped for p in events.populations) < 1e-3 * writes


def test_without_a_tag_weights_wander(checkpoint, tmp_path):
    found = warnings(compiled(checkpoint, tmp_path, "direct"))
    assert len(found) == 6
    assert all("wander" in text for text in found)


def test_a_tiny_rate_stalls_where_nothing_accumulates(checkpoint, tmp_path):
    found = warnings(compiled(checkpoint, tmp_path, "direct", sgd_rate=2**-15))
    assert any("may stall" in text for text in found)


def test_the_bounds_of_each_warning():
    assert stalls("p", "term", 127, 1) == []
    assert "up to 254 are expected" in stalls("p", "term", 127, 2)[0].text
    assert stalls("p", "term", 1 / 16, 1) == stalls("p", "term", 0, 1) == []
    assert "rounded to 0 in 95.0%" in stalls("p", "term", 0.05, 1)[0].text
    weights = np.full((3, 3), 10, np.int8)
    assert wanders("p", weights, CARRY) == []
    assert "by 10.0% of" in wanders("p", weights, DIRECT)[0].text
    assert wanders("p", weights, Consolidation("transfer", 32)) == []
    assert "by 5.0% of" in wanders("p", weights, Consolidation("transfer", 4))[0].text
    assert wanders("p", 0 * weights, DIRECT) == []


def test_headroom_is_given_up_before_a_rate_is_refused(tmp_path):
    """What calibration saw fits the post values; twice of it, which growth may need, does not."""
    preset = clapp_neuro.load_preset("fashion-conv-chip")
    start = clapp_neuro.with_training(preset, mode="online", steps=0, sgd_rate=2**-9)
    clapp_neuro.train(start, tmp_path / "start.pt")
    notes = clapp_neuro.compile(tmp_path / "start.pt", kernels="tied-averaged").compiled.notes
    expected = [
        float(n.text.split("expected y ")[1].split()[0])
        for n in notes
        if n.subject == "layer2.forward" and "expected y" in n.text
    ]
    assert TRACE_MAX / 2 < max(expected) <= TRACE_MAX
    fast = clapp_neuro.with_training(preset, mode="online", steps=0, sgd_rate=2**-8)
    clapp_neuro.train(fast, tmp_path / "fast.pt")
    with pytest.raises(InputError, match=r"learning rate is too large .* factor of 1\.[0-9]$"):
        clapp_neuro.compile(tmp_path / "fast.pt", kernels="tied-averaged")
