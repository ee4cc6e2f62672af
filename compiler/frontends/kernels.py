"""Chains of convolutions, pools and scales as one convolution, where they are one.

A convolution of a convolution is a convolution: with the first at  p * s1 - p1 + a * d1  and the
second at  q * s2 - p2 + b * d2  of its result, the two read  q * s1 s2 - (p1 + s1 p2) + a * d1 +
b * s1 d2.  That holds for all q if what the second reads off the map between them lies off the map
below, too: there the first would have read zeros.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import gcd, prod

import numpy as np

from compiler.connectivity import weights_shape
from compiler.source import AveragePool, Convolution, MaxPool, Node, Reshape, Scale
from compiler.source.fold import by_channel
from compiler.source.nodes import Pairs, Pool, Shape
from compiler.source.operations import averaged
from compiler.terms import CENTRED, Connection, Geometry, Map

Sides = tuple[int, int]  # of rows and of columns


@dataclass(frozen=True)
class Kernels:
    """One convolution onto a map of `shape`; weights (C_out, C_in / groups, k_h, k_w)."""

    weights: np.ndarray
    stride: Sides
    padding: Sides
    dilation: Sides
    groups: int
    shape: Map


def plane(shape: Shape) -> Map:
    """Channels, height and width of a shape; what is no map has channels only."""
    if len(shape) == 3:
        return shape[0], shape[1], shape[2]
    return (shape[0], 1, shape[1]) if len(shape) == 2 else (prod(shape), 1, 1)


def kernels_of(
    chain: tuple[Node, ...], source: Shape, target: Shape
) -> tuple[np.ndarray, Geometry] | None:
    """The weights of a convolution that does what the chain does to a map, and where they lie."""
    if not any(isinstance(node, Convolution | Pool) for node in chain):
        return None
    found, shape = None, source
    for node in chain:
        arriving, shape = shape, node.output_shape(shape)
        if isinstance(node, Reshape) and plane(arriving) == plane(shape):
            continue
        here = _alone(node, arriving, plane(shape))
        if found is not None and here is not None:
            here = _joined(found, here, plane(source))
        if here is None:
            return None
        found = here
    assert found is not None, "a convolution or a pool is among them"
    if found.weights.size > prod(source) * prod(target):
        return None
    geometry = Geometry(found.stride, found.padding, found.dilation, found.groups)
    kernel = found.weights.shape[2:]
    if geometry == Geometry(padding=(kernel[0] // 2, kernel[1] // 2)):
        middle = weights_shape(Connection.CONVOLUTION, plane(source), plane(target), kernel)
        geometry = geometry if middle is None else CENTRED
    fitting = weights_shape(Connection.CONVOLUTION, plane(source), plane(target), kernel, geometry)
    return (found.weights, geometry) if fitting == found.weights.shape else None


def _alone(node: Node, arriving: Shape, shape: Map) -> Kernels | None:
    """A node by itself; None for what is no convolution."""
    if isinstance(node, Convolution):
        weights = node.weight if node.axes == 2 else node.weight[:, :, None]
        padding = _first(node.padding)
        where = _both(node.stride, 1), _both(padding, 0), _both(node.dilation, 1)
        return Kernels(weights, *where, node.groups, shape)
    if isinstance(node, Pool) and not isinstance(node, MaxPool):
        divisor = averaged(node, arriving) if isinstance(node, AveragePool) else np.ones(())
        if divisor.size != 1 and (divisor != divisor.flat[0]).any():
            return None
        kernel = _both(node.kernel, 1)
        weights = np.full((shape[0], 1, *kernel), 1 / float(divisor.flat[0]))
        where = _both(node.stride, 1), _both(_first(node.padding), 0), (1, 1)
        return Kernels(weights, *where, shape[0], shape)
    if isinstance(node, Scale):
        factor = by_channel(node.scale, shape[0], len(arriving) - 1)
        if factor is None:
            return None
        weights = factor.reshape(-1, 1, 1, 1)
        return Kernels(weights, (1, 1), (0, 0), (1, 1), shape[0], shape)
    return None


def _joined(first: Kernels, then: Kernels, source: Map) -> Kernels | None:
    """What the one does after the other."""
    spacing: list[tuple[int, int, int]] = []
    for axis in (0, 1):
        width, next_width = first.weights.shape[2 + axis], then.weights.shape[2 + axis]
        apart, next_apart = first.dilation[axis], then.dilation[axis] * first.stride[axis]
        last = (then.shape[1 + axis] - 1) * then.stride[axis] - then.padding[axis]
        last += then.dilation[axis] * (next_width - 1)
        end = first.shape[1 + axis]
        before = -first.stride[axis] - first.padding[axis] + apart * (width - 1)
        behind = end * first.stride[axis] - first.padding[axis]
        if (then.padding[axis] > 0 and before >= 0) or (last >= end and behind < source[1 + axis]):
            return None
        unit = gcd(apart * (width > 1), next_apart * (next_width > 1)) or 1
        spacing.append((unit, apart // unit, next_apart // unit))
    groups = gcd(first.groups, then.groups)
    one, two = _grouped(first, groups), _grouped(then, groups)
    sides = [
        a * (one.shape[3 + axis] - 1) + b * (two.shape[3 + axis] - 1) + 1
        for axis, (_, a, b) in enumerate(spacing)
    ]
    joined = np.zeros((groups, two.shape[1], one.shape[2], *sides))
    reach = [a * (one.shape[3 + axis] - 1) + 1 for axis, (_, a, _) in enumerate(spacing)]
    (_, step_y, skip_y), (_, step_x, skip_x) = spacing
    for y, x in np.ndindex(*two.shape[3:]):
        rows = slice(y * skip_y, y * skip_y + reach[0], step_y or 1)
        columns = slice(x * skip_x, x * skip_x + reach[1], step_x or 1)
        joined[..., rows, columns] += np.einsum("gom,gmiyx->goiyx", two[..., y, x], one)
    return Kernels(
        joined.reshape(-1, *joined.shape[2:]),
        _axes(s * t for s, t in zip(first.stride, then.stride, strict=True)),
        _axes(p + s * q for p, s, q in zip(first.padding, first.stride, then.padding, strict=True)),
        _axes(unit for unit, _, _ in spacing),
        groups,
        then.shape,
    )


def _grouped(kernels: Kernels, groups: int) -> np.ndarray:
    """(groups, C_out, C_in, k_h, k_w) in fewer groups, with zeros between what is apart."""
    together = kernels.groups // groups
    out, taken = kernels.weights.shape[:2]
    out //= kernels.groups
    wide = np.zeros((groups, together * out, together * taken, *kernels.weights.shape[2:]))
    apart = kernels.weights.reshape(groups, together, out, taken, *kernels.weights.shape[2:])
    for i in range(together):
        wide[:, i * out : (i + 1) * out, i * taken : (i + 1) * taken] = apart[:, i]
    return wide


def _first(padding: Pairs) -> Shape:
    return tuple(before for before, _ in padding)


def _both(values: Shape, of_rows: int) -> Sides:
    """Of rows and columns; along one axis there are only columns."""
    return (values[0], values[1]) if len(values) == 2 else (of_rows, values[0])


def _axes(values: Iterable[int]) -> Sides:
    rows, columns = values
    return rows, columns
