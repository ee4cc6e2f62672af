"""A convolutional layer answers to some patches at a time.

So no map from before pooling, nor the current of all time steps, ever exists for the whole
minibatch, and what is worked on stays in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from clapp_neuro.config import EncoderConfig
from clapp_neuro.encoders.layers import Answer

PATCHES_AT_ONCE = {"cpu": 64, "cuda": 512}
"""So few on a processor that maps stay in its cache. For a GPU a guess: large enough to fill it."""

MAPS = ("map", "z", "surrogate", "winners")


def parts(patches: int, device: torch.device) -> list[slice]:
    """Consecutive parts of so many patches."""
    size = PATCHES_AT_ONCE[device.type]
    return [slice(first, min(first + size, patches)) for first in range(0, patches, size)]


def in_parts(
    layer: int,
    weights: Mapping[str, Tensor],
    x: Tensor,
    spikes: Tensor | None,
    encoder: EncoderConfig,
    answer: Callable[..., Answer],
) -> tuple[Answer, list[slice]]:
    """Answer to x (B, C, h, w) and spikes (T, B, C, h, w), and the parts it was made of."""
    pieces = parts(len(x), x.device)
    whole: Answer | None = None
    for piece in pieces:
        below = None if spikes is None else spikes[:, piece]
        seen = answer(layer, weights, x[piece], below, encoder)
        if whole is None:
            whole = _empty(seen, x)
        for here, there in _maps(seen, part_of(whole, piece)):
            there.copy_(here)
    assert whole is not None, "a minibatch has patches"
    return whole, pieces


def part_of(seen: Answer, part: slice) -> Answer:
    """The answer to some of the patches: views, nothing is copied."""
    kept = {
        name: value[part] for name in ("x", *MAPS) if (value := getattr(seen, name)) is not None
    }
    spikes = None if seen.spikes is None else seen.spikes[:, part]
    return replace(seen, spikes=spikes, **kept)


def _empty(like: Answer, x: Tensor) -> Answer:
    """Room for the answer to all patches of x, of the kind of the first of them."""
    room: dict[str, Any] = {
        name: _more(value, len(x)) for name in MAPS if (value := getattr(like, name)) is not None
    }
    spikes = like.spikes
    if spikes is not None:
        spikes = spikes.new_empty(len(spikes), len(x), *spikes.shape[2:])
    return replace(like, x=x, spikes=spikes, **room)


def _more(value: Tensor, patches: int) -> Tensor:
    """Room for so many patches of the kind of the first dimension of `value`, laid out as it is."""
    last = value.dim() == 4 and not value.is_contiguous()
    return torch.empty(
        (patches, *value.shape[1:]),
        dtype=value.dtype,
        device=value.device,
        memory_format=torch.channels_last if last else torch.contiguous_format,
    )


def _maps(first: Answer, second: Answer) -> Iterator[tuple[Tensor, Tensor]]:
    for name in (*MAPS, "spikes"):
        value = getattr(first, name)
        if value is not None:
            yield value, getattr(second, name)
