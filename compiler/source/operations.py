"""What the nodes without memory compute, on arrays with a batch axis in front, in numpy."""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from compiler.source.nodes import (
    AveragePool,
    Convolution,
    Linear,
    MaxPool,
    Node,
    Pairs,
    Pool,
    Rectifier,
    Reshape,
    Scale,
    Shape,
    SumPool,
    Threshold,
)


def apply(node: Node, x: np.ndarray) -> np.ndarray:
    """y of a node without memory for x (B, *shape), in x's type; of any other node, x itself."""
    if isinstance(node, Linear):
        y = x @ node.weight.astype(x.dtype).T
        return y if node.bias is None else y + node.bias.astype(x.dtype)
    if isinstance(node, Convolution):
        return _convolution(node, x)
    if isinstance(node, Pool):
        return _pool(node, x)
    if isinstance(node, Reshape):
        return x.reshape(len(x), *node.shape)
    if isinstance(node, Scale):
        return x * node.scale.astype(x.dtype) + node.offset.astype(x.dtype)
    if isinstance(node, Threshold):
        return (x > node.threshold.astype(x.dtype)).astype(x.dtype)
    if isinstance(node, Rectifier):
        return np.clip(x, 0, node.largest).astype(x.dtype)
    return x


def _convolution(node: Convolution, x: np.ndarray) -> np.ndarray:
    weight = node.weight.astype(x.dtype)
    reach = tuple(d * (k - 1) + 1 for k, d in zip(weight.shape[2:], node.dilation, strict=True))
    seen = _windows(x, reach, node.stride, node.padding, 0.0)
    taps = tuple(slice(None, None, d) for d in node.dilation)
    seen = seen[(slice(None),) * (2 + node.axes) + taps]  # (B, C, *out, *kernel)
    batch, space = len(x), seen.shape[2 : 2 + node.axes]
    taken, given = weight.shape[1], weight.shape[0] // node.groups
    parts = []
    for group in range(node.groups):
        some = seen[:, group * taken : (group + 1) * taken]
        columns = np.moveaxis(some, 1, 1 + node.axes).reshape(batch, prod(space), -1)
        kernels = weight[group * given : (group + 1) * given].reshape(given, -1)
        parts.append((columns @ kernels.T).transpose(0, 2, 1).reshape(batch, given, *space))
    y = np.concatenate(parts, axis=1)
    if node.bias is None:
        return y
    return y + node.bias.astype(x.dtype).reshape(-1, *(1,) * node.axes)


def _pool(node: Pool, x: np.ndarray) -> np.ndarray:
    axes = tuple(range(-len(node.kernel), 0))
    if isinstance(node, MaxPool):
        lowest = -np.inf if np.issubdtype(x.dtype, np.floating) else np.iinfo(x.dtype).min
        y: np.ndarray = _windows(x, node.kernel, node.stride, node.padding, lowest).max(axes)
        return y
    y = _windows(x, node.kernel, node.stride, node.padding, 0.0).sum(axes)
    if isinstance(node, SumPool):
        return y
    assert isinstance(node, AveragePool)
    return y / averaged(node, x.shape[1:]).astype(x.dtype)


def averaged(node: AveragePool, shape: Shape) -> np.ndarray:
    """What an average pool divides by, broadcasting to its output: (*out,) or one value."""
    if node.divisor is not None:
        return np.asarray(float(node.divisor))
    if node.counts_padding:
        return np.asarray(float(prod(node.kernel)))
    ones = np.ones((1, 1, *shape[1:]))
    axes = tuple(range(-len(node.kernel), 0))
    found: np.ndarray = _windows(ones, node.kernel, node.stride, node.padding, 0.0).sum(axes)
    return found[0]


def _windows(
    x: np.ndarray, reach: Shape, stride: Shape, padding: Pairs, around: float
) -> np.ndarray:
    """(B, C, *out, *reach): what each position of the output looks at; a view of the padded map."""
    padded = np.pad(x, ((0, 0), (0, 0), *padding), constant_values=around)
    axes = tuple(range(2, x.ndim))
    places = (slice(None), slice(None), *(slice(None, None, s) for s in stride))
    found: np.ndarray = sliding_window_view(padded, reach, axis=axes)[places]
    return found
