"""Operations of the forward pass and of the messages between compartments, compiled.

Each takes one row of the operation table; `operations.Op` names the operands.
"""

from __future__ import annotations

import numpy as np

from compiler.backends.simulator import codes as c
from compiler.backends.simulator.compiled import compiled
from compiler.backends.simulator.kernels.copying import copy
from compiler.backends.simulator.kernels.neurons import count_equal, lif_step, list_spikes
from compiler.backends.simulator.kernels.synapses import add_graded, add_rows, clip_membrane


@compiled(inline="always")
def payloads(w, op):
    """The graded messages of a population, in scratch."""
    return lifted(w, op[3], op[4], op[5], op[6], op[7])


@compiled(inline="always")
def lifted(w, source, size, field, drop, lift):
    """(value >> drop) << lift of the neurons from `source` on, in scratch."""
    sent = w.payload[:size]
    values = w.state[field, source : source + size]
    for i in range(size):
        sent[i] = (values[i] >> drop) << lift
    return sent


@compiled(inline="always")
def drive_graded(w, op, steps):
    """A graded message's current, which holds for all steps of the fixation."""
    start, n_post = op[1], op[2]
    sent = payloads(w, op)
    add_graded(w.current[steps, :n_post], w.weights, start, n_post, sent, w.rows)


@compiled(inline="always")
def drive_spikes(w, op, first, stop):
    """The current of the steps first .. stop - 1: of the spikes of `delay` steps earlier."""
    start, n_post, source, delay = op[1], op[2], op[3], op[4]
    first = max(first, delay)
    if first < stop:
        arrived = w.current[first:stop]
        rows = w.rows_fired[source, first - delay : stop - delay]
        n_rows = w.n_fired[source, first - delay : stop - delay]
        add_rows(arrived, w.weights, start, n_post, rows, n_rows, w.reached[: stop - first])


@compiled(inline="always")
def integrate(w, op, steps, log):
    """All steps of a population from rest: spikes, potentials, counts."""
    population, start, size = op[1], op[2], op[3]
    decay, threshold, scale = np.int32(op[4]), np.int32(op[5]), np.int32(op[6])
    zero = np.int32(-op[7])
    v = w.state[c.MEMBRANE, start : start + size]
    fired = w.state[c.FIRED, start : start + size]
    count = w.state[c.COUNT, start : start + size]
    v[:] = 0
    fired[:] = 0
    count[:] = 0
    held = w.current[steps, :size]
    for j in range(size):
        held[j] = np.int32(np.int32(held[j] * scale) + w.bias[start + j])
    counts = w.population_counts[population]
    for tau in range(steps):
        drive = w.current[tau, :size]
        active, clipped = lif_step(v, drive, held, fired, count, decay, threshold, scale, zero)
        counts[c.ACTIVE] += active
        counts[c.V_CLIPPED] += clipped
        w.n_active[population, tau] = active
        fire(w, population, start, size, tau, log)
    count_population(w, population, count, steps)


@compiled(inline="always")
def fire(w, population, start, size, tau, log):
    """Lists the neurons that have just spiked, for all who hear the population."""
    n = list_spikes(w.state[c.FIRED, start : start + size], w.rows_fired[population, tau])
    w.n_fired[population, tau] = n
    w.population_counts[population, c.SPIKES] += n
    if log:
        copy(
            w.membrane_log[tau, start : start + size],
            w.state[c.MEMBRANE, start : start + size],
        )


@compiled(inline="always")
def count_spiking(w, population, count):
    """Counts the silent and the rest."""
    silent = count_equal(count, np.int32(0))
    w.population_counts[population, c.SILENT] += silent
    w.population_counts[population, c.COUNT_SENT] += count.shape[0] - silent
    w.noted[population] = count.shape[0] - silent


@compiled(inline="always")
def count_population(w, population, count, steps):
    """Counts the silent, the saturated and the rest once a fixation is over."""
    count_spiking(w, population, count)
    counts = w.population_counts[population]
    counts[c.SATURATED] += count_equal(count, np.int32(steps))


