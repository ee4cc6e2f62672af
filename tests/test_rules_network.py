"""Rules that see more than one layer: predictive coding and direct feedback alignment.

Each step of predictive coding is a step down its energy E = ½ Σ ‖x_l − G_l z_l‖², and the error
that feedback alignment sends down is autograd's at the top layer.
"""

import pytest
import torch
import torch.nn.functional as F
from test_rules_gradient import ENCODERS, relative, trainer, updates_of

from clapp_neuro.data.device_patches import patch_inputs
from clapp_neuro.encoders.layers import forward
from clapp_neuro.rules import predictive_coding
from clapp_neuro.rules.predictive_coding import predicted, relax

RATE_ENCODERS = ["dense", "conv"]
TOLERANCE = 1e-9


def answers(made, step):
    """Answers of all layers to a minibatch, and its images."""
    experiment = made.experiment
    images, _ = made.source[step]
    maps = experiment.encoder.architecture != "dense"
    inputs = patch_inputs(images, experiment.data, maps).double()
    return forward(made.weights, inputs, experiment.encoder)


def own(made, role):
    return [made.weights[f"layer{layer}.{role}"] for layer in (1, 2, 3)]


def energy(image, z, generative):
    below = [image, *z[:-1]]
    return sum(
        (x - predicted(activity, g, x)).square().sum() / 2
        for x, activity, g in zip(below, z, generative, strict=True)
    )


def down_the_energy(image, z, generative):
    """One relaxation step by autograd."""
    leaves = [activity.clone().requires_grad_() for activity in z]
    gradients = torch.autograd.grad(energy(image, leaves, generative), leaves)
    rate = predictive_coding.RELAXATION_RATE
    return [(a - rate * g).clamp_min(0).detach() for a, g in zip(z, gradients, strict=True)]


@pytest.mark.parametrize("steps", [0, 30])
@pytest.mark.parametrize("encoder", RATE_ENCODERS)
def test_predictive_coding_descends_its_energy(encoder, steps):
    made = trainer(encoder, steps, method="predictive-coding", prediction_steps=1, skip=0)
    generative = own(made, "generative")
    with torch.no_grad():
        layers = answers(made, 1000)
        signals = relax(layers, [{"generative": g} for g in generative])
    image, z = layers[0].x, [layer.map for layer in layers]
    start = energy(image, z, generative)
    for _ in range(predictive_coding.RELAXATION_STEPS):
        z = down_the_energy(image, z, generative)
    assert energy(image, z, generative) < start
    leaves = [g.clone().requires_grad_() for g in generative]
    gradients = torch.autograd.grad(energy(image, z, leaves), leaves)
    below = [image, *z[:-1]]
    for seen, said, relaxed, gradient, x in zip(layers, signals, z, gradients, below, strict=True):
        moved = (relaxed - seen.map) / relaxed[:, 0].numel()
        assert relative(said.dendrite, -moved) < TOLERANCE
        assert relative(said.changes["generative"], gradient / x[:, 0].numel()) < TOLERANCE


@pytest.mark.parametrize("encoder", RATE_ENCODERS)
def test_forward_weights_learn_what_relaxation_found(encoder):
    """The update is the gradient of ½ ‖z relaxed − ρ(W x)‖², averaged over patches and places."""
    made = trainer(encoder, 0, method="predictive-coding", prediction_steps=1, skip=0)
    updates = updates_of(made, 1000)
    generative = own(made, "generative")
    with torch.no_grad():
        layers = answers(made, 1000)
    image, z = layers[0].x, [layer.map for layer in layers]
    for _ in range(predictive_coding.RELAXATION_STEPS):
        z = down_the_energy(image, z, generative)
    for layer, (seen, relaxed) in enumerate(zip(layers, z, strict=True), 1):
        weight = made.weights[f"layer{layer}.forward"].clone().requires_grad_()
        bias = made.weights.get(f"layer{layer}.bias")
        if weight.dim() == 2:
            found = torch.relu(seen.x @ weight.T)
        else:
            found = torch.relu(F.conv2d(seen.x, weight, bias, padding=1))
            if layer in ENCODERS[encoder]["pool"]:
                found = F.max_pool2d(found, 2)
        ((relaxed - found).square().sum() / 2 / relaxed[:, 0].numel()).backward()
        assert relative(updates[f"layer{layer}.forward"], weight.grad) < TOLERANCE


@pytest.mark.parametrize("encoder", ["dense", "conv", "dense-spiking"])
def test_feedback_alignment_sends_the_error_of_the_top_down(encoder):
    made = trainer(encoder, 0, method="dfa", prediction_steps=1, skip=0)
    draw = made._draw(1000)
    with torch.no_grad():
        layers = answers(made, 1000)
        signals = made._signals(layers[0].x, draw, None)
    top = layers[2].z.unflatten(0, (-1, made.experiment.data.positions)).requires_grad_()
    prediction = made.weights["layer3.prediction"]
    source, target = draw.pairs[0]
    score = (top[:, target] * (top[draw.origin][:, source] @ prediction.T)).sum(-1)
    signs = [y for y in (1, -1) if (draw.y == y).any()]
    loss = sum(torch.relu(1 - y * score[draw.y == y]).mean() for y in signs)
    (gradient,) = torch.autograd.grad(loss, top)
    assert relative(signals[2].dendrite, gradient) < TOLERANCE
    for level in (1, 2):
        feedback = made.weights[f"layer{level}.feedback"]
        assert relative(signals[level - 1].dendrite, gradient @ feedback.T) < TOLERANCE
        assert f"layer{level}.feedback" not in updates_of(made, 1000)
