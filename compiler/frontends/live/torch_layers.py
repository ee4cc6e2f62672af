"""Modules and functions of PyTorch itself, as nodes. Every parameter is honoured or refused."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from torch import nn

from compiler.frontends.live.parts import Part, array, chain
from compiler.frontends.live.recording import Call
from compiler.frontends.refusals import UnsupportedError
from compiler.source import (
    AveragePool,
    Convolution,
    Linear,
    MaxPool,
    Node,
    Rectifier,
    Reshape,
    Scale,
    SumPool,
)
from compiler.source.nodes import Pairs, Shape

ZERO = np.zeros(())


def read_module(module: nn.Module, call: Call, leading: int) -> Part:
    """The nodes of a module of torch.nn; UnsupportedError for what is not taken."""
    node = MODULES[type(module)](module, call, leading)
    return chain(("", node)) if node is not None else Part()


def convolution(
    weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> Convolution:
    """A convolution by torch's arguments; "same" and "valid" become numbers."""
    kernels = array(weight)
    axes = kernels.ndim - 2
    spread = pairs_of(dilation, axes)
    return Convolution(
        weight=kernels,
        bias=None if bias is None else array(bias),
        stride=pairs_of(stride, axes),
        padding=_padding(padding, kernels.shape[2:], spread),
        dilation=spread,
        groups=int(groups),
    )


def pairs_of(value: Any, axes: int) -> Shape:
    """One number an axis, where one may stand for all."""
    given = tuple(int(v) for v in value) if isinstance(value, tuple | list) else (int(value),)
    return given * axes if len(given) == 1 else given


