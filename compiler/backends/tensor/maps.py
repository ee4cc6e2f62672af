"""Convolutions, pools and means for many networks or fixations at once, exact.

Not a library's convolution: those may transform the kernels (Winograd, FFT), and then sums of
integers are no longer exact. A convolution is a matrix product for each offset of its window; the
products are exact in their number type (`exact`), the offsets are added in int32.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from compiler.backends.tensor.exact import summed
from compiler.connectivity import NEIGHBOURS, Window, Windows
from compiler.ir import Map


def convolve(sent: Tensor, kernels: Tensor, along: Windows, source: Map, target: Map) -> Tensor:
    """Currents int32 (R, T, C_out * H * W) from messages (R, T, C_in * h * w).

    kernels (R, groups, k_h, k_w, C_in, C_out), of a group's channels, in their number type; with
    one network for all, R = 1.
    """
    rows, steps = sent.shape[:2]
    groups, taken, given = kernels.shape[1], *kernels.shape[-2:]
    seen = sent.unflatten(2, source).permute(0, 1, 3, 4, 2).to(kernels.dtype)
    around = [
        (axis.padding, max(0, axis.sources(axis.width - 1, 0, ends)[-1] + 1 - side))
        for axis, ends, side in zip(along, target[1:], source[1:], strict=True)
    ]
    seen = pad(seen, (0, 0, *around[1], *around[0]))
    positions = steps * target[1] * target[2]
    current = torch.zeros(rows, positions, target[0], dtype=torch.int32, device=sent.device)
    for dy in range(along[0].width):
        down = _taps(along[0], dy, target[1])
        for dx in range(along[1].width):
            window = seen[:, :, down, _taps(along[1], dx, target[2])]
            flat = window.reshape(rows, positions, source[0])
            for group in range(groups):
                into = slice(group * given, (group + 1) * given)
                part = flat[:, :, group * taken : (group + 1) * taken]
                current[:, :, into] += summed(part, kernels[:, group, dy, dx])
    return current.unflatten(1, (steps, *target[1:])).permute(0, 1, 4, 2, 3).flatten(2)


def _taps(along: Window, tap: int, targets: int) -> slice:
    """What the targets read through a tap, along one axis of a padded map."""
    first = tap * along.dilation
    return slice(first, first + (targets - 1) * along.stride + 1, along.stride)


def windows(sent: Tensor, shape: Map, side: int) -> Tensor:
    """What each position sees of messages (R, T, C * H * W): (R, H * W, T, side * side * C).

    In the order of `compiler.rounding`; 0 where it looks off the map.
    """
    half = side // 2
    framed = pad(sent.unflatten(2, shape), (half, half, half, half))
    seen = framed.unfold(3, side, 1).unfold(4, side, 1)  # (R, T, C, H, W, side, side)
    return seen.permute(0, 3, 4, 1, 5, 6, 2).flatten(4).flatten(1, 2)


def convolve_untied(sent: Tensor, kernels: Tensor, shape: Map, side: int) -> Tensor:
    """`convolve` where each position has kernels of its own, (R, H * W, side * side * C_in, C_out).

    One matrix product a position, all positions at once.
    """
    height, width = shape[1:]
    steps = sent.shape[1]
    seen = windows(sent.to(kernels.dtype), shape, side)
    if len(kernels) == 1:  # all rows through the same weights
        rows = len(seen)
        through = seen.transpose(0, 1).flatten(1, 2) @ kernels[0]
        current = through.unflatten(1, (rows, steps)).permute(1, 2, 3, 0)
    else:
        current = (seen @ kernels).permute(0, 2, 3, 1)
    return current.to(torch.int32).unflatten(3, (height, width)).flatten(2)


def by_position(values: Tensor, shape: Map) -> Tensor:
    """(R, H * W, C) of the neurons (R, C * H * W) of a map."""
    return values.unflatten(1, (shape[0], -1)).transpose(1, 2)


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


def reached(sent: Tensor, along: Windows, source: Map, target: Map, channels: int) -> Tensor:
    """Synaptic operations (R,) of messages (R, T, N); each neuron reaches `channels` a position."""
    rows, columns = (
        torch.from_numpy(window.readers(source[axis], 0, target[axis])).to(sent.device)
        for axis, window in enumerate(along, 1)
    )
    fan_out = channels * rows[:, None] * columns
    return ((sent != 0).unflatten(2, source) * fan_out).sum((1, 2, 3, 4))


def summed_up(spikes: Tensor, shape: Map) -> Tensor:
    """How many positions of each channel spike, int32 (R, T, C)."""
    return spikes.unflatten(2, (shape[0], -1)).sum(3, dtype=torch.int32)


def hear_winners(sent: Tensor, shifts: Tensor, source: Map, target: Map) -> Tensor:
    """What each neuron of a pooled map hears (R, N) of the winners (R, n) that relays send.

    shifts (2, 2), times which a winner's mask is the highest bit. A last row or column that fills
    no neighbourhood hears nothing.
    """
    _, height, width = target
    heard = sent.unflatten(1, source)[:, :, :, None, :, None] * shifts[:, None, :]
    heard = heard.flatten(4, 5).flatten(2, 3)  # (R, C, 2h, 2w)
    return pad(heard, (0, width - heard.shape[3], 0, height - heard.shape[2])).flatten(1)
