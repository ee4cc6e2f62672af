"""One learning epoch of any legal sum of products, as `compiler.products` defines it.

A product is a number of the presynaptic neuron times one of the postsynaptic neuron times factors
of the synapse. The first two are computed once a neuron, and where they are zero the synapse is
not visited: an epoch costs what spiked, unless a product is due at all synapses (u_k). The synapses
of one presynaptic neuron lie side by side in 32-bit lanes, which hold a legal product at every
point (`compiler.soundness.legality`); numba widens integers, so every cast keeps them there.
"""

from __future__ import annotations

import numpy as np

from compiler.backends.simulator.compiled import compiled
from compiler.backends.simulator.kernels.copying import copy
from compiler.backends.simulator.kernels.random import draw
from compiler.backends.simulator.rule_table import (
    ON_POST,
    ON_PRE,
    ON_TIME,
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
    return np.int32(min(max(value, low), high))


@compiled
def times_factor(values, factor, variable):
    """values[j] times a factor of the variable's value in lane j."""
    constant, low, high = np.int32(factor[CONSTANT]), np.int32(factor[LOW]), np.int32(factor[HIGH])
    if factor[SIGNED] != 0:
        for j in range(values.shape[0]):
            v = np.int32(variable[j] + constant)
            sign = np.int32(np.int32(v > 0) - np.int32(v < 0))
            values[j] = np.int32(values[j] * clipped(sign, low, high))
    else:
        for j in range(values.shape[0]):
            v = np.int32(variable[j] + constant)
            values[j] = np.int32(values[j] * clipped(v, low, high))


@compiled
def neuron_parts(products, factors, x, y, sizes, due, pre, post):
    """Each product's factor of every presynaptic neuron, and of every postsynaptic one.

    x (3, n_pre) and y (4, n_post) in the order of `products.PRE` and `POST`; `due`: whether u_k
    is 1. pre (products, n_pre) and post are filled in; all may be wider than `sizes` says. A
    product that is zero everywhere has only zeros in `pre`. Returns whether any is not.
    """
    n_pre, n_post = sizes
    some = False
    for p in range(products.shape[0]):
        row = products[p]
        of_post, of_pre = post[p, :n_post], pre[p, :n_pre]
        of_pre[:] = 0
        if row[DEPENDENCY] == ON_TIME and not due:
            continue
        of_post[:] = 1
        if row[DEPENDENCY] == ON_POST:
            copy(of_post, y[0, :n_post])
        for f in range(row[POST], row[SYNAPSE]):
            times_factor(of_post, factors[f], y[factors[f, CODE], :n_post])
        if not any_of(of_post):
            continue
        of_pre[:] = row[MANTISSA]
        if row[DEPENDENCY] == ON_PRE:
            for i in range(n_pre):
                of_pre[i] = np.int32(of_pre[i] * x[0, i])
        for f in range(row[PRE], row[POST]):
            times_factor(of_pre, factors[f], x[factors[f, CODE], :n_pre])
        some = some or any_of(of_pre)
    return some


@compiled
def any_of(values):
    """Whether any value is not zero."""
    bits = np.int32(0)
    for j in range(values.shape[0]):
        bits = np.int32(bits | values[j])
    return bits != 0


@compiled
def add_product(sums, values, right, left):
    """sums[j] plus values[j], shifted as the engine does; the accumulator holds both."""
    shift, scale = np.int32(right & 31), np.int32(1 << left)
    low, high = np.int32(ACCUMULATOR_LOW), np.int32(ACCUMULATOR_HIGH)
    for j in range(sums.shape[0]):
        shifted = np.int32(np.int32(values[j] >> shift) * scale)
        sums[j] = clipped(np.int32(sums[j] + clipped(shifted, low, high)), low, high)


@compiled
def rounded(before, sums, up, largest):
    """before[j] becomes sums[j] in whole units; up: 127 less seven random bits.

    It is rounded up where the bits are below the fraction. Returns (changed, clipped).
    """
    changed, cut = np.int32(0), np.int32(0)
    high, low = np.int32(largest), np.int32(-largest)
    for j in range(before.shape[0]):
        whole = np.int32(np.int32(sums[j] + up[j]) >> np.int32(7))
        kept = clipped(whole, low, high)
        changed = np.int32(changed + np.int32(kept != before[j]))
        cut = np.int32(cut + np.int32(kept != whole))
        before[j] = kept
    return changed, cut


@compiled
def learn(products, factors, pre, post, i, lanes, n, maxima, outcome):
    """The first n lanes: synapses of presynaptic neuron i, a column of `post` for each.

    lanes: weights, tags, what rounding adds, and scratch. maxima: of tags and weights. outcome:
    counts of changed and clipped tags, changed and clipped weights, to which is added.
    """
    w, t, up = lanes[0, :n], lanes[1, :n], lanes[2, :n]
    values, new_w, new_t = lanes[3, :n], lanes[4, :n], lanes[5, :n]
    for j in range(n):
        new_w[j] = np.int32(w[j] << np.int32(7))
        new_t[j] = np.int32(t[j] << np.int32(7))
    for p in range(products.shape[0]):
        factor, row, of_post = np.int32(pre[p, i]), products[p], post[p, :n]
        if factor == 0:
            continue
        for j in range(n):
            values[j] = np.int32(factor * of_post[j])
        for f in range(row[SYNAPSE], row[END]):
            times_factor(values, factors[f], w if factors[f, CODE] == 0 else t)
        add_product(new_w if row[TARGET] == WEIGHT else new_t, values, row[RIGHT], row[LEFT])
    changed, cut = rounded(t, new_t, up, maxima[0])
    outcome[0] += changed
    outcome[1] += cut
    changed, cut = rounded(w, new_w, up, maxima[1])
    outcome[2] += changed
    outcome[3] += cut


@compiled
def learn_all(weights, tags, bits, products, factors, pre, post, i, lanes, maxima, outcome):
    """`learn` for all synapses of a row; `bits` are seven random bits each."""
    n = weights.shape[0]
    for j in range(n):
        lanes[0, j] = weights[j]
        lanes[1, j] = tags[j]
        lanes[2, j] = np.int32(np.int32(127) - np.int32(bits[j]))
    learn(products, factors, pre, post, i, lanes, n, maxima, outcome)
    for j in range(n):
        weights[j] = np.int8(lanes[0, j])
        tags[j] = np.int16(lanes[1, j])


@compiled
def learn_some(
    weights, tags, bits, columns, n, products, factors, pre, post, i, lanes, maxima, outcome
):
    """`learn` for those onto the first n of `columns`, which are those of `post`, too."""
    for c in range(n):
        j = columns[c]
        lanes[0, c] = weights[j]
        lanes[1, c] = tags[j]
        lanes[2, c] = np.int32(127) - np.int32(bits[j])
    learn(products, factors, pre, post, i, lanes, n, maxima, outcome)
    for c in range(n):
        weights[columns[c]] = np.int8(lanes[0, c])
        tags[columns[c]] = np.int16(lanes[1, c])


@compiled
def list_spiked(y0, n_post, spiked, post, of_spiked):
    """The postsynaptic neurons that spiked, and their columns of `post` side by side; how many."""
    n = 0
    for j in range(n_post):
        if y0[j] != 0:
            spiked[n] = j
            for p in range(post.shape[0]):
                of_spiked[p, n] = post[p, j]
            n += 1
    return n


@compiled
def epoch(weights, tags, start, products, factors, x, y, sizes, due, k, maxima, scratch, outcome):
    """One epoch of all synapses of a projection; they lie as rows from `start` on.

    sizes: n_pre and n_post. Rounded with bits of key k, as `compiler.rounding.synapse_bits` orders
    them. `scratch` is what `scratch_for` makes. Adds to `outcome` (see `learn`); returns (rows,
    synapses visited).
    """
    pre, post, of_spiked, lanes, spiked, noise = scratch
    n_pre, n_post = sizes
    if not neuron_parts(products, factors, x, y, sizes, due, pre, post):
        return 0, 0
    n_spiked = list_spiked(y[0], n_post, spiked, post, of_spiked)
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
        own = slice(start + i * n_post, start + (i + 1) * n_post)
        w, t = weights[own], tags[own]
        if wide:
            learn_all(w, t, bits, products, factors, pre, post, i, lanes, maxima, outcome)
        else:
            learn_some(
                w, t, bits, spiked, n_spiked, products, factors, pre, of_spiked, i, lanes, maxima,
                outcome,
            )  # fmt: skip
        rows += 1
        visits += n_post if wide else n_spiked
    return rows, visits


def scratch_for(products: int, widest: int) -> tuple[np.ndarray, ...]:
    """What `epoch` works in, for so many products and neurons."""
    return (
        *(np.zeros((products, widest), np.int32) for _ in range(3)),
        np.zeros((6, widest), np.int32),
        np.zeros(widest, np.int32),
        np.zeros((widest + 3) // 4, np.uint32),
    )
