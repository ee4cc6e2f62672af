"""Operations of neurons with parameters of their own, recurrence, and inputs given step by step.

Each takes one row of the operation table and the steps of the target, first .. stop - 1, that it
computes: all of a presentation, or one where populations wait for one another. Currents are
collected from whatever the sources have sent so far, a delay earlier.
"""

from __future__ import annotations

import numpy as np

from compiler.backends.simulator import codes as c
from compiler.backends.simulator.compiled import compiled
from compiler.backends.simulator.forward import count_population, fire
from compiler.backends.simulator.kernels.maps import (
    add_graded_map,
    count_reached,
    list_positions,
)
from compiler.backends.simulator.kernels.somata import soma_step
from compiler.backends.simulator.kernels.synapses import add_graded, list_messages


@compiled(inline="always")
def list_sequence(w, op, steps):
    """An input is given what it sends: lists of the neurons that send anything."""
    population, size, place = op[1], op[3], op[4]
    for tau in range(steps):
        given = w.sequence[tau, place : place + size]
        n = list_messages(w.rows_fired[population, tau], given)
        w.n_fired[population, tau] = n
        w.population_counts[population, c.SPIKES] += n


@compiled(inline="always")
def drive_sequence(w, op, first, stop):
    """The current of graded messages, step by step."""
    start, n_post, place, n_pre, delay = op[1], op[2], op[3], op[4], op[5]
    for t in range(max(first, delay), stop):
        given = w.sequence[t - delay, place : place + n_pre]
        add_graded(w.current[t, :n_post], w.weights, start, n_post, given, w.rows)


@compiled(inline="always")
def convolve_sequence(w, op, first, stop):
    """The same through kernels."""
    synapses, start, n_post, place, channels = op[1], op[2], op[3], op[4], op[5]
    height, width, kernel, delay = op[6], op[7], op[8], op[9]
    size = channels * height * width
    begins = w.begins[0]
    for t in range(max(first, delay), stop):
        given = w.sequence[t - delay, place : place + size]
        n = list_messages(w.rows, given)
        list_positions(w.rows, n, channels, begins, height * width)
        out, rows = w.current[t], w.rows
        add_graded_map(
            out, w.weights, start, n_post, rows, begins, given, channels, height, width, kernel, 0
        )
        reached = count_reached(begins, height, width, kernel)
        w.synapse_counts[synapses, c.OPERATIONS] += reached * n_post


@compiled(inline="always")
def drive_one_to_one(w, op, first, stop):
    """The current of each neuron's one synapse; `place` is that of a sequence, or -1."""
    start, source, place, delay = op[1], op[2], op[3], op[4]
    for t in range(max(first, delay), stop):
        sent = t - delay
        for r in range(w.n_fired[source, sent]):
            j = w.rows_fired[source, sent, r]
            weight = np.int32(w.weights[start + j])
            if place >= 0:
                weight = np.int32(weight * w.sequence[sent, place + j])
            w.current[t, j] = np.int32(w.current[t, j] + weight)


@compiled(inline="always")
def begin(w, op, steps):
    """All state as it is before a presentation, and the current that holds throughout."""
    start, size = op[2], op[3]
    for j in range(size):
        w.held[start + j] = w.current[steps, j]
        w.state[c.MEMBRANE, start + j] = w.parameters[3, start + j]
        w.synaptic[start + j] = 0
        w.owed[start + j] = 0
        w.state[c.FIRED, start + j] = 0
        w.state[c.COUNT, start + j] = 0


@compiled(inline="always")
def advance(w, op, first, stop, log):
    """Neurons integrate what has been collected, and spike."""
    population, start, size = op[1], op[2], op[3]
    scale, synaptic = np.int32(op[4]), np.int32(op[5])
    masks = (
        np.int32(op[6]),
        np.int32(op[7]),
        np.int32(op[8]),
        np.int32(op[9]),
        np.int32(op[10]),
        np.int32(op[11]),
    )
    end = start + size
    counts = w.population_counts[population]
    for tau in range(first, stop):
        active, clipped, wrapped = soma_step(
            w.state[c.MEMBRANE, start:end],
            w.synaptic[start:end],
            w.owed[start:end],
            w.state[c.FIRED, start:end],
            w.state[c.COUNT, start:end],
            w.current[tau, :size],
            w.held[start:end],
            w.bias[start:end],
            w.parameters[:, start:end],
            scale,
            synaptic,
            masks,
        )
        counts[c.ACTIVE] += active
        w.n_active[population, tau] = active
        counts[c.V_CLIPPED] += clipped
        counts[c.U_WRAPPED] += wrapped
        fire(w, population, start, size, tau, log)


@compiled(inline="always")
def finish(w, op, steps):
    """Counts the outcome of a presentation."""
    population, start, size = op[1], op[2], op[3]
    count_population(w, population, w.state[c.COUNT, start : start + size], steps)
