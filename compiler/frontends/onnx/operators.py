"""Operators of ONNX that become nodes of the source graph.

Shapes are without the batch axis in front.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

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
)
from compiler.source.nodes import Pairs, Shape


@dataclass(frozen=True)
class Given:
    """Attributes by name, constants by place (None: what is followed), and the arriving shape."""

    attributes: dict[str, Any]
    constants: tuple[np.ndarray | None, ...]
    arriving: Shape

    def constant(self, place: int) -> np.ndarray | None:
        """A constant as float64, or None where there is none at that place."""
        found = self.constants[place] if place < len(self.constants) else None
        return None if found is None else found.astype(np.float64)

    def need(self, place: int, name: str) -> np.ndarray:
        """A constant that has to be there."""
        found = self.constant(place)
        if found is None:
            raise UnsupportedError(f"{name} is no constant", "give it as an initializer")
        return found


@dataclass(frozen=True)
class Operator:
    """How an operator is read, and the attributes that are honoured."""

    read: Callable[[Given], tuple[Node, ...]]
    attributes: tuple[str, ...] = ()


def _gemm(given: Given) -> tuple[Node, ...]:
    of = given.attributes
    if of.get("transA", 0):
        raise UnsupportedError("transA is set", "give samples in rows")
    weight = given.need(1, "B") * of.get("alpha", 1.0)
    bias = given.constant(2)
    weight = weight if of.get("transB", 0) else weight.T
    if bias is not None:
        bias = np.broadcast_to(bias * of.get("beta", 1.0), (1, weight.shape[0])).reshape(-1)
    if len(given.arriving) != 1:
        raise UnsupportedError(f"{given.arriving} arrives", "flatten before it")
    return (Linear(weight, bias),)


def _matmul(given: Given) -> tuple[Node, ...]:
    if len(given.constants) != 2 or given.constants[0] is not None:
        raise UnsupportedError("it multiplies from the left, or two signals", "give x W")
    weight = given.need(1, "B")
    if weight.ndim != 2:
        raise UnsupportedError(f"B has {weight.ndim} axes", "give 2")
    return (Linear(weight.T),)


def _conv(given: Given) -> tuple[Node, ...]:
    weight = given.need(1, "W")
    of, axes = given.attributes, weight.ndim - 2
    if axes not in (1, 2) or len(given.arriving) != axes + 1:
        raise UnsupportedError(f"W has {weight.ndim} axes", "convolve over one or two")
    kernel = tuple(weight.shape[2:])
    if tuple(of.get("kernel_shape", kernel)) != kernel:
        raise UnsupportedError(
            f"kernel_shape is {of['kernel_shape']}, W has {kernel}", "export it again"
        )
    stride, dilation = (_each(of, n, axes, 1) for n in ("strides", "dilations"))
    reach = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    padding = _padding(of, given.arriving[1:], reach, stride)
    group = int(of.get("group", 1))
    return (Convolution(weight, given.constant(2), stride, padding, dilation, group),)


def _padding(of: dict[str, Any], space: Shape, reach: Shape, stride: Shape) -> Pairs:
    name = of.get("auto_pad", b"NOTSET")
    kind = name.decode() if isinstance(name, bytes) else str(name)
    if kind == "NOTSET":
        pads = _each(of, "pads", 2 * len(space), 0)
        return tuple(zip(pads[: len(space)], pads[len(space) :], strict=True))
    if kind == "VALID":
        return ((0, 0),) * len(space)
    if kind not in ("SAME_UPPER", "SAME_LOWER"):
        raise UnsupportedError(f"auto_pad is {kind}", "give pads")
    total = [
        max(0, (-(-n // s) - 1) * s + r - n) for n, r, s in zip(space, reach, stride, strict=True)
    ]
    pairs = tuple((t // 2, t - t // 2) for t in total)
    return pairs if kind == "SAME_UPPER" else tuple((b, a) for a, b in pairs)


def _each(of: dict[str, Any], name: str, count: int, low: int) -> Shape:
    """Whole numbers of an attribute, `low` and more, as many as there have to be."""
    found = tuple(of.get(name, (low,) * count))
    if len(found) != count or any(not isinstance(n, int) or not low <= n < 1 << 30 for n in found):
        raise UnsupportedError(f"{name} is {found}", f"give {count} whole numbers from {low}")
    return found


def _pool(given: Given) -> tuple[Shape, Shape, Pairs]:
    of, space = given.attributes, given.arriving[1:]
    kernel = _each(of, "kernel_shape", len(space), 1)
    if len(space) not in (1, 2):
        raise UnsupportedError(
            f"kernel_shape is {kernel}, {given.arriving} arrives", "export it again"
        )
    if set(of.get("dilations", (1,))) != {1}:
        raise UnsupportedError(f"dilations are {of['dilations']}", "pool without them")
    stride = _each(of, "strides", len(space), 1)
    padding = _padding(of, space, kernel, stride)
    if of.get("ceil_mode", 0) and any(
        (n + a + b - k) % s for n, (a, b), k, s in zip(space, padding, kernel, stride, strict=True)
    ):
        raise UnsupportedError(
            "ceil_mode is set, and a last window reaches over the edge", "pad instead"
        )
    return kernel, stride, padding


def _average(given: Given) -> tuple[Node, ...]:
    counted = bool(given.attributes.get("count_include_pad", 0))
    return (AveragePool(*_pool(given), counts_padding=counted),)


def _largest(given: Given) -> tuple[Node, ...]:
    if given.attributes.get("storage_order", 0):
        raise UnsupportedError("storage_order is set", "leave it 0")
    return (MaxPool(*_pool(given)),)


def _global(given: Given) -> tuple[Node, ...]:
    space = given.arriving[1:]
    if len(space) not in (1, 2):
        raise UnsupportedError(f"{given.arriving} arrives", "give a map")
    return (AveragePool(space, space, ((0, 0),) * len(space)),)


def _flatten(given: Given) -> tuple[Node, ...]:
    if given.attributes.get("axis", 1) != 1:
        raise UnsupportedError(
            f"axis is {given.attributes['axis']}", "flatten from 1, the channels"
        )
    return (Reshape((prod(given.arriving),)),)


def _reshape(given: Given) -> tuple[Node, ...]:
    shape = [int(n) for n in given.need(1, "shape").ravel()]
    size = prod(given.arriving)
    if not shape or given.attributes.get("allowzero", 0):
        raise UnsupportedError(f"shape is {shape}", "keep the batch axis in front")
    wanted = [given.arriving[i - 1] if n == 0 and i <= len(given.arriving) else n
              for i, n in enumerate(shape)][1:]  # fmt: skip
    open_axes = [i for i, n in enumerate(wanted) if n == -1]
    known = prod(n for n in wanted if n != -1)
    if len(open_axes) == 1 and known > 0 and size % known == 0 and shape[0] != -1:
        wanted[open_axes[0]] = size // known
    if prod(wanted) != size or min(wanted, default=0) < 1:
        raise UnsupportedError(
            f"shape is {shape} for {given.arriving}", "keep the batch axis in front"
        )
    return (Reshape(tuple(wanted)),)


def _batch_norm(given: Given) -> tuple[Node, ...]:
    if given.attributes.get("training_mode", 0):
        raise UnsupportedError("training_mode is set", "export for inference")
    scale, bias, mean, variance = (
        given.need(i, n) for i, n in enumerate(("scale", "B", "mean", "var"), 1)
    )
    factor = scale / np.sqrt(variance + given.attributes.get("epsilon", 1e-5))
    along = (-1, *(1,) * (len(given.arriving) - 1))
    return (Scale(factor.reshape(along), (bias - mean * factor).reshape(along)),)


def _clip(given: Given) -> tuple[Node, ...]:
    low = given.constant(1)
    high = given.constant(2)
    lowest = given.attributes.get("min") if low is None else float(low)
    highest = given.attributes.get("max", np.inf) if high is None else float(high)
    if lowest != 0 or not highest > 0:
        raise UnsupportedError(f"it clips to {lowest} .. {highest}", "clip from 0")
    return (Rectifier(float(highest)),)


WINDOWS = ("auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "strides")
OPERATORS: dict[str, Operator] = {
    "Gemm": Operator(_gemm, ("alpha", "beta", "transA", "transB")),
    "MatMul": Operator(_matmul),
    "Conv": Operator(_conv, ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")),
    "AveragePool": Operator(_average, (*WINDOWS, "count_include_pad")),
    "MaxPool": Operator(_largest, (*WINDOWS, "storage_order")),
    "GlobalAveragePool": Operator(_global),
    "Flatten": Operator(_flatten, ("axis",)),
    "Reshape": Operator(_reshape, ("allowzero",)),
    "BatchNormalization": Operator(_batch_norm, ("epsilon", "momentum", "training_mode")),
    "Relu": Operator(lambda _given: (Rectifier(),)),
    "Clip": Operator(_clip, ("min", "max")),
}
