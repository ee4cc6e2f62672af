"""What the checkpoint front end lowers, and what it refuses with parameter and remedy."""

import pytest
import torch

from clapp_neuro.checkpoint import Checkpoint
from clapp_neuro.config import load_preset, with_settings
from clapp_neuro.encoders.initial import initial_weights
from clapp_neuro.errors import InputError
from compiler.frontends.checkpoint import network_from_checkpoint


def checkpoint(encoder=None, data=None, **train):
    experiment = with_settings(
        load_preset("fashion-dense"), encoder=encoder or {}, data=data or {}, train=train
    )
    return Checkpoint(experiment, 0, initial_weights(experiment))


UNBIASED = {"architecture": "conv", "layers": (4, 4), "bias": False}


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({"encoder": {"neurons": "rate"}}, "encoder.neurons is 'rate'"),
        (
            {"encoder": {"architecture": "conv", "layers": (4, 4)}},
            "layer1.bias learns in the reference.*encoder.bias false.*--static",
        ),
        (
            {"encoder": {**UNBIASED}, "method": "lpl", "weight_decay": 0.0},
            "layer1 is a map whose rule keeps averages.*--static",
        ),
        (
            {"encoder": {**UNBIASED}, "method": "espp"},
            "layer1 is a map whose rule reads the previous_count of its mean.*--static",
        ),
        ({"gate": "split"}, "train.gate is 'split'.*--static"),
        ({"method": "gim"}, "train.method is 'gim'.*--static"),
        ({"method": "lpl"}, "weight_decay is 0.001.*--weight-decay 0, or.*--static"),
        ({"weight_decay": 1e-4}, "weight_decay is 0.0001.*--weight-decay 0, or.*--static"),
        ({"modules": "1"}, "each layer learns from itself.*--static"),
        ({"context": "top"}, "each layer learns from itself.*--static"),
        ({"prediction_steps": 2}, "train.prediction_steps is 2.*--static"),
        ({"skip": 1}, "train.skip 1 and.*--static"),
    ],
)
def test_refusals(made, message):
    with pytest.raises(InputError, match=message):
        network_from_checkpoint(checkpoint(**made))


@pytest.mark.parametrize("method", ["clapp", "gim", "lpl", "supervised", "dfa", "random"])
def test_the_forward_pass_of_any_method_is_lowered(method):
    """Static: what was learned elsewhere, by whatever rule, runs on the chip."""
    made = checkpoint(method=method)
    network = network_from_checkpoint(made, plastic=False)
    assert [p.name for p in network.projections] == ["layer1.forward", "layer2.forward"]
    for projection in network.projections:
        weights = torch.from_numpy(projection.weights)
        assert torch.equal(weights, made.weights[projection.name].double())


def test_modules_of_one_layer_are_what_the_chip_has():
    assert network_from_checkpoint(checkpoint(modules="2")).comparators
