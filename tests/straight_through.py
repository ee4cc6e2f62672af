"""An activity as automatic differentiation sees it, to compare explicit rules with its gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class StraightThrough(torch.autograd.Function):
    """z = ρ(a) for automatic differentiation: forward the activity, backward ρ'."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, z: Tensor, surrogate: Tensor) -> Tensor:
        """The activity z as it was counted."""
        ctx.save_for_backward(surrogate)
        return z.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """∂z/∂a = ρ'."""
        (surrogate,) = ctx.saved_tensors
        return gradients[0] * surrogate, None, None
