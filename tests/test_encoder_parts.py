"""Convolutions answer and learn some patches at a time: the same as all at once."""

import pytest
import torch
from torch.nn.grad import conv2d_weight

from clapp_neuro.config import EncoderConfig, load_preset, with_settings
from clapp_neuro.encoders import kernels, parts
from clapp_neuro.encoders.initial import initial_weights
from clapp_neuro.encoders.layers import answer, changes
from clapp_neuro.encoders.module import respond


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 4), (3, 1), (4, 4), (5, 3), (9, 16)])
@pytest.mark.parametrize("taps", [1, 3, 5])
def test_a_change_of_kernels_is_the_gradient_of_the_convolution(size, taps):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(7, 3, *size, generator=generator, dtype=torch.float64)
    post = torch.randn(7, 5, *size, generator=generator, dtype=torch.float64)
    wanted = conv2d_weight(x, [5, 3, taps, taps], post, padding=taps // 2)
    for pre in (x, x.to(memory_format=torch.channels_last)):
        torch.testing.assert_close(kernels.kernel_change(pre, post, taps), wanted)
    tapped = kernels._tap_by_tap(x, post, taps)
    torch.testing.assert_close(tapped, wanted, msg="whatever way a map of this size takes")


@pytest.fixture(params=["rate", "spiking"])
def network(request):
    experiment = with_settings(
        load_preset("fashion-conv"),
        encoder={"neurons": request.param, "layers": [6, 5, 4]},
        train={"method": "random"},
    )
    weights = {name: weight.double() for name, weight in initial_weights(experiment).items()}
    return experiment.encoder, weights


def layers_below(encoder, weights, patches):
    """What arrives at each layer: its number, map and spikes."""
    x, spikes = torch.rand(patches, 1, 16, 16, dtype=torch.float64), None
    for layer in range(1, len(encoder.layers) + 1):
        yield layer, x, spikes
        seen = answer(layer, weights, x, spikes, encoder)
        x, spikes = seen.map, seen.spikes


@pytest.mark.parametrize("patches", [1, 6, 7])
def test_in_parts_is_all_at_once(network, patches, monkeypatch):
    encoder, weights = network
    monkeypatch.setitem(parts.PATCHES_AT_ONCE, "cpu", 3)
    torch.manual_seed(0)
    for layer, x, spikes in layers_below(encoder, weights, patches):
        whole = answer(layer, weights, x, spikes, encoder)
        response = respond((layer,), weights, x, spikes, encoder)
        for name in ("map", "z", "surrogate", "winners", "spikes"):
            ours, theirs = getattr(response.top, name), getattr(whole, name)
            assert (ours is None) == (theirs is None)
            if theirs is not None:
                torch.testing.assert_close(ours, theirs)
        dendrite = torch.randn(patches, encoder.layers[layer - 1], dtype=torch.float64)
        learned = response.learn(dendrite)
        for role, change in changes(whole, dendrite, weights[f"layer{layer}.forward"]).items():
            torch.testing.assert_close(learned[f"layer{layer}.{role}"], change)
            assert change.abs().max() > 0


def test_no_part_is_larger_than_it_may_be(network, monkeypatch):
    """What layer-local learning promises of its memory: no map before pooling of a minibatch."""
    encoder, weights = network
    monkeypatch.setitem(parts.PATCHES_AT_ONCE, "cpu", 4)
    seen = []

    def counting(layer, weights, x, spikes, encoder):
        seen.append(len(x))
        return answer(layer, weights, x, spikes, encoder)

    response = respond((1,), weights, torch.rand(10, 1, 16, 16).double(), None, encoder, counting)
    assert seen == [4, 4, 2]
    assert response.top.map.shape == (10, 6, 8, 8)


def test_a_dense_layer_is_not_cut():
    encoder = EncoderConfig(layers=[4], neurons="rate")
    weights = {"layer1.forward": torch.randn(4, 9)}
    calls = []

    def counting(*arguments):
        calls.append(arguments)
        return answer(*arguments)

    respond((1,), weights, torch.rand(500, 9), None, encoder, counting)
    assert len(calls) == 1
