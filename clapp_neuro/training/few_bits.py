"""Weights as a chip of few bits would hold them, to train for it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


def rounded(weights: Mapping[str, Tensor], bits: int) -> dict[str, Tensor]:
    """The matrices and kernels on the compiler's grid, all else as it is.

    A matrix has 2^bits - 1 levels, evenly spaced from its largest magnitude to minus that: what
    `compiler.passes.quantizing.quantize` makes of weights that do not learn on the chip.
    """
    largest = 2 ** (bits - 1) - 1

    def on_the_grid(weight: Tensor) -> Tensor:
        unit = weight.abs().amax() / largest
        unit = torch.where(unit > 0, unit, torch.ones_like(unit))
        return torch.round(weight / unit) * unit

    with torch.no_grad():
        return {name: on_the_grid(w) if w.ndim > 1 else w for name, w in weights.items()}
