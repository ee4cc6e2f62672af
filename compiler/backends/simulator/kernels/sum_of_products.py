"""One learning epoch of any legal sum of products, as `compiler.products` defines it.

A product is a number of the presynaptic neuron times one of the postsynaptic neuron times factors
of the synapse. The first two are computed once a neuron, and where they are zero the synapse is
not visited: an epoch costs what spiked, unless a product is due at all synapses (u_k).
"""

from __future__ import annotations

import numpy as np

from compiler.backends.simulator.compiled import compiled
from compiler.backends.simulator.kernels.random import draw
from compiler.backends.simulator.rule_table import (
    ON_POST,
    ON_PRE,
    WEIGHT,
    FactorColumn,
    ProductColumn,
)

TARGET, MANTISSA, DEPENDENCY = (
    int(ProductColumn.TARGET),
    int(ProductColumn.MANTISSA),
    int(ProductColumn.DEPENDENCY),
)
RIGHT, LEFT = int(ProductColumn.RIGHT), int(ProductColumn.LEFT)
PRE, POST, SYNAPSE, END = (
    int(ProductColumn.PRE),
    int(ProductColumn.POST),
    int(ProductColumn.SYNAPSE),
    int(ProductColumn.END),
)
CODE, CONSTANT, SIGNED = (
    int(FactorColumn.CODE),
    int(FactorColumn.CONSTANT),
    int(FactorColumn.SIGNED),
)
LOW, HIGH = int(FactorColumn.LOW), int(FactorColumn.HIGH)
ACCUMULATOR_LOW, ACCUMULATOR_HIGH = -(1 << 15) - 1, (1 << 15) - 1


@compiled(inline="always")
def clipped(value, low, high):
    """Value within [low, high]."""
    return min(max(value, low), high)


@compiled(inline="always")
def factor_value(factor, variable):
    """A factor from the value of its variable, int64."""
    value = np.int64(variable) + factor[CONSTANT]
    if factor[SIGNED] != 0:
        value = np.int64(value > 0) - np.int64(value < 0)
    return clipped(value, factor[LOW], factor[HIGH])


@compiled
def neuron_parts(products, factors, x, y, due, pre, post):
    """Each product's factor of every presynaptic neuron, and of every postsynaptic one.

    x (3, n_pre) and y (4, n_post) in the order of `products.PRE` and `POST`; `due`: whether u_k
    is 1. pre (products, >= n_pre) and post are filled in; a product that is zero everywhere has
    only zeros in `pre`.
    """
    for p in range(products.shape[0]):
        row = products[p]
        any_post = False
        for j in range(y.shape[1]):
            value = np.int64(1)
            if row[DEPENDENCY] == ON_POST:
                value = np.int64(y[0, j])
            for f in range(row[POST], row[SYNAPSE]):
                value *= factor_value(factors[f], y[factors[f, CODE], j])
            post[p, j] = value
            any_post = any_post or value != 0
        timely = due or row[DEPENDENCY] <= ON_POST
        for i in range(x.shape[1]):
            value = row[MANTISSA] if timely and any_post else np.int64(0)
            if row[DEPENDENCY] == ON_PRE:
                value *= np.int64(x[0, i])
            for f in range(row[PRE], row[POST]):
                value *= factor_value(factors[f], x[factors[f, CODE], i])
            pre[p, i] = value


@compiled
def learn(weights, tags, products, factors, pre, post, i, columns, n, bits, maxima, outcome):
    """The synapses of presynaptic neuron i onto the first n of `columns`.

    weights int8 and tags int16 (n_post,) are changed in place, `bits` are seven random bits each.
    maxima: of tags and weights. outcome: counts of changed and clipped tags, changed and clipped
    weights, to which is added.
    """
    for c in range(n):
        j = columns[c]
        w, t = np.int64(weights[j]), np.int64(tags[j])
        new_w, new_t = w << 7, t << 7
        for p in range(products.shape[0]):
            value = pre[p, i] * post[p, j]
            if value == 0:
                continue
            row = products[p]
            for f in range(row[SYNAPSE], row[END]):
                value *= factor_value(factors[f], w if factors[f, CODE] == 0 else t)
            value = clipped((value >> row[RIGHT]) << row[LEFT], ACCUMULATOR_LOW, ACCUMULATOR_HIGH)
            if row[TARGET] == WEIGHT:
                new_w = clipped(new_w + value, ACCUMULATOR_LOW, ACCUMULATOR_HIGH)
            else:
                new_t = clipped(new_t + value, ACCUMULATOR_LOW, ACCUMULATOR_HIGH)
        up = np.int64(127) - np.int64(bits[j])  # rounds up where the bits are below the fraction
        rounded_w, rounded_t = (new_w + up) >> 7, (new_t + up) >> 7
        kept_w = clipped(rounded_w, -maxima[1], maxima[1])
        kept_t = clipped(rounded_t, -maxima[0], maxima[0])
        outcome[0] += kept_t != t
        outcome[1] += kept_t != rounded_t
        outcome[2] += kept_w != w
        outcome[3] += kept_w != rounded_w
        weights[j] = np.int8(kept_w)
        tags[j] = np.int16(kept_t)


@compiled
def epoch(weights, tags, start, products, factors, x, y, due, k, maxima, scratch, outcome):
    """One epoch of all synapses of a projection; they lie as rows from `start` on.

    Rounded with bits of key k, as `compiler.rounding.synapse_bits` orders them. `scratch`: pre,
    post (products, widest) int64, columns (widest,) int32 twice, noise uint32. Adds to `outcome`
    (see `learn`); returns (rows, synapses visited).
    """
    pre, post, every, spiked, noise = scratch
    n_pre, n_post = x.shape[1], y.shape[1]
    neuron_parts(products, factors, x, y, due, pre, post)
    n_spiked = 0
    for j in range(n_post):
        every[j] = j
        if y[0, j] != 0:
            spiked[n_spiked] = j
            n_spiked += 1
    drawn = noise[: (n_post + 3) // 4]
    bits = drawn.view(np.uint8)
    rows, visits = 0, 0
    for i in range(n_pre):
        wide, narrow = False, False  # all synapses of the row, or those whose target spiked
        for p in range(products.shape[0]):
            if pre[p, i] != 0:
                narrow = True
                wide = wide or products[p, DEPENDENCY] != ON_POST
        if not narrow:
            continue
        draw(drawn, np.uint32(i * drawn.shape[0]), k)
        columns, n = (every, n_post) if wide else (spiked, n_spiked)
        span = slice(start + i * n_post, start + (i + 1) * n_post)
        learn(
            weights[span], tags[span], products, factors, pre, post, i, columns, n, bits, maxima,
            outcome,
        )  # fmt: skip
        rows += 1
        visits += n
    return rows, visits