@compiled(inline="always")
def encode(w, op, steps):
    """An input's intensities become spikes, evenly spread over the presentation."""
    population, start, size = op[1], op[2], op[3]
    intensity = w.state[c.COUNT, start : start + size]
    for tau in range(steps):
        n = 0
        for i in range(size):
            if (intensity[i] * (tau + 1) + 128) >> 8 != (intensity[i] * tau + 128) >> 8:
                w.rows_fired[population, tau, n] = i
                n += 1
        w.n_fired[population, tau] = n
        w.population_counts[population, c.SPIKES] += n


@compiled(inline="always")
def step(w, op, steps, log):
    """One step of a population; the first begins from rest, the last counts the outcome."""
    population, start, size, tau = op[1], op[2], op[3], op[8]
    decay, threshold, scale = np.int32(op[4]), np.int32(op[5]), np.int32(op[6])
    zero = np.int32(-op[7])
    v = w.state[c.MEMBRANE, start : start + size]
    fired = w.state[c.FIRED, start : start + size]
    count = w.state[c.COUNT, start : start + size]
    if tau == 0:
        v[:] = 0
        fired[:] = 0
        count[:] = 0
    drive = w.arrived[start : start + size]
    constant = w.current[steps, :size]
    for j in range(size):
        constant[j] = np.int32(np.int32(w.held[start + j] * scale) + w.bias[start + j])
    active, clipped = lif_step(v, drive, constant, fired, count, decay, threshold, scale, zero)
    drive[:] = 0
    counts = w.population_counts[population]
    counts[c.ACTIVE] += active
    counts[c.V_CLIPPED] += clipped
    w.n_active[population, tau] = active
    fire(w, population, start, size, tau, log)
    if tau == steps - 1:
        w.held[start : start + size] = 0
        count_population(w, population, count, steps)


@compiled(inline="always")
def send_spikes(w, op):
    """This step's spikes, through the weights as they are now, into the target's next step."""
    start, n_post, source, tau, target = op[1], op[2], op[3], op[4], op[5]
    out = w.arrived[target : target + n_post].reshape(1, n_post)
    rows = w.rows_fired[source, tau : tau + 1]
    n_rows = w.n_fired[source, tau : tau + 1]
    add_rows(out, w.weights, start, n_post, rows, n_rows, w.reached[:1])


@compiled(inline="always")
def send_graded(w, op):
    """A graded message's current, which holds for the whole presentation."""
    start, n_post, target = op[1], op[2], op[8]
    sent = payloads(w, op)
    add_graded(w.held[target : target + n_post], w.weights, start, n_post, sent, w.rows)


@compiled(inline="always")
def deliver(w, op, steps):
    """A graded message into a dendritic compartment, shifted down once it is summed up."""
    start, n_post = op[1], op[2]
    shift, to_field, to = op[8], op[9], op[10]
    arrived = w.current[steps, :n_post]
    arrived[:] = 0
    sent = payloads(w, op)
    add_graded(arrived, w.weights, start, n_post, sent, w.rows)
    target = w.state[to_field, to : to + n_post]
    for j in range(n_post):
        target[j] = np.int32(target[j] + np.int32(arrived[j] >> shift))


@compiled(inline="always")
def saturate(w, op):
    """Clips a compartment once everything has arrived."""
    field, start, size, population = op[1], op[2], op[3], op[4]
    clipped = clip_membrane(w.state[field, start : start + size])
    w.population_counts[population, c.A_CLIPPED] += clipped


@compiled(inline="always")
def present(w, op):
    """An input population sends the intensities that lie where its counts are."""
    start, size, population = op[1], op[2], op[3]
    silent = count_equal(w.state[c.COUNT, start : start + size], np.int32(0))
    w.population_counts[population, c.COUNT_SENT] += size - silent
    w.noted[population] = size - silent
    w.n_fired[population, 0] = size - silent  # until it spikes, if it is an input that does


@compiled(inline="always")
def end(w, op):
    """Counts become previous counts."""
    start, size, population = op[1], op[2], op[3]
    previous = w.state[c.PREVIOUS, start : start + size]
    silent = count_equal(previous, np.int32(0))
    w.population_counts[population, c.PREVIOUS_SENT] += size - silent
    w.noted[w.n_fired.shape[0] + population] = size - silent
    copy(previous, w.state[c.COUNT, start : start + size])
