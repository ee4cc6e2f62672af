"""STDP in the reference: a time step, training, and the way to the chip as a user goes."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from clapp_neuro.calibration import calibrate
from clapp_neuro.checkpoint import load_checkpoint
from clapp_neuro.cli import main
from clapp_neuro.config import Experiment, load_preset, with_settings
from clapp_neuro.data.fashion import load_shipped
from clapp_neuro.data.fixations import fixation_stream
from clapp_neuro.encoders.initial import initial_weights
from clapp_neuro.encoders.layers import answer
from clapp_neuro.encoders.neurons import input_spikes, lif_counts, lif_step
from clapp_neuro.errors import InputError
from clapp_neuro.training import train
from clapp_neuro.training.moments import MomentTrainer, online_trainer
from clapp_neuro.training.tally import Tally
from compiler.backends.lava.soma import spread_spikes

METHODS = ("stdp", "r-stdp")


def small(method: str, layers: tuple[int, ...] = (24, 20), **settings: float) -> Experiment:
    return with_settings(
        load_preset("fashion-stdp"),
        data={"images": 40},
        encoder={"layers": layers},
        train={"method": method, "sgd_rate": 2.0**-7} | settings,
    )


@pytest.fixture(autouse=True)
def shipped_images(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("clapp_neuro.data.fashion.DEBIAN_FOLDER", tmp_path / "not-there")


@pytest.mark.parametrize("steps", [1, 8, 127])
def test_inputs_spike_as_often_as_they_are_bright(steps: int) -> None:
    intensity = np.arange(256)
    spikes = input_spikes(torch.from_numpy(intensity).double() / 255, steps)
    assert torch.equal(spikes.sum(0), torch.from_numpy((intensity * steps + 128) // 256).double())
    theirs = np.array([spread_spikes(intensity, tau) for tau in range(steps)])
    assert np.array_equal(spikes.numpy(), theirs)
    assert set(np.unique(theirs)) <= {0, 1}


@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_a_step_is_that_of_the_whole_presentation(reset: str) -> None:
    encoder = replace_encoder(reset)
    drive = torch.randn(encoder.steps, 30, generator=torch.Generator().manual_seed(0)) + 0.3
    spikes, _ = lif_counts(drive[:, None], encoder)
    membrane, fired = torch.zeros(30), torch.zeros(30)
    for t in range(encoder.steps):
        membrane, fired = lif_step(membrane, fired, drive[t], encoder)
        assert torch.equal(fired, spikes[t, 0])
    assert 0 < spikes.mean() < 1


def replace_encoder(reset: str):  # type: ignore[no-untyped-def]
    return with_settings(small("stdp"), encoder={"reset": reset}).encoder


@pytest.mark.parametrize("method", METHODS)
def test_learning_is_the_sum_over_pairs_of_spikes(method: str) -> None:
    """Against the textbook's sum over all pairs, with weights frozen so that spikes are known."""
    experiment = small(method, layers=(20,), sgd_rate=1e-9)
    images = load_shipped()
    weights = initial_weights(experiment)
    weights = {name: w.double() for name, w in weights.items()}
    start = weights["layer1.forward"].clone()
    trainer = online_trainer(experiment, images, weights, None)
    assert isinstance(trainer, MomentTrainer)
    period, config, fixations = 16, experiment.train, 5
    pre, post = [], []  # (step of the synapse, neurons that spiked)
    for step in range(fixations):
        inputs, _ = trainer._fixation(step)
        spikes = input_spikes(inputs[0], 8)
        fired = answer(1, {"layer1.forward": start}, inputs, None, experiment.encoder).spikes
        assert fired is not None
        pre += [(step * period + t, spikes[t]) for t in range(8)]
        post += [(step * period + t + 1, fired[t, 0]) for t in range(8)]
        trainer.advance(step, Tally(1, 0))
    change, per_fixation = torch.zeros_like(start), []
    for step in range(fixations):
        moved = torch.zeros_like(start)
        for when_post, s_post in post:
            for when_pre, s_pre in pre:
                late = when_post - when_pre
                if late >= 0 and when_post // period == step:
                    moved += math.exp(-late / config.tau_plus) * torch.outer(s_post, s_pre)
                if late <= 0 and when_pre // period == step:
                    weight = config.depression * math.exp(late / config.tau_minus)
                    moved -= weight * torch.outer(s_post, s_pre)
        per_fixation.append(moved)
        change += moved
    if method == "r-stdp":
        change = torch.zeros_like(start)
        eligibility = torch.zeros_like(start)
        stream = fixation_stream(len(images.train_images), 9, fixations, config.seed)
        for step, moved in enumerate(per_fixation):
            counts = sum(s for when, s in post if (when - 1) // period == step)
            named = max(range(10), key=lambda c: (float(counts[c::10].sum()), -c))
            right = named == images.train_labels[stream.image[step]]
            eligibility += moved
            change += (1.0 if right else -1 / 9) * eligibility
            eligibility *= config.retention
        assert torch.allclose(weights["layer1.eligibility"], eligibility)
    found = (weights["layer1.forward"] - start) / config.sgd_rate
    assert torch.allclose(found, change, rtol=1e-4, atol=1e-4)
    assert change.abs().max() > 0.1


@pytest.mark.parametrize("method", METHODS)
def test_training_that_goes_on_is_training_that_never_stopped(method: str, tmp_path: Path) -> None:
    experiment = small(method, steps=30)
    whole, part = tmp_path / "whole.pt", tmp_path / "part.pt"
    train(experiment, whole)
    train(with_settings(experiment, train={"steps": 11}), part)
    train(experiment, part, resume=part)
    ours, theirs = (load_checkpoint(path).weights for path in (part, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    start = initial_weights(experiment)
    assert not torch.equal(theirs["layer2.forward"], start["layer2.forward"])
    assert theirs["layer2.post_trace"].any()


def test_rewards_need_labels() -> None:
    images = load_shipped()
    unlabelled = replace(images, unlabelled_images=images.train_images)
    with pytest.raises(InputError, match="have no labels"):
        MomentTrainer(small("r-stdp"), unlabelled, initial_weights(small("r-stdp")), None)


def test_calibration_sees_the_spiking_inputs() -> None:
    experiment = small("stdp")
    found = calibrate(initial_weights(experiment), experiment, load_shipped())
    assert 0 < found["layer1.rate"] < 1 and 0 < found["layer2.rate"] < 1


def call(*arguments: object) -> int:
    try:
        main([str(a) for a in arguments])
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


@pytest.mark.parametrize("method", METHODS)
def test_from_training_to_the_chip_and_back(
    method: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """train, compile, run --learn, verify against Lava and against the reference, energy."""
    model, bundle, learned = tmp_path / "m.pt", tmp_path / "m.clapp", tmp_path / "l.clapp"
    options = ("--preset", "fashion-stdp", "--method", method, "--sgd-rate", 2.0**-9)
    assert call("train", *options, "--steps", 60, "--out", model) == 0
    assert call("compile", model, "--out", bundle) == 0
    shown = capsys.readouterr().out
    assert "worked example: two fixations" in shown and "expected ΔW" in shown
    assert ("y = " in shown) == (method == "r-stdp")
    report = tmp_path / "run.json"
    assert call("run", bundle, "--learn", "--images", 4, "--out", learned, "--json", report) == 0
    values = json.loads(report.read_text())
    assert values["fixations"] == 36
    assert set(values["loss"]) == ({"layer2"} if method == "r-stdp" else set())
    assert all(p["plastic_updates"] > 0 for p in values["events"]["projections"])
    for against, fixations in (("lava", 2), ("reference", 60)):
        arguments = ("--against", against, "--learn", "--fixations", fixations)
        assert call("verify", bundle, *arguments) == 0, against
    assert call("run", learned, "--images", 2) == 0
    assert call("energy", learned, "--images", 2, "--readout-images", 0) == 0
    static = tmp_path / "static.clapp"
    assert call("compile", model, "--static", "--out", static) == 0
    assert call("run", static, "--images", 2) == 0
