"""The nodes of NIR 1.0, each as a node of the source graph. Every parameter is used or refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from compiler.frontends.nir.parameters import integers, numbers, positive, shape_of
from compiler.frontends.refusals import UnsupportedError
from compiler.source import (
    AveragePool,
    Convolution,
    Delay,
    Input,
    Linear,
    Neuron,
    Node,
    Output,
    Reset,
    Reshape,
    Scale,
    SumPool,
    SynapticCurrent,
    Threshold,
)
from compiler.source.nodes import Pairs, Shape

INFERRED = ("input_type", "output_type")  # what some versions write beside the parameters


@dataclass(frozen=True)
class NirNode:
    """A node as read: None is nothing at all. arriving: the shape that the file says arrives.

    finish: makes the node for what really arrives.
    """

    node: Node | None
    arriving: Shape | None = None
    finish: Callable[[Shape], Node] | None = None


@dataclass(frozen=True)
class Kind:
    """How a node is read, the parameters that it needs, and those that it may have."""

    read: Callable[[dict[str, Any], float], NirNode]
    needs: frozenset[str]
    may: frozenset[str] = frozenset()


def _input(given: dict[str, Any], _dt: float) -> NirNode:
    said = shape_of(given, "shape")
    if said is None:
        raise UnsupportedError("shape is missing", "give the shape of a sample")
    return NirNode(Input(said))


def _output(given: dict[str, Any], _dt: float) -> NirNode:
    return NirNode(Output(), shape_of(given, "shape"))


def _linear(given: dict[str, Any], _dt: float) -> NirNode:
    weight = numbers(given, "weight")
    if weight.ndim != 2:
        raise UnsupportedError(f"weight has {weight.ndim} axes", "give (out, in)")
    return NirNode(Linear(weight, numbers(given, "bias") if "bias" in given else None))


def _convolution(axes: int) -> Callable[[dict[str, Any], float], NirNode]:
    def read(given: dict[str, Any], _dt: float) -> NirNode:
        weight = numbers(given, "weight")
        if weight.ndim != axes + 2:
            raise UnsupportedError(
                f"weight has {weight.ndim} axes", f"give {axes + 2}: (C_out, C_in, …)"
            )
        stride, dilation = (integers(given, n, axes, 1) for n in ("stride", "dilation"))
        node = Convolution(
            weight=weight,
            bias=_bias(given),
            stride=stride,
            padding=_padding(given, axes, weight.shape[2:], stride, dilation),
            dilation=dilation,
            groups=integers(given, "groups", 1, 1)[0],
        )
        space = shape_of(given, "input_shape")
        if space is not None and len(space) != axes:
            raise UnsupportedError(
                f"input_shape is {space}", f"give {axes} numbers, without channels"
            )
        return NirNode(node, space)

    return read


def _bias(given: dict[str, Any]) -> np.ndarray | None:
    """NIR writes zeros where there is none."""
    bias = numbers(given, "bias") if "bias" in given else np.zeros(1)
    return bias if bias.any() else None


def _padding(
    given: dict[str, Any], axes: int, kernel: Shape, stride: Shape, dilation: Shape
) -> Pairs:
    padding = given["padding"]
    if isinstance(padding, str):
        if padding == "valid":
            return ((0, 0),) * axes
        if padding != "same" or set(stride) != {1}:
            raise UnsupportedError(
                f"padding is '{padding}' with stride {stride}",
                "give numbers, 'valid', or 'same' with stride 1",
            )
        total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return tuple((t // 2, t - t // 2) for t in total)
    return tuple((p, p) for p in integers(given, "padding", axes))


def _pool(kind: type[SumPool] | type[AveragePool]) -> Callable[[dict[str, Any], float], NirNode]:
    def read(given: dict[str, Any], _dt: float) -> NirNode:
        padding = tuple((p, p) for p in integers(given, "padding", 2))
        kernel, stride = (integers(given, n, 2, 1) for n in ("kernel_size", "stride"))
        return NirNode(kind(kernel, stride, padding))

    return read


def _flatten(given: dict[str, Any], _dt: float) -> NirNode:
    start, end = (
        int(numbers(given, n).ravel()[0]) if n in given and np.size(given[n]) == 1 else default
        for n, default in (("start_dim", 1), ("end_dim", -1))
    )

    def finish(arriving: Shape) -> Node:
        axes = len(arriving)
        first, last = (i + axes if i < 0 else i for i in (start, end))
        if not 0 <= first <= last < axes:
            raise UnsupportedError(
                f"start_dim {start} and end_dim {end} do not name axes of {arriving}",
                "count from 0 at the channel: NIR has no batch axis",
            )
        middle = prod(arriving[first : last + 1])
        return Reshape((*arriving[:first], middle, *arriving[last + 1 :]))

    return NirNode(Reshape((1,)), None, finish)


def _scale(given: dict[str, Any], _dt: float) -> NirNode:
    return NirNode(Scale(numbers(given, "scale"), np.zeros(())))


def _delay(given: dict[str, Any], dt: float) -> NirNode:
    steps = numbers(given, "delay") / dt
    whole = np.rint(steps)
    if (np.abs(steps - whole) > 1e-6 * np.maximum(1, np.abs(whole))).any() or (whole < 0).any():
        raise UnsupportedError(
            f"delay is {numbers(given, 'delay').max():g} s, not whole steps of {dt:g} s",
            "give multiples of dt, or another --dt",
        )
    if (whole > 1 << 16).any():
        raise UnsupportedError(f"delay is {whole.max():g} steps", f"give at most {1 << 16}")
    return NirNode(Delay(whole.astype(int)))


def _threshold(given: dict[str, Any], _dt: float) -> NirNode:
    return NirNode(Threshold(numbers(given, "threshold")))


def _leaky(given: dict[str, Any], dt: float) -> NirNode:
    tau = "tau_mem" if "tau_mem" in given else "tau"
    arrays = {k: numbers(given, k) for k in given}
    _alike(arrays)
    rate = dt / positive(given, tau)
    gain = arrays["r"] * rate
    current = None
    if "tau_syn" in arrays:
        k = dt / positive(given, "tau_syn")
        current = SynapticCurrent(1 - k, arrays.get("w_in", np.ones(())) * k)
    rest = arrays["v_leak"]
    return _neuron(arrays, 1 - rate, gain, rate * rest, rest, current)


def _integrating(given: dict[str, Any], dt: float) -> NirNode:
    arrays = {k: numbers(given, k) for k in given}
    _alike(arrays)
    return _neuron(arrays, np.ones(()), arrays["r"] * dt, np.zeros(()), np.zeros(()), None)


def _neuron(
    arrays: dict[str, np.ndarray],
    decay: np.ndarray,
    gain: np.ndarray,
    leak: np.ndarray,
    start: np.ndarray,
    current: SynapticCurrent | None,
) -> NirNode:
    spiking = "v_threshold" in arrays
    node = Neuron(
        decay,
        gain,
        leak,
        arrays.get("v_threshold"),
        Reset.ZERO_AT_ONCE if spiking else Reset.NONE,
        arrays.get("v_reset", np.zeros(())),
        start,
        current,
    )
    shape = max((a.shape for a in arrays.values()), key=len)
    return NirNode(node, shape or None)


def _alike(arrays: dict[str, np.ndarray]) -> None:
    """NIR's parameters have one shape; a single value stands for all, whatever wrote it."""
    shapes = {a.shape for a in arrays.values() if a.size > 1}
    if len(shapes) > 1:
        listed = ", ".join(f"{k} {a.shape}" for k, a in arrays.items())
        raise UnsupportedError(
            f"its parameters differ in shape: {listed}", "give one value or one shape"
        )


