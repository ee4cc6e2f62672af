"""Operations of messages that go down to a map, from its spatial means and its relays; compiled.

Each takes one row of the operation table; `operations.Op` names the operands.
"""

from __future__ import annotations

import numpy as np

from compiler.backends.simulator import codes as c
from compiler.backends.simulator.compiled import compiled
from compiler.backends.simulator.forward import payloads
from compiler.backends.simulator.kernels.neurons import count_equal
from compiler.connectivity import NEIGHBOURS


@compiled(inline="always")
def spread(w, op):
    """The message of a channel's one neuron into a compartment at all of its positions."""
    synapses, start, channels = op[1], op[2], op[4]
    shift, to_field, to, positions = op[8], op[9], op[10], op[11]
    sent = payloads(w, op)
    for p in range(positions):
        weight = np.int32(w.weights[start + p])
        target = w.state[to_field, to + p * channels : to + (p + 1) * channels]
        for j in range(channels):
            target[j] = np.int32(target[j] + np.int32(np.int32(sent[j] * weight) >> shift))
    messages = channels - count_equal(sent, np.int32(0))
    w.synapse_counts[synapses, c.OPERATIONS] += messages * positions
    w.noted[op[12]] = messages


@compiled(inline="always")
def inhibit(w, op):
    """Who does not hear that it has won forgets its count; a last odd row or column hears nothing.

    One step after the message was sent, unlike what goes into a compartment that nobody reads yet.
    """
    synapses, start, target, bit = op[1], op[2], op[8], op[12]
    channels, height, width = op[9], op[10], op[11]
    across = width // NEIGHBOURS
    sent = payloads(w, op)
    for p in range(height * width):
        y, x = p // width, p % width
        weight = np.int32(w.weights[start + y % NEIGHBOURS * NEIGHBOURS + x % NEIGHBOURS])
        y, x = y // NEIGHBOURS, x // NEIGHBOURS
        heard = y < height // NEIGHBOURS and x < across
        count = w.state[c.COUNT, target + p * channels : target + (p + 1) * channels]
        for j in range(channels):
            arrived = sent[(y * across + x) * channels + j] * weight if heard else np.int32(0)
            if arrived & bit == 0:
                count[j] = 0
    messages = sent.shape[0] - count_equal(sent, np.int32(0))
    w.synapse_counts[synapses, c.OPERATIONS] += messages * NEIGHBOURS**2
    w.noted[op[13]] = messages
