"""Kernels: ΔW of a shared one, and the currents of copies that each position has of its own.

ΔW = Σ over patches and positions of post · pre, for each tap of the kernel
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.grad import conv2d_weight

TAP_BY_TAP = 4
"""Positions up to which a processor is faster with a product a tap: 2×2 maps (VGG-6's last)."""

CHANNELS_FIRST = 16
"""Positions up to which a processor convolves faster with the channels first."""


def memory_format(maps: Tensor) -> torch.memory_format:
    """How maps (B, C, h, w) lie in memory where they are convolved."""
    small = maps.shape[2] * maps.shape[3] <= CHANNELS_FIRST
    return torch.contiguous_format if small else torch.channels_last


def untied_current(x: Tensor, weight: Tensor) -> Tensor:
    """Currents (B, N, h, w) of maps x (B, C, h, w), each place's kernels its own.

    weight (h · w, N, C, k, k). Zeros surround the maps, k // 2 wide.
    """
    taps = weight.shape[-1]
    windows = F.unfold(x, taps, padding=taps // 2)  # (B, C · k · k, h · w)
    return torch.einsum("bep,pne->bnp", windows, weight.flatten(2)).unflatten(2, x.shape[2:])


def kernel_change(x: Tensor, post: Tensor, taps: int) -> Tensor:
    """ΔW (N, C, taps, taps) from pre maps (B, C, h, w) and post maps (B, N, h, w), stride 1.

    Zeros surround the maps, taps // 2 wide.
    """
    if x.device.type == "cpu" and x.shape[2] * x.shape[3] <= TAP_BY_TAP:
        return _tap_by_tap(x, post, taps)
    x, post = (maps.to(memory_format=memory_format(x)) for maps in (x, post))
    shape = [post.shape[1], x.shape[1], taps, taps]
    return conv2d_weight(x, shape, post, padding=taps // 2)


def _tap_by_tap(x: Tensor, post: Tensor, taps: int) -> Tensor:
    """One matrix product a tap, over the positions where the tap lies on the map.

    In a map of 2×2 that is less than half of all pairs of position and tap.
    """
    height, width = x.shape[2:]
    pre, after = (maps.permute(1, 2, 3, 0).contiguous() for maps in (x, post))  # (C, h, w, B)
    change = post.new_empty(taps, taps, len(after), len(pre))
    for row in range(taps):
        (ys, from_ys) = _overlap(row - taps // 2, height)
        for column in range(taps):
            (xs, from_xs) = _overlap(column - taps // 2, width)
            heard = pre[:, from_ys, from_xs].flatten(1)
            torch.mm(after[:, ys, xs].flatten(1), heard.T, out=change[row, column])
    return change.permute(2, 3, 0, 1)


def _overlap(shift: int, size: int) -> tuple[slice, slice]:
    """Positions whose neighbour at this shift is on the map, and those neighbours."""
    first, last = max(0, -shift), min(size, size - shift)
    last = max(first, last)  # a map smaller than the shift has none
    return slice(first, last), slice(first + shift, last + shift)
