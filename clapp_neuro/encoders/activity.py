"""What the layers of a finished network answer: the mean activity of each patch, nothing else."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from clapp_neuro.config import Experiment
from clapp_neuro.encoders.layers import answer
from clapp_neuro.encoders.parts import parts


def as_maps(inputs: Tensor, experiment: Experiment) -> Tensor:
    """Inputs (B, inputs) in the shape that the first layer takes: as they are, or (B, C, h, w)."""
    if experiment.encoder.architecture == "dense":
        return inputs
    data = experiment.data
    return inputs.unflatten(1, (data.channels, data.patch, data.patch))


def activities(
    weights: Mapping[str, Tensor], inputs: Tensor, experiment: Experiment
) -> list[Tensor]:
    """z (B, N) of every layer for inputs (B, inputs), computed some patches at a time."""
    encoder = experiment.encoder
    found: list[list[Tensor]] = [[] for _ in encoder.layers]
    with torch.no_grad():
        for chunk in parts(len(inputs), inputs.device):
            x, spikes = as_maps(inputs[chunk], experiment), None
            for layer, part in enumerate(found, 1):
                seen = answer(layer, weights, x, spikes, encoder)
                part.append(seen.z)
                x, spikes = seen.map, seen.spikes
    return [torch.cat(part) for part in found]
