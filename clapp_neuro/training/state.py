"""What both modes of training share."""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor

from clapp_neuro.errors import InputError


def tensors_of(weights: Mapping[str, Tensor], layer: int) -> dict[str, Tensor]:
    """The tensors of a layer (from 1) by role; the tensors themselves, not copies."""
    prefix = f"layer{layer}."
    return {name[len(prefix) :]: w for name, w in weights.items() if name.startswith(prefix)}


def check_loss(loss: float, layer: int, step: int, rate_name: str, rate: float) -> None:
    """Raise InputError where the loss of a layer (from 1) is not a finite number any more."""
    if not math.isfinite(loss):
        raise InputError(
            f"the loss of layer {layer} became {loss} at step {step + 1}: "
            f"train with a lower {rate_name} than {rate:g}"
        )


def check_finite(weight: Tensor, layer: int, step: int, rate: float) -> None:
    """Raise InputError where a weight of a layer (from 1) is not a finite number any more."""
    if not math.isfinite(weight.sum().item()):
        raise InputError(
            f"weights of layer {layer} became infinite at step {step + 1}: "
            f"train with a lower sgd_rate than {rate:g}"
        )


def resume_tensor(resume: Mapping[str, Tensor], name: str, like: Tensor) -> Tensor:
    """A tensor of the state to resume from; raises InputError where it is missing or misshapen."""
    tensor = resume.get(name)
    if tensor is None or tensor.shape != like.shape:
        shape = None if tensor is None else tuple(tensor.shape)
        raise InputError(
            f"the checkpoint cannot be resumed: its '{name}' should be {tuple(like.shape)}, "
            f"not {shape}"
        )
    return tensor.to(device=like.device, dtype=like.dtype).clone()
