"""Predictive coding (Rao and Ballard 1999; Whittington and Bogacz 2017).

Each layer predicts the one below, and local errors move first the activities, then the weights:

    ε_l = x_l − G_l z_l                        error of what layer l predicts about its input
    E   = ½ Σ_l ‖ε_l‖²                         with x_{l+1} = z_l and the image as x_1
    z_l ← max(0, z_l + α (G_lᵀ ε_l − ε_{l+1}))  relaxation, from the feed-forward answer
    ΔG_l ∝ ε_l z_lᵀ,   dendrite of layer l = z_l relaxed − z_l fed forward

so that the feed-forward weights learn to answer at once what relaxation finds. All layers relax
together and their maps are kept meanwhile: the only method here whose memory grows with depth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.grad import conv2d_weight

from clapp_neuro.encoders.layers import Answer
from clapp_neuro.encoders.shapes import KERNEL, Size
from clapp_neuro.rules.seen import Rule, Shape, Signal

RELAXATION_STEPS = 8
RELAXATION_RATE = 0.1
PADDING = KERNEL // 2


def matrices(size: Size) -> dict[str, Shape]:
    """G: from the neurons of a layer to its input, with kernels in convolutions."""
    kernel = () if size.dense else (KERNEL, KERNEL)
    return {"generative": (size.neurons, size.inputs, *kernel)}


def predicted(z: Tensor, generative: Tensor, x: Tensor) -> Tensor:
    """G z in the shape of x; where the layer pools, G spreads each winner over its neighbours."""
    if generative.dim() == 2:
        return z @ generative
    stride = x.shape[-1] // z.shape[-1]
    room = x.shape[-1] - ((z.shape[-1] - 1) * stride - 2 * PADDING + KERNEL)
    return F.conv_transpose2d(z, generative, stride=stride, padding=PADDING, output_padding=room)


def explained(error: Tensor, generative: Tensor, z: Tensor) -> Tensor:
    """Gᵀ ε in the shape of z."""
    if generative.dim() == 2:
        return error @ generative.T
    stride = error.shape[-1] // z.shape[-1]
    whole = F.conv2d(error, generative, stride=stride, padding=PADDING)
    return whole[..., : z.shape[-2], : z.shape[-1]]


def generative_change(error: Tensor, z: Tensor, generative: Tensor) -> Tensor:
    """Σ over patches and positions of ε zᵀ, in the shape of G."""
    if generative.dim() == 2:
        return z.T @ error
    stride = error.shape[-1] // z.shape[-1]
    return conv2d_weight(error, list(generative.shape), z, stride=stride, padding=PADDING)


def relax(layers: Sequence[Answer], weights: Sequence[Mapping[str, Tensor]]) -> list[Signal]:
    """Relax all layers, then say where they went; loss: mean squared error of each."""
    image, own = layers[0].x, [matrix["generative"] for matrix in weights]
    z = [layer.map.clone() for layer in layers]
    for _ in range(RELAXATION_STEPS):
        errors = _errors(image, z, own)
        for level, (error, g) in enumerate(zip(errors, own, strict=True)):
            step = explained(error, g, z[level])
            if level + 1 < len(z):
                step = step - errors[level + 1]
            z[level] = (z[level] + RELAXATION_RATE * step).clamp_min_(0)
    signals = []
    for seen, relaxed, error, g in zip(layers, z, _errors(image, z, own), own, strict=True):
        signals.append(
            Signal(
                loss=error.square().mean(),
                gate=torch.ones((), device=error.device),
                dendrite=(relaxed - seen.map) / seen.map[:, 0].numel(),
                changes={"generative": generative_change(error, relaxed, g) / error[:, 0].numel()},
            )
        )
    return signals


def _errors(image: Tensor, z: list[Tensor], own: list[Tensor]) -> list[Tensor]:
    below = [image, *z[:-1]]
    return [x - predicted(activity, g, x) for x, activity, g in zip(below, z, own, strict=True)]


RULE = Rule(matrices=matrices, relax=relax, sees="network")
