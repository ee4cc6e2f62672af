"""The untrained network of an experiment's seed."""

from __future__ import annotations

import torch
from torch import Tensor

from clapp_neuro.config import EncoderConfig, Experiment
from clapp_neuro.encoders.shapes import fan_in, weight_shapes
from clapp_neuro.rules.prediction import role

SPIKING_GAIN_INPUT = 3.5
SPIKING_GAIN_HIDDEN = 3.0
"""Half-widths of the initial forward weights of spiking layers, times sqrt(fan-in).

PyTorch's default, 1, leaves a second spiking layer silent: its input is sparse. Measured on
Fashion-MNIST patches, these give mean rates of about 6 % in both dense layers and few silent
units."""

CONSTANT = {
    "mean": 0.0,
    "variance": 1.0,
    "pre_trace": 0.0,
    "post_trace": 0.0,
    "eligibility": 0.0,
}
"""Running averages, traces and eligibilities before anything was seen."""


def initial_weights(experiment: Experiment) -> dict[str, Tensor]:
    """All tensors of the untrained network, float32 on the CPU.

    Uniform: forward weights ±gain/sqrt(fan-in) with the bias alike, all others ±1/sqrt(fan-in),
    drawn independently; prediction and retrodiction times `prediction_scale`. With
    `retro="transposed"` the retrodiction weights are the transposed prediction weights, with
    "none" they are 0.
    """
    generator = torch.Generator().manual_seed(experiment.train.seed)
    weights: dict[str, Tensor] = {}
    width = 0.0
    for name, shape in weight_shapes(experiment).items():
        what = name.split(".")[1]
        if what in CONSTANT:
            weights[name] = torch.full(shape, CONSTANT[what])
            continue
        if len(shape) > 1:  # a bias is as wide as the weights before it
            width = _gain(name, experiment) / fan_in(shape) ** 0.5
        weights[name] = (torch.rand(shape, generator=generator) * 2 - 1) * width
    _retrodiction(weights, experiment)
    return weights


def _retrodiction(weights: dict[str, Tensor], experiment: Experiment) -> None:
    train = experiment.train
    for layer in range(1, len(experiment.encoder.layers) + 1):
        for step in range(1, train.predictions + 1):
            name = f"layer{layer}.{role('retrodiction', step)}"
            if name not in weights:
                continue
            if train.retrodiction == "transposed":
                prediction = weights[f"layer{layer}.{role('prediction', step)}"]
                weights[name] = prediction.T.contiguous()
            elif train.retrodiction == "none":
                weights[name].zero_()


def _gain(name: str, experiment: Experiment) -> float:
    layer, what = name.split(".")[:2]
    if what in ("prediction", "retrodiction"):
        return experiment.train.prediction_scale
    if what != "forward" or experiment.encoder.neurons == "rate":
        return 1.0
    return _spiking_gain(experiment.encoder, layer == "layer1")


def _spiking_gain(encoder: EncoderConfig, first: bool) -> float:
    return SPIKING_GAIN_INPUT if first else SPIKING_GAIN_HIDDEN
