"""One layer: its answer to an input, and the change of its synapses from a dendritic signal.

    a = W x + b,   z = ρ(a),   then 2×2 max-pooling where the layer has one
    ΔW_ji = Σ dendrite_j · ρ'(a_j) · x_i,   Δb_j = Σ dendrite_j · ρ'(a_j)          (paper, Eq. 1)

Max-pooling is lateral inhibition: only the winner of each 2×2 neighbours is heard, and only the
winner learns (Appendix C). A rate winner is the most active neuron. A spiking winner is the neuron
that spikes first in the fixation: its spikes, and nobody else's, are what the layer above gets.
That can be known at every time step, on a chip as here; who will have spiked most cannot. The
activity of a patch is the mean over its positions, so the dendritic signal of a position is that of
the patch divided by their number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from clapp_neuro.config import EncoderConfig
from clapp_neuro.encoders.kernels import kernel_change, memory_format, untied_current
from clapp_neuro.encoders.neurons import (
    input_spikes,
    lif_counts,
    rate_surrogate,
    spike_surrogate,
)
from clapp_neuro.encoders.resnet import stage

POOL = 2


@dataclass(frozen=True)
class Answer:
    """A layer's answer to B patches. Maps are (B, N, h, w), or (B, N) in dense layers.

    x: map of the presynaptic activity, the synapses' pre-trace. map: of the activity, after
    pooling. z (B, N): its mean over the positions. surrogate: map of ρ'. winners: of the pooling,
    as positions (row · w + column) before it; None without. spikes (T, *map): None for rate
    neurons. unpooled: height and width before pooling.
    """

    x: Tensor
    map: Tensor
    z: Tensor
    surrogate: Tensor
    winners: Tensor | None = None
    spikes: Tensor | None = None
    unpooled: tuple[int, ...] = ()


def answer(
    layer: int,
    weights: Mapping[str, Tensor],
    x: Tensor,
    spikes: Tensor | None,
    encoder: EncoderConfig,
) -> Answer:
    """Answer of a layer (from 1) to the map x and, above spiking neurons, to their spikes.

    The first spiking layer gets the constant current W x + b, or the inputs' own spikes where the
    encoder says so; each one above gets the spikes of the layer below at the same time step.
    """
    if encoder.architecture == "resnet50":
        out = stage(layer, weights, x)
        return Answer(x, out, out.mean((2, 3)), rate_surrogate(out))
    own = weights[f"layer{layer}.forward"], weights.get(f"layer{layer}.bias")
    pooled = layer in encoder.pool
    if encoder.neurons == "rate":
        driven = current(x, *own)
        if not pooled:
            activity = driven.relu_()
            return _whole(x, activity, rate_surrogate(activity), None)
        out, index = _pool(driven)  # the largest current is the largest activity
        out.relu_()
        winners = few_bytes(index, driven)
        return Answer(x, out, _mean(out), rate_surrogate(out), winners, unpooled=driven.shape[2:])
    if spikes is None and encoder.input == "spikes":
        spikes = input_spikes(x, encoder.steps)
    if spikes is None:
        driven = current(x, *own)
    else:
        driven = current(spikes.flatten(0, 1), *own).unflatten(0, spikes.shape[:2])
    fired, counts = lif_counts(driven, encoder)
    if not pooled:
        return _whole(x, counts, spike_surrogate(counts), fired)
    index = first_to_spike(fired)
    place = index.flatten(2).expand(len(fired), *index.shape[:2], -1)
    heard = fired.flatten(3).gather(3, place).unflatten(3, index.shape[2:])
    out, winners = heard.mean(0), few_bytes(index, counts)
    return Answer(x, out, _mean(out), spike_surrogate(out), winners, heard, counts.shape[2:])


def first_to_spike(fired: Tensor) -> Tensor:
    """Indices (B, N, h, w) into the unpooled map, h·w, of the winner of each 2×2 neighbours.

    fired: spikes (T, B, N, H, W). The first one to spike wins the fixation; of several in the same
    time step, and where nobody spikes, the first in reading order.
    """
    steps = torch.arange(len(fired), 0, -1, device=fired.device)
    # time steps that were left at the first spike; 0 without one
    left = (fired.detach() * steps.view(-1, 1, 1, 1, 1)).amax(0).to(torch.float32)
    rows, columns = (torch.arange(n, device=fired.device) % POOL for n in fired.shape[3:])
    place = POOL * rows[:, None] + columns
    # no two neighbours are equal, so no pooling kernel's own choice among equals matters
    return _pool(left * POOL**2 - place)[1]


def current(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """W x + b: a fully connected layer, or a convolution where the weights have kernels.

    Kernels (N, C, k, k) are those of all positions; (h · w, N, C, k, k) a copy for each, as a
    chip's are that learn.
    """
    if weight.dim() == 2:
        return F.linear(x, weight, bias)
    if weight.dim() == 5:
        driven = untied_current(x, weight)
        return driven if bias is None else driven + bias[:, None, None]
    x = x.to(memory_format=memory_format(x))
    return F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)


def forward(weights: Mapping[str, Tensor], x: Tensor, encoder: EncoderConfig) -> list[Answer]:
    """Answers of all layers to inputs x (B, inputs) or (B, C, h, w), from the first layer up."""
    layers: list[Answer] = []
    for number in range(1, len(encoder.layers) + 1):
        below = layers[-1] if layers else None
        source, spikes = (below.map, below.spikes) if below else (x, None)
        layers.append(answer(number, weights, source, spikes, encoder))
    return layers


def post_values(seen: Answer, dendrite: Tensor) -> Tensor:
    """dendrite · ρ'(a): a map over the neurons before pooling, from a signal (B, N) or a map."""
    if seen.map.dim() == 4 and dendrite.dim() == 2:
        dendrite = dendrite[:, :, None, None] / (seen.map.shape[2] * seen.map.shape[3])
    post = dendrite * seen.surrogate
    if seen.winners is None:
        return post
    index = seen.winners.to(torch.int64)
    return F.max_unpool2d(post, index, [POOL, POOL], output_size=list(seen.unpooled))


def changes(seen: Answer, dendrite: Tensor, weight: Tensor) -> dict[str, Tensor]:
    """ΔW and, in convolutions, Δb, summed over patches and positions."""
    post = post_values(seen, dendrite).to(seen.x.dtype)
    if weight.dim() == 2:
        return {"forward": (post.T @ seen.x).to(weight.dtype)}
    change = kernel_change(seen.x, post, weight.shape[-1])
    return {
        "forward": change.to(weight.dtype),
        "bias": post.sum((0, 2, 3), dtype=weight.dtype),
    }


def _pool(activity: Tensor) -> tuple[Tensor, Tensor]:
    """The largest of each 2×2 neighbours, and where it was (row · w + column)."""
    # pooling with channels last is ten times faster on a processor: it is vectorised over them
    activity = activity.contiguous(memory_format=torch.channels_last)
    return F.max_pool2d(activity, POOL, return_indices=True)


def few_bytes(index: Tensor, unpooled: Tensor) -> Tensor:
    """Positions in a map as small integers: they are kept for all patches of a minibatch."""
    few = unpooled.shape[2] * unpooled.shape[3] <= 1 << 8
    return index.to(torch.uint8 if few else torch.int32)


def _whole(x: Tensor, out: Tensor, surrogate: Tensor, spikes: Tensor | None) -> Answer:
    return Answer(x, out, _mean(out), surrogate, None, spikes)


def _mean(out: Tensor) -> Tensor:
    return out if out.dim() == 2 else out.mean((2, 3))
