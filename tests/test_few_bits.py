"""Options of quantisation: what the largest integer stands for, and training for few bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from compiled_program import network
from hypothesis import given, settings
from hypothesis import strategies as st

import clapp_neuro
from clapp_neuro.checkpoint import Checkpoint, load_checkpoint
from clapp_neuro.config import Experiment, read_experiment, with_settings
from clapp_neuro.data.fixations import fixation_stream
from clapp_neuro.data.images import load_images
from clapp_neuro.data.patches import fixated_inputs, intensities
from clapp_neuro.errors import InputError
from clapp_neuro.training.few_bits import rounded
from compiler.backends.simulator import infer
from compiler.design_rules.suggest import with_limits
from compiler.frontends.checkpoint import network_from_checkpoint
from compiler.ir import Neuron, Population
from compiler.passes.quantizing.quantize import quantize
from compiler.passes.quantizing.rate_shift import rate_shift
from compiler.pipeline import compile_network
from compiler.program import Soma
from compiler.targets import load_target
from compiler.terms import Reset
from compiler.trace import Stimulus

LOIHI2 = load_target("loihi2-sim")


def static(weights: np.ndarray):
    """A layer with these weights."""
    source = network((weights.shape[1], weights.shape[0]), plastic=False)
    (projection,) = source.projections
    return replace(source, projections=(replace(projection, weights=weights),))


@given(seed=st.integers(0, 99), bits=st.integers(2, 8), size=st.tuples(*[st.integers(1, 9)] * 2))
@settings(max_examples=60, deadline=None)
def test_training_rounds_as_the_compiler_does(seed, bits, size):
    weights = np.random.default_rng(seed).normal(size=size).astype(np.float32)
    seen = rounded({"layer1.forward": torch.from_numpy(weights)}, bits)["layer1.forward"]
    quantized, _ = quantize(static(weights.astype(float)), 2 ** (bits - 1) - 1)
    found = quantized.integers["layer1.forward"]
    assert np.allclose(seen.numpy(), found.weights * found.unit, rtol=1e-5, atol=1e-7)


def test_what_is_no_matrix_is_not_rounded_and_zeros_stay():
    weights = {"layer1.forward": torch.zeros(3, 2), "layer1.bias": torch.tensor([0.123456])}
    found = rounded(weights, 2)
    assert not found["layer1.forward"].any()
    assert torch.equal(found["layer1.bias"], weights["layer1.bias"])


def test_a_percentile_clips_outliers_and_keeps_the_rest_finer():
    weights = np.random.default_rng(0).normal(size=(40, 50))
    weights[3, 7] = 100.0
    whole, whole_notes = quantize(static(weights), 127)
    clipped, notes = quantize(static(weights), 127, percentile=99.9)
    assert "0 clipped" in whole_notes[0].text and "2 clipped" in notes[0].text
    usual = np.abs(weights) < 3
    for quantized, least, most in ((whole, 0.15, 1.0), (clipped, 0.0, 0.02)):
        found = quantized.integers["layer1.forward"]
        error = np.abs(found.weights * found.unit - weights)[usual]
        assert least <= np.linalg.norm(error) / np.linalg.norm(weights[usual]) <= most
    assert np.abs(clipped.integers["layer1.forward"].weights).max() == 127


def test_the_maximum_is_the_default_and_all_zeros_have_a_unit():
    weights = np.random.default_rng(1).normal(size=(4, 5))
    ours, theirs = (quantize(static(weights), 127, **p)[0] for p in ({}, {"percentile": 100.0}))
    name = "layer1.forward"
    assert np.array_equal(ours.integers[name].weights, theirs.integers[name].weights)
    sparse = np.zeros((4, 5))
    sparse[0, 0] = 0.5
    assert quantize(static(sparse), 127, percentile=60)[0].integers[name].weights[0, 0] == 127


def test_tags_of_clipped_weights_hold_no_more_than_rounding_dropped():
    source = network((12, 8))
    wild = [
        replace(
            p,
            weights=np.where(
                np.arange(p.weights.size).reshape(p.weights.shape) == 5, 50, p.weights
            ),
        )
        for p in source.projections
    ]
    quantized, _ = quantize(replace(source, projections=tuple(wild)), 127, percentile=90)
    for found in quantized.integers.values():
        assert found.tags is not None and np.abs(found.tags).max() <= 32


def test_a_percentile_out_of_range_is_refused(tmp_path):
    with pytest.raises(InputError, match="percentile 12: give 50 to 100"):
        clapp_neuro.compile(tmp_path / "model.pt", percentile=12)


def neurons(*each: Neuron) -> Population:
    """A neuron of each of these, which differ in numbers only."""
    first = each[0]
    own = {
        name: tuple(getattr(n, name) for n in each)
        for name in ("decay", "threshold", "start", "current_decay")
        if getattr(first, name) is not None
    }
    return Population("layer", len(each), 1, replace(first, **own))


@pytest.mark.parametrize("reset", sorted(set(Reset) - {Reset.NONE}))
@pytest.mark.parametrize("current_decay", [None, 0.8])
def test_the_shift_of_the_rate_is_that_of_the_rounding(reset, current_decay):
    population = neurons(Neuron(0.9, 1.0, reset, current_decay))
    current = None if current_decay is None else round(0.8 * 4096)
    exact = Soma(round(0.9 * 4096), 1 << 16, reset, 0, False, current_decay=current)

    def shift(soma):
        found = rate_shift(population, soma, 2.0**16, 8)
        assert found.least == found.all == found.most
        return found.all

    assert abs(shift(exact)) < 1e-2
    assert shift(replace(exact, threshold=int(1.1 * 2**16))) < -0.02
    assert shift(replace(exact, threshold=int(0.9 * 2**16))) > 0.02
    assert shift(replace(exact, decay=4000)) > 0.01
    if current is not None:
        assert shift(replace(exact, current_decay=current - 400)) < -0.02


def test_the_shift_of_neurons_that_differ_is_told_from_the_least_to_the_most():
    population = neurons(*(Neuron(0.9, h, Reset.SUBTRACT) for h in (1.0, 0.5, 2.0, 0.0)))
    soma = Soma(round(0.9 * 4096), (1 << 16, 1 << 14, 1 << 17, 0), Reset.SUBTRACT, 0, False)
    found = rate_shift(population, soma, 2.0**16, 8)
    assert abs(found.most - found.all) > 0.1 and abs(found.least) < 0.01
    assert "of its kinds of neuron" in str(found)
    silent = replace(population, neuron=Neuron(0.9, None))
    assert rate_shift(silent, replace(soma, threshold=None), 2.0**16, 8) is None


def test_coarse_thresholds_show_their_shift_in_the_notes():
    coarse = with_limits(LOIHI2.machine, {"threshold_shift": 18}).limits
    fine, rough = (
        next(
            n.text
            for n in quantize(network((12, 8), plastic=False), 127, limits)[1]
            if "rate" in n.text
        )
        for limits in (None, coarse)
    )
    assert "firing rate +0.0" in fine or "firing rate -0.0" in fine
    assert "firing rate" in rough and rough != fine


def small(**changes) -> Experiment:
    values = {
        "data": {"images": 300},
        "encoder": {"layers": [48, 32], "neurons": "spiking"},
        "train": {"mode": "batch", "batch_size": 16, **changes},
    }
    return read_experiment(values, "test")


def integer_loss(checkpoint: Checkpoint, bits: int) -> float:
    """Hinge loss of CLAPP on what the integer layers count, with prediction weights as coarse."""
    experiment = checkpoint.experiment
    target = replace(LOIHI2, machine=with_limits(LOIHI2.machine, {"weight_bits": bits}))
    program = compile_network(network_from_checkpoint(checkpoint, plastic=False), target).program
    config, images = experiment.data, load_images(experiment.data, None).test_images
    stream = fixation_stream(len(images), config.positions, 1024, 7)
    inputs = intensities(fixated_inputs(images, stream, config))
    counts, _ = infer(program, Stimulus({"input": inputs}, {}))
    label = torch.from_numpy(stream.label[1:].astype(np.float32))
    held = rounded(checkpoint.weights, bits)
    losses = []
    for number in (1, 2):
        z = torch.from_numpy(counts[f"layer{number}"] / np.float32(experiment.encoder.steps))
        score = (z[1:] * (z[:-1] @ held[f"layer{number}.prediction"].T)).sum(-1)
        losses.append(torch.relu(1 - label * score)[label != 0].mean().item())
    return float(np.mean(losses))


def test_training_for_few_bits_lowers_the_integer_networks_loss(tmp_path, monkeypatch):
    monkeypatch.setattr("clapp_neuro.data.fashion.DEBIAN_FOLDER", tmp_path / "not-there")
    begun = tmp_path / "begun.pt"
    clapp_neuro.train(small(steps=250), begun)
    losses = {}
    for bits in (None, 3):
        more = with_settings(small(steps=250), train={"steps": 400, "weight_bits": bits})
        clapp_neuro.train(more, tmp_path / "more.pt", resume=begun)
        trained = load_checkpoint(tmp_path / "more.pt")
        assert trained.experiment.train.weight_bits == bits
        losses[bits] = integer_loss(trained, 3)
    assert losses[3] < losses[None]


def test_a_checkpoint_that_is_done_needs_more_steps_to_be_tuned(tmp_path, monkeypatch):
    monkeypatch.setattr("clapp_neuro.data.fashion.DEBIAN_FOLDER", tmp_path / "not-there")
    done = tmp_path / "done.pt"
    clapp_neuro.train(small(steps=4), done)
    with pytest.raises(InputError, match="at step 4 already, and 4 are asked for: give more steps"):
        clapp_neuro.train(small(steps=4, weight_bits=4), tmp_path / "tuned.pt", resume=done)
    clapp_neuro.train(small(steps=6, weight_bits=4), tmp_path / "tuned.pt", resume=done)
    assert load_checkpoint(tmp_path / "tuned.pt").experiment.train.weight_bits == 4


def test_only_minibatches_are_trained_for_few_bits():
    with pytest.raises(InputError, match="weight_bits: training for few bits is for minibatches"):
        small(mode="online", steps=10, weight_bits=4)
    with pytest.raises(InputError, match="weight_bits"):
        small(steps=10, weight_bits=1)
