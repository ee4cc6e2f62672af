"""Whether W_pred and W_retro become each other's transpose (paper, Appendix C).

Eq. 8 changes both alike, ΔW_pred = ΔW_retroᵀ. What they share grows and the independent initial
values stay, so that matrices that begin small end up mirrored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from clapp_neuro.errors import InputError
from clapp_neuro.reproduce.figures import look
from clapp_neuro.rules.prediction import role


def alignment(weights: Mapping[str, Tensor], layer: int, steps: int) -> float:
    """Cosine in −1..1 between W_pred and W_retroᵀ, flattened, of a layer (from 1).

    1: mirrored; about 0: independent. The mean over prediction steps 1 to `steps`. Raises
    InputError for a layer that lacks either matrix, or where they do not fit, are all 0 (no
    retrodiction) or not finite.
    """
    if steps < 1:
        raise InputError(f"an alignment needs at least one prediction step, not {steps}")
    cosines = [_cosine(weights, layer, step) for step in range(1, steps + 1)]
    return sum(cosines) / steps


def _cosine(weights: Mapping[str, Tensor], layer: int, step: int) -> float:
    names = [f"layer{layer}.{role(name, step)}" for name in ("prediction", "retrodiction")]
    for name in names:
        if name not in weights:
            raise InputError(
                f"there are no weights {name}: give a layer and a prediction step of a method "
                "that predicts"
            )
    prediction, retrodiction = (weights[name].detach().double() for name in names)
    if prediction.shape != retrodiction.shape[::-1]:
        raise InputError(
            f"{names[0]} {tuple(prediction.shape)} and {names[1]} {tuple(retrodiction.shape)} "
            "are not each other's transpose in shape"
        )
    lengths = []
    for name, matrix in zip(names, (prediction, retrodiction), strict=True):
        length = matrix.norm()
        if not torch.isfinite(length):
            raise InputError(f"{name} holds NaN or infinite values")
        if length == 0:
            raise InputError(f"{name} is all 0, which has no direction to compare")
        lengths.append(length)
    # divided one after the other: the product of two tiny lengths could be 0
    return ((prediction / lengths[0]) * (retrodiction.T / lengths[1])).sum().item()


def draw_alignment(steps: Sequence[int], curves: Mapping[str, Sequence[float]]) -> Figure:
    """One line a curve (a layer, say): its alignment at each of these training steps.

    Raises InputError where there is nothing to draw or a curve has not one cosine for each step.
    """
    if not curves or not len(steps):
        raise InputError("alignment against training needs at least one curve and one step")
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.add_subplot()
    axes.axhline(0, color="black", linewidth=0.6)
    for number, (name, values) in enumerate(curves.items()):
        cosines = np.asarray(values, dtype=np.float64)
        if cosines.shape != (len(steps),):
            raise InputError(f"{name} has {len(cosines)} alignments for {len(steps)} steps")
        if not np.isfinite(cosines).all():
            raise InputError(f"{name}: alignments hold NaN or infinite values")
        axes.plot(steps, cosines, label=name, linewidth=1.2, markersize=4, **look(number))
    axes.set_xlabel("training step")
    axes.set_ylabel("cosine of W_pred and W_retroᵀ")
    axes.set_ylim(min(-0.1, axes.get_ylim()[0]), 1.05)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", frameon=False)
    return figure
