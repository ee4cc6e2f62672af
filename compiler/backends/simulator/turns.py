"""Operations of kernels that learn in turn, and of what the processor carries; compiled.

Each takes one row of the operation table; `operations.Op` names the operands.
"""

from __future__ import annotations

import numpy as np

from compiler.backends.simulator import codes as c
from compiler.backends.simulator.adapt import count_epoch, traces
from compiler.backends.simulator.compiled import compiled
from compiler.backends.simulator.kernels import turns
from compiler.backends.simulator.kernels.maps import list_positions
from compiler.backends.simulator.kernels.synapses import list_messages
from compiler.program import TAG_UNITS


@compiled(inline="always")
def learn_in_turn(w, op, fixation, clock):
    """The learning epochs of some positions; nothing happens where no post value is set."""
    synapses, start, register, target, exponent = op[1], op[2], op[8], op[9], op[10]
    stream, delay, n_post, channels, kernel = op[11], op[12], op[13], op[14], op[15]
    height, width, first, stop = op[16], op[17], op[18], op[19]
    y = w.registers[register, target : target + height * width * n_post]
    if first == 0:
        w.noted[op[20]] = 0
    if not np.any(y[first * n_post : stop * n_post]):
        return
    x1, begins = traces(w, op), w.begins[0]
    n = list_messages(w.rows, x1)
    list_positions(w.rows, n, channels, begins, height * width)
    when = (clock.seed, stream, fixation * clock.period + delay, clock.shared)
    noise = w.noise[: (n_post + 3) // 4]
    window = (channels, height, width, kernel)
    rows, clipped = turns.learn_in_turn(
        w.tags,
        start,
        n_post,
        w.rows,
        begins,
        x1,
        y,
        exponent,
        when,
        TAG_UNITS * w.maxima[1],
        noise,
        window,
        first,
        stop,
    )
    count_epoch(w, synapses, op[20], rows, clipped)


@compiled(inline="always")
def carry_over(w, op, fixation):
    """The management processor moves whole units into weights, after every so many fixations."""
    synapses, start, size, every, units, largest = op[1], op[2], op[3], op[4], op[5], op[6]
    low, low_start = op[7], op[8]
    if (fixation + 1) % every != 0:
        return
    span = slice(start, start + size)
    counts = w.synapse_counts[synapses]
    counts[c.AVERAGED] += size
    if low < 0:
        clipped = turns.carry_over(w.weights[span], w.tags[span], w.maxima[1], largest, units)
        counts[c.T_CLIPPED] += clipped[1]
    else:
        rest = slice(low_start, low_start + size)
        clipped = turns.carry_over(w.weights[span], w.weights[rest], w.maxima[1], largest, units)
        of_low = w.synapse_counts[low]
        of_low[c.AVERAGED] += size
        of_low[c.W_CLIPPED] += clipped[1]
    counts[c.W_CLIPPED] += clipped[0]
