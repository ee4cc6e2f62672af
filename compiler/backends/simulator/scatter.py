"""Operations of convolutions that do not keep the sides of a map; compiled.

Each takes one row of the operation table; `operations.Op` names the operands, `arrivals` writes
them.
"""

from __future__ import annotations

from compiler.backends.simulator import codes as c
from compiler.backends.simulator.compiled import compiled
from compiler.backends.simulator.forward import lifted
from compiler.backends.simulator.kernels.scatter import scatter
from compiler.backends.simulator.kernels.synapses import list_messages

WINDOW = 15  # operands that say where kernels lie


@compiled(inline="always")
def scatter_spikes(w, op, first, stop):
    """The current of the steps first .. stop - 1: of the spikes of `delay` steps earlier."""
    synapses, start, source, delay, window = op[1], op[2], op[3], op[4], op[5 : 5 + WINDOW]
    for t in range(max(first, delay), stop):
        rows, n = w.rows_fired[source, t - delay], w.n_fired[source, t - delay]
        reached = scatter(w.current[t], w.weights, start, rows, n, w.payload, False, window)
        w.synapse_counts[synapses, c.OPERATIONS] += reached


@compiled(inline="always")
def scatter_sequence(w, op, first, stop):
    """The same of graded messages, given step by step."""
    synapses, start, place, delay, window = op[1], op[2], op[3], op[4], op[5 : 5 + WINDOW]
    size = window[0] * window[1] * window[2]
    for t in range(max(first, delay), stop):
        given = w.sequence[t - delay, place : place + size]
        n = list_messages(w.rows, given)
        reached = scatter(w.current[t], w.weights, start, w.rows, n, given, True, window)
        w.synapse_counts[synapses, c.OPERATIONS] += reached


@compiled(inline="always")
def scatter_graded(w, op, steps):
    """A graded message's current, which holds for the whole fixation."""
    synapses, start, source, window = op[1], op[2], op[3], op[5 : 5 + WINDOW]
    field, drop, lift = op[20], op[21], op[22]
    sent = lifted(w, source, window[0] * window[1] * window[2], field, drop, lift)
    n = list_messages(w.rows, sent)
    reached = scatter(w.current[steps], w.weights, start, w.rows, n, sent, True, window)
    w.synapse_counts[synapses, c.OPERATIONS] += reached
