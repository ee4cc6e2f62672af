"""The nodes without a membrane: one frozen dataclass a primitive, its equation above its fields.

Shapes are those of one sample: there is no batch axis and no time axis. x is what arrives in a time
step, the sum over all edges, y what leaves in the same step. Arrays are float64 or integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

Shape = tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]  # (before, after) of each axis


class ShapeError(ValueError):
    """What arrives at a node does not fit it: which parameter, and what would be right."""


@dataclass(frozen=True, eq=False)
class Node:
    """What all nodes share; y has the shape of x unless the node says otherwise."""

    def __post_init__(self) -> None:
        keep_arrays(self)

    def output_shape(self, arriving: Shape) -> Shape:
        """The shape of y for an x of this shape; ShapeError where it does not fit."""
        return arriving

    def arrays(self) -> dict[str, np.ndarray]:
        """The parameters that are arrays, by name."""
        return {k: v for k, v in self.__dict__.items() if isinstance(v, np.ndarray)}


@dataclass(frozen=True, eq=False)
class Input(Node):
    """Where a sample enters, one value an element and time step."""

    shape: Shape

    def output_shape(self, arriving: Shape) -> Shape:  # noqa: D102
        return self.shape


@dataclass(frozen=True, eq=False)
class Output(Node):
    """Where a result leaves: y = x."""


@dataclass(frozen=True, eq=False)
class Linear(Node):
    """y = W x + b over the last axis. weight (out, in), bias (out,) or None."""

    weight: np.ndarray
    bias: np.ndarray | None = None

    def output_shape(self, arriving: Shape) -> Shape:  # noqa: D102
        out, taken = self.weight.shape
        if not arriving or arriving[-1] != taken:
            raise ShapeError(
                f"weight takes {taken} inputs, {_text(arriving)} arrive: flatten before it, or "
                f"give a weight of shape ({out}, {arriving[-1] if arriving else 1})"
            )
        return (*arriving[:-1], out)


@dataclass(frozen=True, eq=False)
class Convolution(Node):
    """Cross-correlation with zero padding, over one or two axes of a map (C_in, [H,] W).

    y[o, p] = b[o] + sum over i, k of  W[o, i, k] x[i, p * stride - before + k * dilation]

    weight (C_out, C_in / groups, [k_h,] k_w); output channel o reads the input channels of its
    group. bias (C_out,) or None.
    """

    weight: np.ndarray
    bias: np.ndarray | None
    stride: Shape
    padding: Pairs
    dilation: Shape
    groups: int = 1

    @property
    def axes(self) -> int:
        """How many axes of space there are, 1 or 2."""
        return self.weight.ndim - 2

    def output_shape(self, arriving: Shape) -> Shape:  # noqa: D102
        channels = self.weight.shape[1] * self.groups
        if len(arriving) != self.axes + 1 or arriving[0] != channels:
            space = ", ".join("HW"[-self.axes :])
            raise ShapeError(
                f"weight takes a map ({channels}, {space}), {_text(arriving)} arrives: "
                f"give {channels} channels and {self.axes} axes of space"
            )
        reach = [d * (k - 1) + 1 for k, d in zip(self.weight.shape[2:], self.dilation, strict=True)]
        return (
            self.weight.shape[0],
            *_windows(arriving[1:], reach, self.stride, self.padding, "weight"),
        )


@dataclass(frozen=True, eq=False)
class Pool(Node):
    """What the three pools share: windows of a map (C, [H,] W), each channel by itself."""

    kernel: Shape
    stride: Shape
    padding: Pairs

    def output_shape(self, arriving: Shape) -> Shape:  # noqa: D102
        if len(arriving) != len(self.kernel) + 1:
            raise ShapeError(
                f"kernel has {len(self.kernel)} axes, {_text(arriving)} arrives: give a map with "
                "channels first and as many axes of space"
            )
        space = _windows(arriving[1:], self.kernel, self.stride, self.padding, "kernel")
        return (arriving[0], *space)


@dataclass(frozen=True, eq=False)
class SumPool(Pool):
    """y[c, p] = sum over k of  x[c, p * stride - before + k],  zeros around the map."""


@dataclass(frozen=True, eq=False)
class AveragePool(Pool):
    """y[c, p] = (sum over the window) / d: d = `divisor`, or where that is None the window's size.

    With `counts_padding` false, d is the number of positions that lie on the map.
    """

    counts_padding: bool = True
    divisor: int | None = None


@dataclass(frozen=True, eq=False)
class MaxPool(Pool):
    """y[c, p] = largest x of the window that lies on the map."""


@dataclass(frozen=True, eq=False)
class Reshape(Node):
    """y = x in another shape, elements in the order channel, row, column (Flatten, Unflatten)."""

    shape: Shape

    def output_shape(self, arriving: Shape) -> Shape:  # noqa: D102
        if prod(arriving) != prod(self.shape):
            raise ShapeError(f"shape is {_text(self.shape)}, {_text(arriving)} does not fill it")
        return self.shape


@dataclass(frozen=True, eq=False)
class Scale(Node):
    """y = scale * x + offset, element by element; both broadcast against x."""

    scale: np.ndarray
    offset: np.ndarray

    def output_shape(self, arriving: Shape) -> Shape:  # noqa: D102
        for name, array in (("scale", self.scale), ("offset", self.offset)):
            fits(name, array, arriving)
        return arriving


@dataclass(frozen=True, eq=False)
class Delay(Node):
    """y[t] = x[t - steps], element by element; 0 before the first step."""

    steps: np.ndarray

    def output_shape(self, arriving: Shape) -> Shape:  # noqa: D102
        fits("steps", self.steps, arriving)
        return arriving


@dataclass(frozen=True, eq=False)
class Threshold(Node):
    """y = 1 where x > threshold, else 0: a step function without memory."""

    threshold: np.ndarray

    def output_shape(self, arriving: Shape) -> Shape:  # noqa: D102
        fits("threshold", self.threshold, arriving)
        return arriving


@dataclass(frozen=True, eq=False)
class Rectifier(Node):
    """y = min(max(x, 0), largest): the activation of an ANN; `largest` may be infinite."""

    largest: float = float("inf")


def keep_arrays(holder: object) -> None:
    """Makes arrays of numpy's bare numbers, which its arithmetic makes of arrays without axes."""
    for name, value in vars(holder).items():
        if isinstance(value, np.generic):
            object.__setattr__(holder, name, np.asarray(value))


def fits(name: str, array: np.ndarray, arriving: Shape) -> None:
    """ShapeError where a parameter does not broadcast to what arrives."""
    try:
        same = np.broadcast_shapes(array.shape, arriving) == arriving
    except ValueError:
        same = False
    if not same:
        raise ShapeError(
            f"{name} has shape {_text(array.shape)}, {_text(arriving)} arrives: give one value, or "
            f"one for each of {_text(arriving)}"
        )


def _windows(
    space: Shape, reach: list[int] | Shape, stride: Shape, padding: Pairs, name: str
) -> Shape:
    found = []
    for length, width, step, (before, after) in zip(space, reach, stride, padding, strict=True):
        room = length + before + after - width
        if room < 0:
            raise ShapeError(
                f"{name} reaches over {width} positions, the map has {length} and {before + after} "
                "of padding: give a smaller kernel or more padding"
            )
        found.append(room // step + 1)
    return tuple(found)


def _text(shape: Shape) -> str:
    return "x".join(str(n) for n in shape) if shape else "a single value"
