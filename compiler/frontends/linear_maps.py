"""Chains of nodes without memory as synapses: one weight for each pair, or kernels where they fit.

A chain is exact linear algebra: its answers to the unit vectors, less its answer to zeros, are the
weights, and that answer to zeros is a bias.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from compiler.frontends.kernels import kernels_of
from compiler.source import Convolution, Linear, Node, Reshape, Scale
from compiler.source.fold import by_channel
from compiler.source.nodes import Shape
from compiler.source.operations import apply
from compiler.terms import CENTRED, Connection, Geometry

LARGEST = 1 << 24  # weights of one projection that is written out, pair by pair
AT_ONCE = 1 << 22  # numbers of a batch of unit vectors


class TooLargeError(Exception):
    """A chain that has to be written out pair by pair, and is too large for that."""


@dataclass(frozen=True)
class LinearMap:
    """y = weights * x + bias, with bias (N_target,) and weights as the connection has them."""

    connection: Connection
    weights: np.ndarray
    bias: np.ndarray
    geometry: Geometry = CENTRED


def linear_map(chain: tuple[Node, ...], source: Shape, target: Shape) -> LinearMap:
    """The chain as synapses from all elements of `source` onto all of `target`, in that order."""
    chain = _folded(chain)
    bias = _through(chain, np.zeros((1, *source))).reshape(-1)
    kernels = kernels_of(chain, source, target)
    if kernels is not None:
        return LinearMap(Connection.CONVOLUTION, kernels[0], bias, kernels[1])
    if all(isinstance(n, Reshape | Scale) for n in chain) and prod(source) == prod(target):
        ones = _through(chain, np.ones((1, *source))).reshape(-1) - bias
        return LinearMap(Connection.ONE_TO_ONE, ones, bias)
    if prod(source) * prod(target) > LARGEST:
        raise TooLargeError
    weighing = [n for n in chain if not isinstance(n, Reshape)]
    if len(weighing) == 1 and isinstance(weighing[0], Linear):
        weight = weighing[0].weight
        if weight.shape == (prod(target), prod(source)):
            return LinearMap(Connection.ALL_TO_ALL, weight, bias)
    return LinearMap(Connection.ALL_TO_ALL, _dense(chain, source, bias), bias)


def _folded(chain: tuple[Node, ...]) -> tuple[Node, ...]:
    """The chain with a last scale in the kernels before it, where it says one number a channel."""
    *rest, scale = chain
    if not isinstance(scale, Scale) or scale.offset.any():
        return chain
    if (scale.scale == 1).all():
        return tuple(rest)
    before = rest[-1] if rest else None
    if not isinstance(before, Linear | Convolution):
        return chain
    axes = before.weight.ndim - 2
    factor = by_channel(scale.scale, before.weight.shape[0], max(axes, 0))
    if factor is None:
        return chain
    weight = before.weight * factor.reshape(-1, *(1,) * (before.weight.ndim - 1))
    bias = None if before.bias is None else before.bias * factor
    return (*rest[:-1], replace(before, weight=weight, bias=bias))


def _through(chain: tuple[Node, ...], x: np.ndarray) -> np.ndarray:
    for node in chain:
        x = apply(node, x)
    return x


def _dense(chain: tuple[Node, ...], source: Shape, bias: np.ndarray) -> np.ndarray:
    size = prod(source)
    weights = np.empty((len(bias), size))
    some = max(1, AT_ONCE // max(size, len(bias)))
    for first in range(0, size, some):
        number = min(some, size - first)
        units = np.zeros((number, size))
        units[np.arange(number), first + np.arange(number)] = 1
        answers = _through(chain, units.reshape(number, *source)).reshape(number, -1)
        weights[:, first : first + number] = (answers - bias).T
    return weights
