"""One learning epoch of any legal sum of products, as `compiler.products` defines it.

Dense over the synapses of all networks: a product is a number of the presynaptic neuron times one
of the postsynaptic neuron, times factors of the synapse. All of it fits 32 bits.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from compiler.products import (
    ACCUMULATOR,
    DECAY_ONE,
    IMPULSE_ONE,
    POST,
    PRE,
    SYNAPTIC,
    Factor,
    decimation,
    parse,
    shifts,
)
from compiler.program import ACCUMULATOR_BITS, TRACE_MAX, Product, Trace

LOW, HIGH = -(1 << ACCUMULATOR) - 1, (1 << ACCUMULATOR) - 1
DECAY_BITS, IMPULSE_BITS = DECAY_ONE.bit_length() - 1, IMPULSE_ONE.bit_length() - 1
Values = dict[str, Tensor]
"""x0 to x2, int32 (R, n_pre), or y0 to y3, int32 (R, n_post)."""


@dataclass(frozen=True)
class Parts:
    """The due products of one side of a rule: pre (R, n_pre) and post (R, n_post) of each."""

    products: tuple[Product, ...]
    pre: tuple[Tensor, ...]
    post: tuple[Tensor, ...]


def due(products: Iterable[Product], spikes: set[str], time_step: int) -> tuple[Product, ...]:
    """The products that may be other than 0 in a step in which `spikes` (x0, y0) can be."""
    found = []
    for product in products:
        first = product.factors[0]
        k = decimation(first)
        if first in spikes or (k is not None and time_step % (1 << k) == 0):
            found.append(product)
    return tuple(found)


def parts(products: tuple[Product, ...], x: Values, y: Values) -> Parts:
    """What the neurons have to say to some products."""
    pre = tuple(_of_neurons(p, x, PRE) * (p.sign * p.mantissa) for p in products)
    post = tuple(_of_neurons(p, y, POST) for p in products)
    return Parts(products, pre, post)


def _of_neurons(product: Product, values: Values, side: tuple[str, ...]) -> Tensor:
    """The product of all factors of one side, its dependency among them."""
    first, *rest = product.factors
    found = torch.ones_like(values[side[0]])
    if first in side:
        found = values[first]
    for factor in map(parse, rest):
        if factor is not None and factor.variable in side:
            found = found * _value(factor, values[factor.variable])
    return found


def _value(factor: Factor, variable: Tensor) -> Tensor:
    value = variable + factor.constant
    if factor.signed:
        value = value.sign()
    return value.clamp(-(1 << factor.width), (1 << factor.width) - 1)


def changed(old: Tensor, some: Parts, synaptic: Values, bits: Tensor) -> Tensor:
    """Weights or tags int32 (R, n_pre, n_post) after the products, before they are clipped.

    old: these, of before; synaptic: w and t of before; bits: seven random bits each. What no
    product visits, keeps what it has.
    """
    total = old << ACCUMULATOR_BITS
    for product, pre, post in zip(some.products, some.pre, some.post, strict=True):
        value = pre[:, :, None] * post[:, None, :]
        visited = value != 0
        for factor in map(parse, product.factors[1:]):
            if factor is not None and factor.variable in SYNAPTIC:
                value = value * _value(factor, synaptic[factor.variable])
        right, left = shifts(product)
        value = ((value >> right) << left).clamp(LOW, HIGH)
        total = torch.where(visited, (total + value).clamp(LOW, HIGH), total)
    return (total + ((1 << ACCUMULATOR_BITS) - 1) - bits) >> ACCUMULATOR_BITS


def visits(sides: Iterable[Parts], spiked: Tensor) -> Tensor:
    """Synapses that an epoch visits, (R,); `spiked` (R, n_post) are the targets that spike.

    A row where only products with the dependency y0 are not 0 is visited where the target spiked.
    """
    every, some = (torch.zeros(1, 1, dtype=torch.bool, device=spiked.device) for _ in range(2))
    for side in sides:
        for product, pre, post in zip(side.products, side.pre, side.post, strict=True):
            rows = (pre != 0) & (post != 0).any(1, keepdim=True)
            if product.factors[0] == "y0":
                some = some | rows
            else:
                every = every | rows
    few = (some & ~every).sum(1) * (spiked != 0).sum(1)
    return every.sum(1) * spiked.shape[1] + few


def follow(values: Tensor, spiked: Tensor, trace: Trace, words: Tensor) -> Tensor:
    """One step of `compiler.program.Trace`, int32 (R, N), each neuron with a random word."""
    decayed = (values * trace.decay + (words & (DECAY_ONE - 1))) >> DECAY_BITS
    random = (words >> DECAY_BITS) & (IMPULSE_ONE - 1)
    risen = decayed + ((trace.impulse + random) >> IMPULSE_BITS)
    return torch.where(spiked != 0, risen.clamp_max(TRACE_MAX), decayed)
