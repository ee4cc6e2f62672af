"""The compiled online trainer computes what the readable one does, up to the order of sums."""

from __future__ import annotations

import pytest
import torch

import clapp_neuro
from clapp_neuro.config import read_experiment
from clapp_neuro.data.images import load_images
from clapp_neuro.encoders.initial import initial_weights
from clapp_neuro.training.compiled_online import CompiledOnlineTrainer, is_compiled
from clapp_neuro.training.compiled_traces import CompiledTraceTrainer
from clapp_neuro.training.moments import online_trainer
from clapp_neuro.training.online import OnlineTrainer
from clapp_neuro.training.tally import Tally
from clapp_neuro.training.traces import TraceTrainer

DENSE = {"layers": [48, 32, 16]}
# layer 1 not pooled; 2 and 3 pooled with a row and a column left over, to one position at last
MAPS = {"architecture": "conv", "layers": [6, 8, 5], "pool": [2, 3], "bias": False}
TRACES = {"input": "spikes", "rest": 24, "traces": "exponential", "tau_fast": 12, "tau_slow": 24}
KINDS = {
    "dense": DENSE,
    "zero": {**DENSE, "reset": "zero"},
    "maps": MAPS,
    "traces": {**DENSE, **TRACES},
}
OF_MAPS = {"patch": 7, "coding": "on-off"}


def experiment(kind="dense", encoder=None, **train):
    values = {
        "data": {"dataset": "fashion-mnist", "images": 200, **(OF_MAPS if kind == "maps" else {})},
        "encoder": {**KINDS[kind], **(encoder or {})},
        "train": {"mode": "online", "sgd_rate": 0.01, "seed": 3, **train},
    }
    return read_experiment(values, "test")


@pytest.mark.parametrize("retro", ["own", "none"])
@pytest.mark.parametrize("kind", KINDS)
def test_both_trainers_learn_the_same_in_double_precision(kind, retro):
    chosen = experiment(kind, sgd_rate=0.03 if kind == "maps" else 0.01, retro=retro)
    images = load_images(chosen.data)
    trainers = (OnlineTrainer, CompiledOnlineTrainer)
    if kind == "traces":
        trainers = (TraceTrainer, CompiledTraceTrainer)
    trained = []
    for trainer_of in trainers:
        weights = {name: w.double() for name, w in initial_weights(chosen).items()}
        trainer, tally = trainer_of(chosen, images, weights, None), Tally(3, 0)
        with torch.no_grad():
            for step in range(300):
                trainer.advance(step, tally)
        trained.append((trainer.state(), weights, tally.sums))
    (state, weights, sums), (other_state, other_weights, other_sums) = trained
    start = initial_weights(chosen)
    for name, weight in weights.items():
        learns = retro == "own" or "retrodiction" not in name
        assert learns != torch.allclose(weight, start[name].double())
        torch.testing.assert_close(weight, other_weights[name], rtol=1e-9, atol=1e-12)
    assert state.keys() == other_state.keys()
    for name, value in state.items():
        torch.testing.assert_close(value, other_state[name])
    for mine, theirs in zip(sums, other_sums, strict=True):
        assert mine == pytest.approx(theirs)


def test_only_what_it_computes_is_compiled():
    for kind in KINDS:
        chosen = experiment(kind)
        assert is_compiled(chosen)
        trainer = online_trainer(chosen, load_images(chosen.data), initial_weights(chosen), None)
        assert type(trainer) is (
            CompiledTraceTrainer if kind == "traces" else CompiledOnlineTrainer
        )
    for other in (
        {"kind": "maps", "encoder": {"bias": True}},
        {"kind": "maps", "encoder": {"neurons": "rate"}},
        {"retro": "transposed"},
        {"gate": "split"},
        {"method": "espp"},
        {"weight_decay": 0.1},
    ):
        chosen = experiment(**other)
        assert not is_compiled(chosen)
        trainer = online_trainer(chosen, load_images(chosen.data), initial_weights(chosen), None)
        assert not isinstance(trainer, CompiledOnlineTrainer)


@pytest.mark.parametrize("kind", ["dense", "maps", "traces"])
def test_a_resumed_run_equals_a_whole_one(kind, tmp_path):
    whole = clapp_neuro.with_training(experiment(kind), steps=120)
    clapp_neuro.train(whole, tmp_path / "whole.pt")
    clapp_neuro.train(clapp_neuro.with_training(whole, steps=50), tmp_path / "part.pt")
    clapp_neuro.train(whole, tmp_path / "part.pt", resume=tmp_path / "part.pt")
    kept = [
        clapp_neuro.load_checkpoint(tmp_path / name).weights for name in ("whole.pt", "part.pt")
    ]
    for name, weight in kept[0].items():
        assert torch.equal(weight, kept[1][name])


def test_its_changes_are_those_that_the_chip_is_verified_against(tmp_path):
    start = clapp_neuro.with_training(experiment(sgd_rate=2**-10), steps=0)
    clapp_neuro.train(start, tmp_path / "start.pt")
    clapp_neuro.compile(tmp_path / "start.pt")
    found = clapp_neuro.verify(
        tmp_path / "start.clapp", against="reference", learn=True, fixations=200
    )
    assert found.equal
