"""Functions of PyTorch between modules, as nodes. Every argument is honoured or refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from compiler.frontends.live.parts import Part, array, chain
from compiler.frontends.live.recording import Call, Value
from compiler.frontends.live.torch_layers import (
    average_pool,
    convolution,
    max_pool,
    require_batch_only,
    reshaped,
)
from compiler.frontends.refusals import UnsupportedError
from compiler.source import Linear, Node, Rectifier, Scale

ZERO = np.zeros(())


def read_function(call: Call, leading: int) -> Part | None:
    """The nodes of a function of torch, an empty part where it changes nothing; None: unknown."""
    read = FUNCTIONS.get(call.name.strip("_"))
    if read is None:
        return None
    node = read(call, leading)
    return chain(("", node)) if node is not None else Part()


def _given(call: Call, *names: str) -> dict[str, Any]:
    """Arguments after the first by name, as given by place or by keyword."""
    return {**dict(zip(names, call.arguments[1:], strict=False)), **call.keywords}


def _functional_linear(call: Call, _leading: int) -> Node:
    given = _given(call, "weight", "bias")
    bias = given.get("bias")
    return Linear(array(given["weight"]), None if bias is None else array(bias))


def _functional_conv(call: Call, leading: int) -> Node:
    require_batch_only(leading)
    given = _given(call, "weight", "bias", "stride", "padding", "dilation", "groups")
    return convolution(
        given["weight"],
        given.get("bias"),
        given.get("stride", 1),
        given.get("padding", 0),
        given.get("dilation", 1),
        given.get("groups", 1),
    )


def _functional_average(call: Call, leading: int) -> Node:
    require_batch_only(leading)
    names = "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"
    given = _given(call, *names)
    return average_pool(
        call,
        given["kernel_size"],
        given.get("stride"),
        given.get("padding", 0),
        given.get("ceil_mode", False),
        given.get("count_include_pad", True),
        given.get("divisor_override"),
    )


def _functional_max(call: Call, leading: int) -> Node:
    require_batch_only(leading)
    names = "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices"
    given = _given(call, *names)
    return max_pool(
        call,
        given["kernel_size"],
        given.get("stride"),
        given.get("padding", 0),
        given.get("dilation", 1),
        given.get("ceil_mode", False),
        given.get("return_indices", False),
    )


def _dropout(call: Call, _leading: int) -> Node | None:
    if _given(call, "p", "training").get("training", True):
        raise UnsupportedError("it drops at random", "pass training=self.training")
    return None


def _arithmetic(call: Call, leading: int) -> Node | None:
    """+, -, *, / of two followed values (a sum of edges) or of one and a constant."""
    kind = call.name.strip("_").removeprefix("i")
    if len(call.values) == 2:
        if kind in ("add", "radd") and "alpha" not in call.keywords:
            return None
        raise UnsupportedError("it combines two signals", "add them (a + b)")
    one, other = call.arguments[:2]
    constant = array(other if isinstance(one, Value) else one)
    while constant.ndim > len(call.shape) - leading and constant.shape[0] == 1:
        constant = constant[0]
    if call.keywords:
        raise UnsupportedError(f"it is called with {', '.join(call.keywords)}", "leave them out")
    first = isinstance(one, Value)
    if kind in ("add", "radd"):
        return Scale(np.ones(()), constant)
    if kind in ("mul", "rmul"):
        return Scale(constant, ZERO)
    if kind in ("div", "truediv") and first:
        return Scale(1 / constant, ZERO)
    if kind == "sub" and first:
        return Scale(np.ones(()), -constant)
    if kind in ("sub", "rsub"):
        return Scale(-np.ones(()), constant)
    raise UnsupportedError("a constant is divided by the signal", "multiply instead")


FUNCTIONS: dict[str, Callable[[Call, int], Node | None]] = {
    "linear": _functional_linear,
    "conv1d": _functional_conv,
    "conv2d": _functional_conv,
    "avg_pool1d": _functional_average,
    "avg_pool2d": _functional_average,
    "max_pool1d": _functional_max,
    "max_pool2d": _functional_max,
    "dropout": _dropout,
    "relu": lambda _c, _l: Rectifier(),
    "relu6": lambda _c, _l: Rectifier(6.0),
    **dict.fromkeys(("flatten", "view", "reshape", "unflatten", "squeeze", "unsqueeze"), reshaped),
    **dict.fromkeys(
        ("add", "iadd", "radd", "sub", "isub", "rsub", "mul", "imul", "rmul", "div", "truediv"),
        _arithmetic,
    ),
}
