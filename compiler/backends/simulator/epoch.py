"""A learning epoch of a general sum of products: dependencies, traces, products; compiled.

`stepwise.Learner` names the columns of the table of projections.
"""

from __future__ import annotations

import numpy as np

from compiler.backends.simulator import codes as c
from compiler.backends.simulator.compiled import compiled
from compiler.backends.simulator.kernels import sum_of_products
from compiler.backends.simulator.kernels.copying import copy
from compiler.backends.simulator.kernels.random import key, word
from compiler.backends.simulator.stepwise import Learner
from compiler.program import TRACE_MAX

SYNAPSES, START = int(Learner.SYNAPSES), int(Learner.START)
N_POST, N_PRE = int(Learner.N_POST), int(Learner.N_PRE)
SOURCE, SOURCE_OFFSET = int(Learner.SOURCE), int(Learner.SOURCE_OFFSET)
TARGET, TARGET_OFFSET = int(Learner.TARGET), int(Learner.TARGET_OFFSET)
PRODUCTS, PRODUCTS_END = int(Learner.PRODUCTS), int(Learner.PRODUCTS_END)
TRACES, TRACES_END = int(Learner.TRACES), int(Learner.TRACES_END)
VALUES, STREAM, MASK, OVERWRITTEN = (
    int(Learner.VALUES),
    int(Learner.STREAM),
    int(Learner.MASK),
    int(Learner.OVERWRITTEN),
)
PRE_TRACES = 2  # x1 and x2 come first in `products.TRACES`
REGISTERS = 3  # y1 to y3


@compiled
def decay_and_add(values, spiked, decay, impulse, k):
    """One step of `compiler.program.Trace`, each neuron with a random word of its own.

    spiked: 0 or 1. In 32-bit lanes, several neurons at a time.
    """
    kept, added, most = np.int32(decay), np.int32(impulse), np.int32(TRACE_MAX)
    for i in range(values.shape[0]):
        random = word(k, np.uint32(i))
        below = np.int32(random & np.uint32(4095))
        value = np.int32(np.int32(values[i] * kept + below) >> np.int32(12))
        below = np.int32((random >> np.uint32(12)) & np.uint32(255))
        raised = np.int32(np.int32(added + below) >> np.int32(8))
        values[i] = np.int16(min(np.int32(value + np.int32(raised * spiked[i])), most))


@compiled
def receive(w, op, row, x0, x1):
    """x0, and x1 where messages overwrite it: half of the payload, rounded half to even."""
    pre, field, drop, lift = op[2], op[4], op[5], op[6]
    overwritten = row[OVERWRITTEN] != 0
    x0[:] = 0
    if pre >= 0:
        source = row[SOURCE]
        for n in range(w.n_fired[source, pre]):
            i = w.rows_fired[source, pre, n]
            x0[i] = 1
            if overwritten:
                x1[i] = 0  # half of 1
    if field >= 0:
        for i in range(x0.shape[0]):
            sent = (w.state[field, row[SOURCE_OFFSET] + i] >> drop) << lift
            if sent != 0:
                x0[i] = 1
                if overwritten:
                    x1[i] = min((sent >> 1) + (sent & (sent >> 1) & 1), TRACE_MAX)


@compiled
def spikes_of(w, population, tau, fired):
    """fired[j] = 1 where neuron j spiked at tau; tau < 0 is no step of the presentation."""
    fired[:] = 0
    if tau >= 0:
        for n in range(w.n_fired[population, tau]):
            fired[w.rows_fired[population, tau, n]] = 1


@compiled
def follow(learners, row, n_pre, n_post, time_step, seed):
    """All traces of a projection take up who spiked; x and y are then what synapses see."""
    x, y, values = learners.x, learners.y, learners.values
    first = row[VALUES]
    post = first + PRE_TRACES * n_pre
    for t in range(row[TRACES], row[TRACES_END]):
        code, decay, impulse, stream = learners.traces[t]
        k = key(seed, stream, time_step)
        if code < PRE_TRACES:
            place = first + code * n_pre
            decay_and_add(values[place : place + n_pre], x[0, :n_pre], decay, impulse, k)
        else:
            r = code - PRE_TRACES
            place = post + r * n_post
            decay_and_add(values[place : place + n_post], y[0, :n_post], decay, impulse, k)
            copy(y[r + 1, :n_post], values[place : place + n_post])
    for r in range(PRE_TRACES):
        copy(x[r + 1, :n_pre], values[first + r * n_pre : first + (r + 1) * n_pre])


@compiled
def learn_epoch(w, op, fixation, clock):
    """Op.EPOCH: traces take up this step's spikes, then every product is applied."""
    learners = w.learners
    row = learners.projections[op[1]]
    n_pre, n_post = row[N_PRE], row[N_POST]
    time_step = fixation * clock.period + op[8]
    x, y = learners.x, learners.y
    first = row[VALUES]
    receive(w, op, row, x[0, :n_pre], learners.values[first : first + n_pre])
    spikes_of(w, row[TARGET], op[3], y[0, :n_post])
    for r in range(REGISTERS):
        y[r + 1, :n_post] = 0
        if (op[7] >> r) & 1 != 0:
            target = row[TARGET_OFFSET]
            copy(y[r + 1, :n_post], w.registers[r, target : target + n_post])
    follow(learners, row, n_pre, n_post, time_step, clock.seed)
    outcome = learners.outcome
    outcome[:] = 0
    rows, visits = sum_of_products.epoch(
        w.weights,
        w.tags,
        row[START],
        learners.products[row[PRODUCTS] : row[PRODUCTS_END]],
        learners.factors,
        x,
        y,
        (n_pre, n_post),
        row[MASK] >= 0 and time_step & row[MASK] == 0,
        key(clock.seed, row[STREAM], time_step),
        w.maxima,
        learners.scratch,
        outcome,
    )
    counts = w.synapse_counts[row[SYNAPSES]]
    counts[c.VISITED] += visits
    w.noted[op[9]] = visits
    counts[c.T_CLIPPED] += outcome[1]
    counts[c.CARRIED] += outcome[2]
    counts[c.W_CLIPPED] += outcome[3]
    counts[c.EPOCHS] += rows > 0
