"""Neurons are snnTorch's, layers are alive."""

import numpy as np
import pytest
import snntorch
import torch

from clapp_neuro.config import EncoderConfig, Experiment, load_preset
from clapp_neuro.data.fashion import load_shipped
from clapp_neuro.data.patches import image_inputs
from clapp_neuro.encoders.initial import initial_weights
from clapp_neuro.encoders.layers import answer, first_to_spike, forward, post_values
from clapp_neuro.encoders.neurons import lif_counts, lif_one_fixation, spike_surrogate

ENCODERS = [
    EncoderConfig(),
    EncoderConfig(reset="zero"),
    EncoderConfig(steps=16, decay=0.7, threshold=0.3),
    EncoderConfig(steps=5, decay=1.0, threshold=1.7, reset="zero"),
]


def currents(encoder, constant):
    generator = torch.Generator().manual_seed(0)
    shape = (20, 64) if constant else (encoder.steps, 20, 64)
    return torch.randn(shape, generator=generator) * 0.8 + 0.1


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("constant", [True, False])
def test_spikes_are_snntorchs(encoder, constant):
    current = currents(encoder, constant)
    spikes, z = lif_counts(current, encoder)
    neuron = snntorch.Leaky(encoder.decay, encoder.threshold, reset_mechanism=encoder.reset)
    membrane = neuron.reset_mem()
    for t in range(encoder.steps):
        spike, membrane = neuron(current if constant else current[t], membrane)
        assert torch.equal(spike, spikes[t])
    assert 0.05 < z.mean() < 0.95
    assert torch.equal(z, spikes.mean(0))


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("constant", [True, False])
def test_the_fast_fixation_equals_snntorch_to_the_bit(encoder, constant):
    current = currents(encoder, constant)
    spikes, z = lif_counts(current, encoder)
    buffer = torch.empty(encoder.steps, 64)
    for row in range(20):
        one = current[row] if constant else current[:, row]
        assert torch.equal(lif_one_fixation(one, encoder, buffer), z[row])
        assert torch.equal(buffer, spikes[:, row])


@pytest.mark.parametrize("encoder", [e for e in ENCODERS if e.decay < 1])
@pytest.mark.parametrize("constant", [True, False])
def test_norse_and_snntorch_are_equal(encoder, constant):
    """The same spikes and, through the surrogate, the same gradient."""
    gradients, spikes = [], []
    for library in ("snntorch", "norse"):
        current = currents(encoder, constant).requires_grad_()
        chosen = encoder.model_copy(update={"library": library})
        fired, z = lif_counts(current, chosen)
        (z * torch.linspace(-1, 1, z.shape[1])).sum().backward()
        spikes.append(fired)
        gradients.append(current.grad)
    assert torch.equal(*spikes)
    assert gradients[0].abs().max() > 0
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-6)


def test_max_pooling_hears_the_winner_only():
    encoder = EncoderConfig(architecture="conv", layers=(5,), pool=(1,))
    weights = {"layer1.forward": torch.randn(5, 1, 3, 3), "layer1.bias": torch.zeros(5)}
    seen = answer(1, weights, torch.rand(4, 1, 8, 8), None, encoder)
    assert torch.equal(seen.spikes.mean(0), seen.map)
    post = post_values(seen, torch.ones(4, 5))
    blocks = post.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4)
    assert ((blocks != 0).sum(-1) <= 1).all()
    assert torch.equal(blocks.sum(-1) != 0, seen.surrogate != 0)
    assert seen.surrogate.any()


@pytest.mark.parametrize("seed", range(4))
def test_the_first_to_spike_wins_the_fixation(seed):
    """Against a walk through the time steps, also where maps are odd, silent or saturated."""
    generator = torch.Generator().manual_seed(seed)
    share = [0.0, 0.1, 0.5, 1.0][seed]
    fired = (torch.rand(5, 2, 3, 5, 7, generator=generator) < share).float()
    winners = first_to_spike(fired)
    assert winners.shape == (2, 3, 2, 3)
    for kind in (torch.bool, torch.bfloat16, torch.float64):
        assert torch.equal(first_to_spike(fired.to(kind)), winners)
    for b, n, y, x in np.ndindex(*winners.shape):
        neighbours = [(2 * y + dy) * 7 + 2 * x + dx for dy in (0, 1) for dx in (0, 1)]
        spikes = fired[:, b, n].flatten(1)[:, neighbours]
        first = next((step for step in spikes if step.any()), torch.ones(4))
        assert winners[b, n, y, x] == neighbours[int(first.argmax())]


def test_surrogate_is_one_bit():
    z = torch.tensor([0.0, 0.125, 0.875, 1.0])
    assert spike_surrogate(z).tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize("seed", range(3))
def test_untrained_spiking_layers_are_alive(seed):
    experiment = load_preset("fashion-dense-3")
    experiment = experiment.model_copy(
        update={"train": experiment.train.model_copy(update={"seed": seed})}
    )
    inputs = torch.from_numpy(image_inputs(load_shipped().test_images[:100], experiment.data))
    weights = initial_weights(experiment)
    for layer in forward(weights, inputs.flatten(0, 1), experiment.encoder):
        assert 0.05 < layer.z.mean() < 0.3
        assert (layer.z.max(0).values == 0).float().mean() < 0.05, "silent neurons"
        assert (layer.z.min(0).values == 1).float().mean() < 0.05, "saturated neurons"
    assert max(weight.abs().max() for weight in weights.values()) <= 0.25


def test_layers_feed_each_other():
    experiment = Experiment(encoder=EncoderConfig(layers=(8, 6)))
    weights = initial_weights(experiment)
    x = torch.rand(5, 196)
    for neurons in ("spiking", "rate"):
        first, second = forward(weights, x, EncoderConfig(layers=(8, 6), neurons=neurons))
        assert first.x is x and second.x is first.z is first.map


def test_retrodiction_weights_follow_the_setting():
    for retro in ("own", "transposed", "none"):
        experiment = Experiment.model_validate({"train": {"retro": retro}})
        weights = initial_weights(experiment)
        prediction, retrodiction = weights["layer1.prediction"], weights["layer1.retrodiction"]
        assert torch.equal(retrodiction, prediction.T) == (retro == "transposed")
        assert bool(retrodiction.any()) == (retro != "none")
