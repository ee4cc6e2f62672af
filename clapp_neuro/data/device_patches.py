"""`data.patches` for tensors: images → inputs of the encoder, on the device where they are."""

from __future__ import annotations

import torch
from torch import Tensor

from clapp_neuro.config import DataConfig
from clapp_neuro.data.patches import ON_OFF_RANGE


def patch_inputs(images: Tensor, config: DataConfig, maps: bool) -> Tensor:
    """Images uint8 (B, side, side) → inputs (B·P, inputs), or (B·P, C, patch, patch) as maps.

    The values and the order of the positions are those of `data.patches.image_inputs`.
    """
    size, stride = config.patch, config.stride
    windows = images.unfold(1, size, stride).unfold(2, size, stride)
    patches = windows.transpose(1, 2).reshape(-1, 1, size, size)  # columns first
    inputs = _encode(patches.to(torch.float32) / 255, config)
    return inputs if maps else inputs.flatten(1)


def _encode(pixels: Tensor, config: DataConfig) -> Tensor:
    if config.coding == "intensity":
        return pixels
    mean, std = (torch.tensor(value, device=pixels.device) for value in (config.mean, config.std))
    if config.coding == "signed":
        return (pixels - mean) / std
    scaled = (pixels - mean) / torch.tensor(config.std * ON_OFF_RANGE, device=pixels.device)
    scaled = scaled.clamp_(-1, 1)
    return torch.cat([scaled.clamp_min(0), (-scaled).clamp_min(0)], 1)
