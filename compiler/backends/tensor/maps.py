"""Convolutions and pools for many networks or fixations at once, exact.

Not a library's convolution: those may transform the kernels (Winograd, FFT), and then sums of
integers are no longer exact. A convolution is a matrix product for each offset of its window; the
products are exact in their number type (`exact`), the offsets are added in int32.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from compiler.backends.tensor.exact import summed
from compiler.connectivity import NEIGHBOURS, Window
from compiler.ir import Map


def convolve(sent: Tensor, kernels: Tensor, shape: Map) -> Tensor:
    """Currents int32 (R, T, C_out * H * W) from messages (R, T, C_in * H * W).

    kernels (R, k, k, C_in, C_out) in their number type; with one network for all, R = 1.
    """
    channels, height, width = shape
    rows, steps = sent.shape[:2]
    side, count = kernels.shape[1], kernels.shape[-1]
    half = side // 2
    seen = sent.unflatten(2, shape).permute(0, 1, 3, 4, 2).to(kernels.dtype)
    seen = pad(seen, (0, 0, half, half, half, half))
    current = torch.zeros(
        rows, steps * height * width, count, dtype=torch.int32, device=sent.device
    )
    for dy in range(side):
        for dx in range(side):
            window = seen[:, :, dy : dy + height, dx : dx + width]
            flat = window.reshape(rows, steps * height * width, channels)
            current += summed(flat, kernels[:, dy, dx])
    return current.unflatten(1, (steps, height, width)).permute(0, 1, 4, 2, 3).flatten(2)


def neighbours(spikes: Tensor, bits: Tensor, shape: Map) -> Tensor:
    """Masks int32 (R, T, C * (H // 2) * (W // 2)) of which neighbours of each relay spike.

    bits (2, 2). A last row or column that fills no neighbourhood is heard by nobody.
    """
    _, height, width = shape
    high, wide = (side // NEIGHBOURS * NEIGHBOURS for side in (height, width))
    seen = spikes.unflatten(2, shape)
    masks = sum(
        seen[..., dy:high:NEIGHBOURS, dx:wide:NEIGHBOURS].to(torch.int32) * bits[dy, dx]
        for dy in range(NEIGHBOURS)
        for dx in range(NEIGHBOURS)
    )
    assert isinstance(masks, Tensor)
    return masks.flatten(2)


def reached(sent: Tensor, along: Window, source: Map, target: Map, channels: int) -> Tensor:
    """Synaptic operations (R,) of messages (R, T, N); each neuron reaches `channels` a position."""
    rows, columns = (
        torch.from_numpy(along.readers(source[axis], 0, target[axis])).to(sent.device)
        for axis in (1, 2)
    )
    fan_out = channels * rows[:, None] * columns
    return ((sent != 0).unflatten(2, source) * fan_out).sum((1, 2, 3, 4))
