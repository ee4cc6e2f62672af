"""What the compiler must know about a float network to choose its integers' scales."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from clapp_neuro.config import Experiment
from clapp_neuro.data.fixations import fixation_stream
from clapp_neuro.data.images import ImageSet
from clapp_neuro.data.patches import fixated_inputs
from clapp_neuro.encoders.activity import activities
from clapp_neuro.encoders.neurons import spike_surrogate
from clapp_neuro.rules.lpl import EPSILON

FIXATIONS = {"dense": 2048, "conv": 256, "resnet50": 64}
"""Convolutions answer to few: they take long."""
SHARE = 0.999


def calibrate(
    weights: Mapping[str, Tensor],
    experiment: Experiment,
    images: ImageSet,
    share: float = SHARE,
) -> dict[str, float]:
    """Statistics on the first fixations of the experiment's own stream.

    share: of a quantity's values, that are not beyond what is called its `_max`; 1 for the largest.

    For each layer l, with z = count/T and c the z of the fixation before:
    `layerl.rate` mean z; `layerl.input_max` largest presynaptic activity, of a patch's mean in
    convolutions; `layerl.silent` and `layerl.saturated` fractions of z = 0 and of z ≥ 1; of maps
    `layerl.mean_max`, the percentile of z that `share` says. Where the layer predicts itself, too:
    `layerl.apical_max` and `layerl.retro_max` this percentile of |W_pred c| and |W_retro z|;
    `layerl.score_std` standard deviation of u = zᵀ W_pred c. Where it keeps running averages:
    `layerl.deviation_max`, the same percentile of |z − z̄| / (σ² + ε) where a neuron may learn
    (0 < z < 1).
    """
    seen = images.learning_images
    config = experiment.data
    count = FIXATIONS[experiment.encoder.architecture]
    stream = fixation_stream(len(seen), config.positions, count, experiment.train.seed)
    inputs = torch.from_numpy(fixated_inputs(seen, stream, config))
    local = {name: weight.detach().cpu() for name, weight in weights.items()}
    values: dict[str, float] = {}
    below = inputs
    for number, z in enumerate(activities(local, inputs, experiment), 1):
        values |= {
            f"layer{number}.rate": z.mean().item(),
            f"layer{number}.input_max": below.max().item(),
            f"layer{number}.silent": (z == 0).float().mean().item(),
            f"layer{number}.saturated": (z >= 1).float().mean().item(),
        }
        if experiment.encoder.architecture == "conv":
            values[f"layer{number}.mean_max"] = _percentile(z, share)
        values |= _dendrites(number, z, local, share)
        values |= _deviations(number, z, local, share)
        below = z
    return values


def _dendrites(
    number: int, z: Tensor, weights: Mapping[str, Tensor], share: float
) -> dict[str, float]:
    prediction = weights.get(f"layer{number}.prediction")
    if prediction is None or prediction.shape != (z.shape[1], z.shape[1]):
        return {}
    now, context = z[1:], z[:-1]
    apical = context @ prediction.T
    retro = now @ weights[f"layer{number}.retrodiction"].T
    return {
        f"layer{number}.apical_max": _percentile(apical, share),
        f"layer{number}.retro_max": _percentile(retro, share),
        f"layer{number}.score_std": (now * apical).sum(-1).std().item(),
    }


def _deviations(
    number: int, z: Tensor, weights: Mapping[str, Tensor], share: float
) -> dict[str, float]:
    if f"layer{number}.variance" not in weights:
        return {}
    mean, variance = weights[f"layer{number}.mean"], weights[f"layer{number}.variance"]
    deviation = (z - mean) / (variance + EPSILON)
    return {f"layer{number}.deviation_max": _percentile(deviation[spike_surrogate(z)], share)}


def _percentile(values: Tensor, share: float) -> float:
    if not values.numel():
        return 0.0
    return torch.quantile(values.abs().flatten(), share).item()
