"""Random numbers of `compiler.rounding` on tensors: the same bits, on any device.

Words are int32 tensors that wrap modulo 2^32; a right shift of one is masked, as it would bring
in copies of the sign. The first dimension of a key are networks.
"""

from __future__ import annotations

import torch
from torch import Tensor

from compiler.rounding import words_per_row


def _constant(word: int) -> int:
    """A 32-bit word as the int32 of the same bits."""
    return word - (1 << 32) if word >= 1 << 31 else word


_GOLDEN = _constant(0x9E3779B9)
_FIRST, _SECOND = _constant(0x7FEB352D), _constant(0x846CA68B)


def mix(h: Tensor) -> Tensor:
    """Twin of `compiler.rounding.mix`."""
    h = h ^ ((h >> 16) & 0xFFFF)
    h = h * _FIRST
    h = h ^ ((h >> 15) & 0x1FFFF)
    h = h * _SECOND
    return h ^ ((h >> 16) & 0xFFFF)


def seeds(values: list[int], device: torch.device) -> Tensor:
    """Seeds of networks, int32 (R,)."""
    return torch.tensor([_constant(v & 0xFFFFFFFF) for v in values], dtype=torch.int32).to(device)


def keys(seed: Tensor, stream: int, time_step: int) -> Tensor:
    """Keys of (seed, stream, time step), int32 (R,)."""
    named = _constant(stream * 0x9E3779B9 & 0xFFFFFFFF)
    return mix(mix(mix(seed) ^ named) ^ _constant(time_step & 0xFFFFFFFF))


def words(key: Tensor, count: int) -> Tensor:
    """Random words number 0 .. count-1 of each key, int32 (R, count)."""
    index = torch.arange(count, dtype=torch.int32, device=key.device)
    return mix(key[:, None] + index * _GOLDEN)


def synapse_bits(key: Tensor, n_pre: int, n_post: int) -> Tensor:
    """Seven random bits for every synapse, int32 (R, n_pre, n_post)."""
    row = words_per_row(n_post)
    drawn = words(key, n_pre * row).view(len(key), n_pre, row, 1)
    lanes = torch.arange(0, 32, 8, dtype=torch.int32, device=key.device)
    return ((drawn >> lanes) & 127).flatten(2)[:, :, :n_post]
