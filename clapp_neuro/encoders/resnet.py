"""ResNet-50 as an encoder of patches (paper, Table 4): torchvision's blocks without batch norm.

A stem of 5×5 kernels and the first three stages (3, 4 and 6 bottlenecks; 256, 512 and 1024
channels), as in the Greedy InfoMax code. Each stage counts as a layer; the stem belongs to the
first.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

BLOCKS = (3, 4, 6)
WIDTHS = (64, 128, 256)
STEM = 64
STEM_KERNEL = 5


@lru_cache
def _template(layer: int, channels: int) -> nn.Module:
    """A stage without values."""
    from torchvision.models.resnet import Bottleneck

    width, grown = WIDTHS[layer - 1], WIDTHS[layer - 1] * Bottleneck.expansion
    below = STEM if layer == 1 else WIDTHS[layer - 2] * Bottleneck.expansion
    stride = 1 if layer == 1 else 2
    parts: list[nn.Module] = []
    with torch.device("meta"):
        if layer == 1:
            stem = nn.Conv2d(channels, STEM, STEM_KERNEL, padding=STEM_KERNEL // 2, bias=False)
            parts += [stem, nn.ReLU()]
        shortcut = nn.Conv2d(below, grown, 1, stride, bias=False)
        parts.append(Bottleneck(below, width, stride, shortcut, norm_layer=_no_norm))
        more = range(BLOCKS[layer - 1] - 1)
        parts += [Bottleneck(grown, width, norm_layer=_no_norm) for _ in more]
    return nn.Sequential(*parts)


def _no_norm(channels: int) -> nn.Module:
    return nn.Identity()


def stage_shapes(layer: int, channels: int) -> dict[str, tuple[int, ...]]:
    """Shapes of the kernels of a stage (from 1), by name."""
    named = _template(layer, channels).named_parameters()
    return {f"stage.{name}": tuple(value.shape) for name, value in named}


def stage(layer: int, weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """Activity of a stage (B, channels, h, w)."""
    prefix = f"layer{layer}.stage."
    own = {name[len(prefix) :]: w for name, w in weights.items() if name.startswith(prefix)}
    out: Any = functional_call(_template(layer, x.shape[1] if layer == 1 else 1), own, (x,))
    return out