def _padding(padding: Any, kernel: Shape, dilation: Shape) -> Pairs:
    if padding == "valid":
        return ((0, 0),) * len(kernel)
    if padding == "same":
        total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return tuple((t // 2, t - t // 2) for t in total)
    return tuple((p, p) for p in pairs_of(padding, len(kernel)))


def _linear(module: Any, _call: Call, _leading: int) -> Node:
    return Linear(array(module.weight), None if module.bias is None else array(module.bias))


def _conv(module: Any, _call: Call, leading: int) -> Node:
    if module.padding_mode != "zeros":
        raise UnsupportedError(
            f"padding_mode is '{module.padding_mode}'", "pad with zeros (padding_mode='zeros')"
        )
    require_batch_only(leading)
    return convolution(
        module.weight, module.bias, module.stride, module.padding, module.dilation, module.groups
    )


def require_batch_only(leading: int) -> None:
    """UnsupportedError where a layer of maps gets a time axis, taken for channels by torch."""
    if leading != 1:
        raise UnsupportedError(
            "it is called on a map with a time axis", "call it once a step (Norse: Lift(...))"
        )


def _average_pool(module: Any, call: Call, leading: int) -> Node:
    require_batch_only(leading)
    return average_pool(
        call,
        module.kernel_size,
        module.stride,
        module.padding,
        module.ceil_mode,
        module.count_include_pad,
        getattr(module, "divisor_override", None),
    )


def average_pool(
    call: Call,
    kernel: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil: bool = False,
    counts_padding: bool = True,
    divisor: int | None = None,
) -> Node:
    """An average pool by torch's arguments."""
    _, space = _pool(call, kernel, stride, padding, ceil)
    return AveragePool(*space, counts_padding=bool(counts_padding), divisor=divisor)


def _max_pool(module: Any, call: Call, leading: int) -> Node:
    require_batch_only(leading)
    return max_pool(
        call,
        module.kernel_size,
        module.stride,
        module.padding,
        module.dilation,
        module.ceil_mode,
        module.return_indices,
    )


def max_pool(
    call: Call,
    kernel: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil: bool = False,
    return_indices: bool = False,
) -> Node:
    """A max pool by torch's arguments."""
    axes, space = _pool(call, kernel, stride, padding, ceil)
    if set(pairs_of(dilation, axes)) != {1}:
        raise UnsupportedError(f"dilation is {dilation}", "pool without dilation")
    if return_indices:
        raise UnsupportedError("return_indices is True", "pool without the indices")
    return MaxPool(*space)


def _pool(
    call: Call, kernel: Any, stride: Any, padding: Any, ceil: bool
) -> tuple[int, tuple[Shape, Shape, Pairs]]:
    axes = len(call.shape) - 2
    _require_channels(call)
    size = pairs_of(kernel, axes)
    step = size if stride is None or stride == () else pairs_of(stride, axes)
    around = pairs_of(padding, axes)
    rest = [
        (n + 2 * p - k) % s for n, p, k, s in zip(call.shape[2:], around, size, step, strict=True)
    ]
    if ceil and any(rest):
        raise UnsupportedError(
            "ceil_mode is True, and a last window reaches over the edge", "pad, or set it False"
        )
    return axes, (size, step, tuple((p, p) for p in around))


def _require_channels(call: Call) -> None:
    if len(call.shape) < 3:
        raise UnsupportedError(
            f"{call.shape} arrives, which torch takes for one map without a batch axis",
            "give (batch, channels, positions)",
        )


def _adaptive_pool(module: Any, call: Call, leading: int) -> Node:
    require_batch_only(leading)
    _require_channels(call)
    space = call.shape[2:]
    size = pairs_of(module.output_size, len(space))
    if any(n % out for n, out in zip(space, size, strict=True)):
        raise UnsupportedError(
            f"output_size {size} does not divide {space}", "give a divisor, or use AvgPool2d"
        )
    kernel = tuple(n // out for n, out in zip(space, size, strict=True))
    return AveragePool(kernel, kernel, ((0, 0),) * len(space))


def _power_pool(module: Any, call: Call, leading: int) -> Node:
    require_batch_only(leading)
    if module.norm_type != 1:
        raise UnsupportedError(
            f"norm_type is {module.norm_type}", "give 1, a sum (of what is not < 0)"
        )
    _, space = _pool(call, module.kernel_size, module.stride, 0, module.ceil_mode)
    return SumPool(*space)


def reshaped(call: Call, leading: int) -> Node | None:
    """Whatever shape came out, as long as the axes in front stayed."""
    before, after = call.shape, call.results[0]
    if before[:leading] != after[:leading]:
        raise UnsupportedError(
            f"it makes {after} of {before}, so samples are mixed with one another",
            "keep the batch axis in front (Flatten starts at 1)",
        )
    if prod(before[leading:]) != prod(after[leading:]):
        raise UnsupportedError(f"it makes {after} of {before}", "keep the number of elements")
    return None if before == after else Reshape(tuple(after[leading:]))


def _batch_norm(module: Any, call: Call, leading: int) -> Node:
    if module.running_mean is None:
        raise UnsupportedError(
            "it keeps no running statistics", "set track_running_stats=True, train"
        )
    if leading != 1:
        raise UnsupportedError("it is called on a time axis", "call it once a step")
    axes = len(call.shape) - 2
    deviation = np.sqrt(array(module.running_var) + module.eps)
    weight = np.ones_like(deviation) if module.weight is None else array(module.weight)
    bias = np.zeros_like(deviation) if module.bias is None else array(module.bias)
    scale = weight / deviation
    offset = bias - array(module.running_mean) * scale
    along = (-1, *(1,) * axes)
    return Scale(scale.reshape(along), offset.reshape(along))


def _hard_tanh(module: Any, _call: Call, _leading: int) -> Node:
    if module.min_val != 0:
        raise UnsupportedError(f"min_val is {module.min_val}", "clip from 0 (ReLU6)")
    return Rectifier(float(module.max_val))


MODULES: dict[type, Callable[[Any, Call, int], Node | None]] = {
    nn.Linear: _linear,
    nn.Conv1d: _conv,
    nn.Conv2d: _conv,
    nn.AvgPool1d: _average_pool,
    nn.AvgPool2d: _average_pool,
    nn.MaxPool1d: _max_pool,
    nn.MaxPool2d: _max_pool,
    nn.AdaptiveAvgPool1d: _adaptive_pool,
    nn.AdaptiveAvgPool2d: _adaptive_pool,
    nn.LPPool2d: _power_pool,
    nn.Flatten: lambda _m, call, leading: reshaped(call, leading),
    nn.Unflatten: lambda _m, call, leading: reshaped(call, leading),
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.ReLU: lambda _m, _c, _l: Rectifier(),
    nn.ReLU6: lambda _m, _c, _l: Rectifier(6.0),
    nn.Hardtanh: _hard_tanh,
    nn.Identity: lambda _m, _c, _l: None,
    nn.Dropout: lambda _m, _c, _l: None,
    nn.Dropout1d: lambda _m, _c, _l: None,
    nn.Dropout2d: lambda _m, _c, _l: None,
    nn.AlphaDropout: lambda _m, _c, _l: None,
}
"""Networks are watched in evaluation mode, where a dropout is the identity."""
