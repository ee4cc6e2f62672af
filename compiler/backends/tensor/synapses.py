"""What plastic synapses do in a learning epoch, for many networks at once.

Weights and tags lie as rows of postsynaptic neurons: (R, n_pre, n_post), or of untied kernels
(R, h * w, k * k * C_in, C_out), as `compiler.rounding` numbers them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from compiler.backends.tensor.rounding import synapse_bits
from compiler.program import ACCUMULATOR_BITS, PRODUCT_SHIFT, TAG_UNITS


def learn(
    tags: Tensor, x1: Tensor, y: Tensor, exponent: int, key: Tensor, tag_max: int
) -> tuple[Tensor, Tensor]:
    """Tags int16 after `dt = 2^exponent*x0*x1*y`, and the number (R,) of clipped ones.

    Or weights int8 after such a `dw`, with their largest for `tag_max`.

    x1 int32 (..., n_pre) and y int32 (..., n_post). The engine adds
    ((x1 * y) >> 3) << (exponent + 7) to t << 7 and rounds stochastically. Where x1 or y is zero
    nothing changes, whatever the bits.
    """
    product = (x1[..., :, None] * y[..., None, :]) >> PRODUCT_SHIFT
    product <<= exponent + ACCUMULATOR_BITS
    bits = synapse_bits(key, x1[0].numel(), y.shape[-1])
    product += (1 << ACCUMULATOR_BITS) - 1 - bits.view_as(product)
    moved = tags + (product >> ACCUMULATOR_BITS)
    kept = moved.clamp(-tag_max, tag_max)
    return kept.to(tags.dtype), counted(kept != moved)


def carry(weights: Tensor, tags: Tensor, weight_max: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(weights, tags, moved, clipped) after `dw = u*sgn(t)`, `dt = -2^6*u*sgn(t)`.

    weights int8, tags int16; counts (R,).
    """
    sign = tags.sign()
    wanted = weights.to(torch.int16) + sign
    kept = wanted.clamp(-weight_max, weight_max)
    return (
        kept.to(torch.int8),
        tags - sign * TAG_UNITS,
        counted(sign != 0),
        counted(kept != wanted),
    )


def transfer(
    weights: Tensor, tags: Tensor, key: Tensor, weight_max: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """As `carry`, after `dw = 2^-6*u*t`, `dt = -u*t`, the weights rounded stochastically."""
    bits = synapse_bits(key, *weights.shape[1:])
    units = (weights.int() << ACCUMULATOR_BITS) + tags * ((1 << ACCUMULATOR_BITS) // TAG_UNITS)
    wanted = (units + ((1 << ACCUMULATOR_BITS) - 1) - bits) >> ACCUMULATOR_BITS
    kept = wanted.clamp(-weight_max, weight_max)
    return (
        kept.to(torch.int8),
        torch.zeros_like(tags),
        counted(kept != weights),
        counted(kept != wanted),
    )


def average(
    weights: Tensor, tags: Tensor, real: Tensor, weight_max: int, tag_max: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(weights, tags, clipped weights, clipped tags) once copies of kernels are averaged.

    real: bool (h * w, k * k * C_in, 1), which rows are synapses and not off the map, where there
    are zeros. The mean of 64 * w + t over the copies, rounded, is taken apart again: see
    `compiler.program.Synapses`.
    """
    copies = real.sum(0)
    total = (TAG_UNITS * weights.long() + tags).sum(1)
    mean = torch.div(2 * total + copies, (2 * copies).clamp_min(1), rounding_mode="floor")
    wanted = (mean + TAG_UNITS // 2) // TAG_UNITS
    weight = wanted.clamp(-weight_max, weight_max)
    rest = mean - TAG_UNITS * weight
    tag = rest.clamp(-tag_max, tag_max)
    return (
        (weight[:, None] * real).to(torch.int8),
        (tag[:, None] * real).to(torch.int16),
        counted((weight != wanted) * copies),
        counted((tag != rest) * copies),
    )


def counted(where: Tensor) -> Tensor:
    """The sum of each network, (R,)."""
    return where.flatten(1).sum(1)
