"""Dense layers, one above the other, without bias: z^l = ρ(W^l x^l), x^{l+1} = z^l."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from clapp_neuro.config import EncoderConfig, Experiment
from clapp_neuro.encoders.neurons import lif_counts, rate_surrogate, spike_surrogate

SPIKING_GAIN_INPUT = 3.5
SPIKING_GAIN_HIDDEN = 3.0
"""Half-widths of the initial forward weights of spiking layers, times sqrt(fan-in).

PyTorch's default, 1, leaves a second spiking layer silent: its input is sparse. Measured on
Fashion-MNIST patches, these give mean rates of about 6 % in both layers and few silent units."""


@dataclass(frozen=True)
class LayerActivity:
    """One layer's answer to a batch of fixations.

    x (B, N_in): presynaptic activity, the synapses' pre-trace. a (B, N): input summed, averaged
    over the fixation. z (B, N): activity. surrogate (B, N): ρ'. spikes (T, B, N), None for rate
    neurons.
    """

    x: Tensor
    a: Tensor
    z: Tensor
    surrogate: Tensor
    spikes: Tensor | None


def forward(
    weights: Mapping[str, Tensor], x: Tensor, encoder: EncoderConfig
) -> list[LayerActivity]:
    """Activity of all layers for inputs x (B, inputs), from the first layer up.

    The first spiking layer gets the constant current W x; each one above gets the spikes of the
    layer below at the same time step.
    """
    layers: list[LayerActivity] = []
    for number in range(1, len(encoder.layers) + 1):
        weight = weights[f"layer{number}.forward"]
        below = layers[-1] if layers else None
        source = below.z if below else x
        if encoder.neurons == "rate":
            a = source @ weight.T
            layers.append(LayerActivity(source, a, torch.relu(a), rate_surrogate(a), None))
            continue
        if below is None or below.spikes is None:
            a = current = source @ weight.T
        else:
            current = below.spikes @ weight.T
            a = current.mean(0)
        spikes, z = lif_counts(current, encoder)
        layers.append(LayerActivity(source, a, z, spike_surrogate(z), spikes))
    return layers


def initial_weights(experiment: Experiment) -> dict[str, Tensor]:
    """The untrained network of the experiment's seed, float32 on the CPU.

    Uniform: forward weights ±gain/sqrt(N_in); prediction and retrodiction ±1/sqrt(N), drawn
    independently. With `retro="transposed"` the retrodiction weights are the transposed
    prediction weights, with "none" they are 0.
    """
    generator = torch.Generator().manual_seed(experiment.train.seed)
    weights: dict[str, Tensor] = {}
    for name, shape in experiment.weight_shapes().items():
        width = _gain(name, experiment.encoder) / shape[1] ** 0.5
        weights[name] = (torch.rand(shape, generator=generator) * 2 - 1) * width
    for layer in range(1, len(experiment.encoder.layers) + 1):
        if experiment.train.retro == "transposed":
            prediction = weights[f"layer{layer}.prediction"]
            weights[f"layer{layer}.retrodiction"] = prediction.T.contiguous()
        elif experiment.train.retro == "none":
            weights[f"layer{layer}.retrodiction"].zero_()
    return weights


def _gain(name: str, encoder: EncoderConfig) -> float:
    if encoder.neurons == "rate" or not name.endswith(".forward"):
        return 1.0
    return SPIKING_GAIN_INPUT if name.startswith("layer1.") else SPIKING_GAIN_HIDDEN