def _nothing(_given: dict[str, Any], _dt: float) -> NirNode:
    return NirNode(None)


def _needs(*names: str) -> frozenset[str]:
    return frozenset(names)


CONVOLVES = _needs("weight", "stride", "padding", "dilation", "groups")
POOLS = _needs("kernel_size", "stride", "padding")

NODES: dict[str, Kind] = {
    "Input": Kind(_input, _needs("shape")),
    "Output": Kind(_output, _needs(), _needs("shape")),
    "Identity": Kind(_nothing, _needs(), _needs("shape")),
    "Linear": Kind(_linear, _needs("weight")),
    "Affine": Kind(_linear, _needs("weight", "bias")),
    "Conv1d": Kind(_convolution(1), CONVOLVES, _needs("bias", "input_shape")),
    "Conv2d": Kind(_convolution(2), CONVOLVES, _needs("bias", "input_shape")),
    "SumPool2d": Kind(_pool(SumPool), POOLS),
    "AvgPool2d": Kind(_pool(AveragePool), POOLS),
    "Flatten": Kind(_flatten, _needs(), _needs("start_dim", "end_dim")),
    "Scale": Kind(_scale, _needs("scale")),
    "Delay": Kind(_delay, _needs("delay")),
    "Threshold": Kind(_threshold, _needs("threshold")),
    "LIF": Kind(_leaky, _needs("tau", "r", "v_leak", "v_threshold"), _needs("v_reset")),
    "LI": Kind(_leaky, _needs("tau", "r", "v_leak")),
    "CubaLIF": Kind(
        _leaky,
        _needs("tau_mem", "tau_syn", "r", "v_leak", "v_threshold"),
        _needs("v_reset", "w_in"),
    ),
    "CubaLI": Kind(_leaky, _needs("tau_mem", "tau_syn", "r", "v_leak"), _needs("w_in")),
    "IF": Kind(_integrating, _needs("r", "v_threshold"), _needs("v_reset")),
    "I": Kind(_integrating, _needs("r")),
}
