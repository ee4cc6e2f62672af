"""Operations of maps: convolutions, pools and spatial means; compiled.

Each takes one row of the operation table; `operations.Op` names the operands.
"""

from __future__ import annotations

import numpy as np

from compiler.backends.simulator import codes as c
from compiler.backends.simulator.compiled import compiled
from compiler.backends.simulator.forward import count_population, count_spiking, fire, lifted
from compiler.backends.simulator.kernels.maps import (
    add_channels,
    add_graded_map,
    add_map,
    add_neighbours,
    count_reached,
    list_positions,
)
from compiler.backends.simulator.kernels.neurons import count_equal, relay_step
from compiler.backends.simulator.kernels.synapses import list_messages
from compiler.connectivity import NEIGHBOURS


@compiled(inline="always")
def convolve_graded(w, op, steps):
    """A graded message's current through kernels, which holds for the whole fixation."""
    synapses, start, n_post, source, channels = op[1], op[2], op[3], op[4], op[5]
    field, drop, lift, height, width, kernel = op[6], op[7], op[8], op[9], op[10], op[11]
    own = op[12]
    size = channels * height * width
    sent, begins = lifted(w, source, size, field, drop, lift), w.begins[0]
    n = list_messages(w.rows, sent)
    list_positions(w.rows, n, channels, begins, height * width)
    held = w.current[steps]
    add_graded_map(
        held, w.weights, start, n_post, w.rows, begins, sent, channels, height, width, kernel, own
    )
    reached = count_reached(begins, height, width, kernel)
    w.synapse_counts[synapses, c.OPERATIONS] += reached * n_post


@compiled(inline="always")
def convolve_spikes(w, op, first, stop):
    """The same as `drive_spikes` through kernels."""
    synapses, start, n_post, source, channels = op[1], op[2], op[3], op[4], op[5]
    height, width, kernel, own, delay = op[6], op[7], op[8], op[9], op[10]
    first = max(first, delay)
    steps = max(0, stop - first)
    out, begins = w.current[first : first + steps], w.begins[:steps]
    rows, runs = w.rows_fired[source, first - delay : first - delay + steps], w.runs[:kernel]
    for t in range(steps):
        n = w.n_fired[source, first - delay + t]
        list_positions(rows[t], n, channels, begins[t], height * width)
    added = add_map(
        out, w.weights, start, n_post, rows, begins, runs, channels, height, width, kernel, own
    )
    w.synapse_counts[synapses, c.OPERATIONS] += added * n_post


@compiled(inline="always")
def pool(w, op, steps):
    """Masks of who spikes among the neighbours of each relay, step by step."""
    synapses, start, source, channels, height, width = op[1], op[2], op[3], op[4], op[5], op[6]
    heard = 0
    for t in range(steps):
        rows, begins = w.rows_fired[source, t], w.begins[t]
        list_positions(rows, w.n_fired[source, t], channels, begins, height * width)
        heard += add_neighbours(
            w.current[t], w.weights, start, NEIGHBOURS, rows, begins, channels, height, width
        )
    w.synapse_counts[synapses, c.OPERATIONS] += heard


@compiled(inline="always")
def relay(w, op, steps, log):
    """All steps of a population of relays: winners in place of potentials, spikes, counts."""
    population, start, size = op[1], op[2], op[3]
    winner = w.state[c.MEMBRANE, start : start + size]
    fired = w.state[c.FIRED, start : start + size]
    count = w.state[c.COUNT, start : start + size]
    winner[:] = 0
    fired[:] = 0
    count[:] = 0
    counts = w.population_counts[population]
    for tau in range(steps):
        active = relay_step(winner, w.current[tau, :size], fired, count)
        counts[c.ACTIVE] += active
        w.n_active[population, tau] = active
        fire(w, population, start, size, tau, log)
    count_population(w, population, count, steps)


@compiled(inline="always")
def sum_up(w, op, steps):
    """How many positions of each channel spike, step by step."""
    synapses, start, source, channels, height, width = op[1], op[2], op[3], op[4], op[5], op[6]
    for t in range(steps):
        rows, n, begins = w.rows_fired[source, t], w.n_fired[source, t], w.begins[t]
        list_positions(rows, n, channels, begins, height * width)
        add_channels(w.current[t], w.weights, start, rows, begins, channels, height * width)
        w.synapse_counts[synapses, c.OPERATIONS] += n


@compiled(inline="always")
def tally(w, op, steps):
    """All steps of a population of tallies, which count what they receive and never spike."""
    population, start, size = op[1], op[2], op[3]
    count = w.state[c.COUNT, start : start + size]
    count[:] = 0
    counts = w.population_counts[population]
    for t in range(steps):
        arrived = w.current[t, :size]
        for j in range(size):
            count[j] = np.int32(count[j] + arrived[j])
        active = size - count_equal(arrived, np.int32(0))
        counts[c.ACTIVE] += active
        w.n_active[population, t] = active
    count_spiking(w, population, count)
