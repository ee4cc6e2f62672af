"""Sums of integers times integers on a device's floating-point units, exact.

A product of a payload of 8 bits and a weight of 8 bits, summed up to less than 2^24, is exact in
float32 in any order, on tensor cores too (a payload and a weight fit 11 bits of mantissa); where
the sum can be larger, float64 holds 2^53.
"""

from __future__ import annotations

import torch
from torch import Tensor

from compiler.program import LARGEST_WEIGHT

EXACT_IN_FLOAT32 = 1 << 24


def number_type(n_pre: int, largest_payload: int) -> torch.dtype:
    """The type in which n_pre payloads of that size times weights of 8 bits are summed exactly."""
    bound = n_pre * largest_payload * LARGEST_WEIGHT
    return torch.float32 if bound < EXACT_IN_FLOAT32 else torch.float64


def summed(payload: Tensor, weights: Tensor) -> Tensor:
    """Σ_i payload_i · w_ij: int32 (R, T, n_post) from (R, T, n_pre) and weights (R, n_pre, n_post).

    weights are in their number type; with one network for all, (1, n_pre, n_post).
    """
    numbers = payload.to(weights.dtype)
    if len(weights) == 1:
        return (numbers @ weights[0]).to(torch.int32)
    return torch.bmm(numbers, weights).to(torch.int32)
