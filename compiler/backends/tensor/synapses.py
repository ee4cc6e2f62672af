"""What plastic synapses do in a learning epoch, for many networks at once."""

from __future__ import annotations

import torch
from torch import Tensor

from compiler.backends.tensor.rounding import synapse_bits
from compiler.program import ACCUMULATOR_BITS, PRODUCT_SHIFT, TAG_UNITS


def learn(
    tags: Tensor, x1: Tensor, y: Tensor, exponent: int, key: Tensor, tag_max: int
) -> tuple[Tensor, Tensor]:
    """Tags int16 (R, n_pre, n_post) after `dt = 2^exponent*x0*x1*y`, and clipped ones (R,).

    x1 int32 (R, n_pre), y int32 (R, n_post). The engine adds ((x1 * y) >> 3) << (exponent + 7) to
    t << 7 and rounds stochastically. Where x1 or y is zero nothing changes, whatever the bits.
    """
    product = (x1[:, :, None] * y[:, None, :]) >> PRODUCT_SHIFT
    product <<= exponent + ACCUMULATOR_BITS
    bits = synapse_bits(key, x1.shape[1], y.shape[1])
    product += (1 << ACCUMULATOR_BITS) - 1 - bits
    moved = tags + (product >> ACCUMULATOR_BITS)
    kept = moved.clamp(-tag_max, tag_max)
    return kept.to(torch.int16), (kept != moved).sum((1, 2))


def carry(weights: Tensor, tags: Tensor, weight_max: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(weights, tags, moved, clipped) after `dw = u*sgn(t)`, `dt = -2^6*u*sgn(t)`.

    weights int8 and tags int16 (R, n_pre, n_post); counts (R,).
    """
    sign = tags.sign()
    wanted = weights.to(torch.int16) + sign
    kept = wanted.clamp(-weight_max, weight_max)
    return (
        kept.to(torch.int8),
        tags - sign * TAG_UNITS,
        (sign != 0).sum((1, 2)),
        (kept != wanted).sum((1, 2)),
    )
