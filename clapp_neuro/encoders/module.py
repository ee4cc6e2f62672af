"""A gradient-isolated module: one or more layers that learn from one dendritic signal at the top.

In a module of one layer the signal meets ρ'(a) and x right there, and nothing is differentiated.
In a deeper one it is back-propagated through the module by autograd, with the surrogate gradient
and through time where the neurons spike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from clapp_neuro.config import EncoderConfig
from clapp_neuro.encoders.layers import Answer, changes
from clapp_neuro.encoders.layers import answer as layers_answer
from clapp_neuro.encoders.parts import in_parts, part_of

Answering = Callable[..., Answer]


@dataclass(frozen=True)
class Response:
    """A module's answer, and what its synapses do with a dendritic signal.

    top: answer of the top layer. learn(dendrite): ΔW of all synapses of the module by name, for a
    signal (B, N) for z or one in the shape of its map.
    """

    top: Answer
    learn: Callable[[Tensor], dict[str, Tensor]]


def respond(
    layers: tuple[int, ...],
    weights: Mapping[str, Tensor],
    x: Tensor,
    spikes: Tensor | None,
    encoder: EncoderConfig,
    answer: Answering = layers_answer,
) -> Response:
    """Answer of a module of these layers (from 1) to the map x and the spikes below it.

    answer: `layers.answer`, or what torch.compile has made of it.
    """
    if len(layers) == 1 and encoder.architecture != "resnet50":
        return _local(layers[0], weights, x, spikes, encoder, answer)
    return _deep(layers, weights, x, spikes, encoder, answer)


def _local(
    layer: int,
    weights: Mapping[str, Tensor],
    x: Tensor,
    spikes: Tensor | None,
    encoder: EncoderConfig,
    answer: Answering,
) -> Response:
    name = f"layer{layer}"
    if encoder.architecture == "dense":
        seen = answer(layer, weights, x, spikes, encoder)
        parts = [slice(0, len(x))]
    else:
        seen, parts = in_parts(layer, weights, x, spikes, encoder, answer)

    def learn(dendrite: Tensor) -> dict[str, Tensor]:
        total: dict[str, Tensor] = {}
        for part in parts:
            found = changes(part_of(seen, part), dendrite[part], weights[f"{name}.forward"])
            for what, change in found.items():
                total[what] = total[what].add_(change) if what in total else change
        return {f"{name}.{what}": change for what, change in total.items()
                if f"{name}.{what}" in weights}  # fmt: skip

    return Response(seen, learn)


def _deep(
    layers: tuple[int, ...],
    weights: Mapping[str, Tensor],
    x: Tensor,
    spikes: Tensor | None,
    encoder: EncoderConfig,
    answer: Answering,
) -> Response:
    synapses = {
        name: weight.detach().requires_grad_()
        for name, weight in weights.items()
        if int(name.split(".")[0].removeprefix("layer")) in layers
        and name.split(".")[1] in ("forward", "bias", "stage")
    }
    with torch.enable_grad():
        source, drive = x, spikes
        for layer in layers:
            seen = answer(layer, synapses, source, drive, encoder)
            source, drive = seen.map, seen.spikes

    def learn(dendrite: Tensor) -> dict[str, Tensor]:
        found = torch.autograd.grad(seen.z, list(synapses.values()), -dendrite.to(seen.z.dtype))
        return {name: -gradient for name, gradient in zip(synapses, found, strict=True)}

    top = Answer(
        x=seen.x.detach(),
        map=seen.map.detach(),
        z=seen.z.detach(),
        surrogate=seen.surrogate.detach(),
        spikes=None if seen.spikes is None else seen.spikes.detach(),
    )
    return Response(top, learn)
