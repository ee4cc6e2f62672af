"""Operations of learning: scores and gates, post values, learning epochs, the carry; compiled.

Each takes one row of the operation table; `operations.Op` names the operands.
"""

from __future__ import annotations

import numpy as np

from compiler.averages import DEVIATION_BITS
from compiler.backends.simulator import codes as c
from compiler.backends.simulator.compiled import compiled
from compiler.backends.simulator.forward import payloads
from compiler.backends.simulator.kernels import plasticity
from compiler.backends.simulator.kernels.random import draw_once, key, words
from compiler.backends.simulator.operations import (
    CHANGE,
    PREVIOUS_SURROGATE,
    RECTIFIED,
    SURROGATE,
)
from compiler.program import (
    MEMBRANE_MAX,
    NORM_BITS,
    RECIPROCAL_BITS,
    SCORE_BITS,
    TAG_UNITS,
    TRACE_MAX,
)

HALF = RECTIFIED["half"]


@compiled
def multiply(products, state, code, start, steps):
    """products[j] *= the post factor at neuron start + j, int64; one plain loop for each factor."""
    size = products.shape[0]
    if code in (SURROGATE, PREVIOUS_SURROGATE):
        field = c.COUNT if code == SURROGATE else c.PREVIOUS
        for j in range(size):
            count = state[field, start + j]
            products[j] *= np.int64((count > 0) & (count < steps))
    elif code == CHANGE:
        for j in range(size):
            now, before = state[c.COUNT, start + j], state[c.PREVIOUS, start + j]
            products[j] *= np.int64(now) - np.int64(before)
    elif code >= 0:
        for j in range(size):
            products[j] *= np.int64(state[code, start + j])


@compiled(inline="always")
def clipped(w, gate, u):
    """A sum of the comparator in its 24 bits."""
    w.gate_counts[gate, c.U_CLIPPED] += abs(u) > MEMBRANE_MAX
    return min(max(u, -MEMBRANE_MAX), MEMBRANE_MAX)


@compiled
def count_bits(messages, bits, ones):
    """Ones in the two's complement of all messages, by bit: the spikes that bring them.

    The highest comes first, as it is sent first; returns their sum.
    """
    total = np.int64(0)
    for b in range(bits):
        n = np.int64(0)
        for message in messages:
            n += (message >> (bits - 1 - b)) & 1
        ones[b] = n
        total += n
    return total


@compiled(inline="always")
def add_noise(w, op, messages, fixation, clock):
    """Random numbers of so many bits, with a mean of -1/2, in the messages of neurons."""
    noise, stream, delay, channels = op[14], op[15], op[16], op[17]
    drawn = w.words[: messages.shape[0]]
    words(drawn, key(clock.seed, stream, fixation * clock.period + delay), channels)
    mask, half = np.int64((1 << noise) - 1), np.int64(1) << (noise - 1)
    for j in range(messages.shape[0]):
        messages[j] += (np.int64(drawn[j]) & mask) - half


@compiled(inline="always")
def send_scores(w, op, first, second, shift, turn, fixation, clock):
    """What the comparator hears of each neuron, one message: the product of two factors.

    `turn` is the number of such messages before this one.
    """
    start, size, population, most, serial = op[2], op[3], op[8], op[18], op[19]
    messages = w.products[:size]
    messages[:] = 1
    multiply(messages, w.state, first, start, clock.steps)
    multiply(messages, w.state, second, start, clock.steps)
    if op[14] > 0:
        add_noise(w, op, messages, fixation, clock)
    kept, sent = np.int64(0), np.int64(0)
    for j in range(size):
        whole = messages[j]
        message = min(max(whole, -MEMBRANE_MAX), MEMBRANE_MAX)
        shifted = message >> shift
        said = min(max(shifted, -most - 1), most)
        kept += np.int64((message == whole) & (said == shifted))
        messages[j] = said
        sent += np.int64(said != 0)
    noted = op[20] + turn * max(1, serial)
    if serial > 0:
        sent = count_bits(messages, serial, w.noted[noted : noted + serial])
    else:
        w.noted[noted] = sent
    w.population_counts[population, c.A_CLIPPED] += size - kept
    w.population_counts[population, c.SCORE_SENT] += sent


@compiled(inline="always")
def sum_scores(w, op, turn, turns):
    """The sum of the messages of those neurons whose turn it is."""
    u = np.int64(0)
    for j in range(turn, op[3], turns):
        u += w.products[j]
    return clipped(w, op[1], u)


@compiled
def root(square):
    """floor(sqrt(square)) of 0 <= square < 2^62, one binary digit after the other."""
    found = np.int64(0)
    digit = np.int64(1) << 30
    while digit > 0:
        more = found | digit
        if more * more <= square:
            found = more
        digit >>= 1
    return found


@compiled
def reward(w, op, fixation, clock):
    """The critic: sums the messages of each class; (score, gate) as `compiler.program.Gate`."""
    first, second, score_shift, modulator, classes = op[4], op[5], op[6], op[7], op[12]
    y = w.signals[modulator]
    right, best, named = np.int64(0), np.int64(-2 * MEMBRANE_MAX), np.int64(0)
    other = best
    send_scores(w, op, first, second, score_shift, 0, fixation, clock)
    for k in range(classes):
        total = sum_scores(w, op, k, classes)
        if total > best:
            best, named = total, np.int64(k)
        if k == y:
            right = total
        else:
            other = max(other, total)
    if not 0 <= y < classes:
        return np.int64(0), np.int64(0)
    w.named[op[1]] = named
    rewarded = np.int64(1) if op[13] != 0 else np.int64(max(1, classes - 1))
    opened = rewarded if named == y else np.int64(-1)
    return right - other if classes > 1 else right, opened


@compiled(inline="always")
def compare(w, op, fixation, clock):
    """The comparator: sums the score messages; (score, gate) as `compiler.program.Gate`."""
    gate, first, second, score_shift, modulator = op[1], op[4], op[5], op[6], op[7]
    stays, left, norm = op[9], op[10], op[11]
    send_scores(w, op, first, second, score_shift, 0, fixation, clock)
    u = sum_scores(w, op, 0, 1)
    y = w.signals[modulator]
    opened = y
    if norm >= 0:
        send_scores(w, op, norm, norm, np.int64(0), 1, fixation, clock)
        square = sum_scores(w, op, 0, 1)
        length = root(square << 2 * NORM_BITS)
        if length > 0:
            u = clipped(w, gate, (u << SCORE_BITS) // length)
            opened = y * ((np.int64(1) << RECIPROCAL_BITS) // length)
        else:
            u = np.int64(0)
            opened = np.int64(0)
    if y * u >= (left if y < 0 else stays):
        opened = np.int64(0)
    return u, opened


@compiled(inline="always")
def decide(w, op, fixation, clock):
    """The comparator or critic sums the score messages and opens the gate, or not."""
    gate = op[1]
    if op[12] != 0:
        u, opened = reward(w, op, fixation, clock)
    else:
        u, opened = compare(w, op, fixation, clock)
    w.scores[gate] = u
    w.signals[w.signals.shape[0] - w.scores.shape[0] + gate] = opened
    w.gate_counts[gate, c.POSITIVE] += opened > 0
    w.gate_counts[gate, c.NEGATIVE] += opened < 0
    steps = max(1, op[19]) * (2 if op[11] >= 0 else 1)
    w.noted[op[20] + steps] = opened != 0


@compiled(inline="always")
def average(w, op):
    """Running averages of what the neurons did, and how far they are from them now."""
    start, size, population, signal = op[1], op[2], op[3], op[4]
    multiplier, shift, fraction, epsilon = op[5], op[6], op[7], op[8]
    half = np.int64(1) << (shift - 1)
    for j in range(start, start + size):
        mean, variance = np.int64(w.state[c.MEAN, j]), np.int64(w.state[c.VARIANCE, j])
        now = np.int64(w.state[c.COUNT, j]) << fraction
        before = np.int64(w.state[c.PREVIOUS, j]) << fraction
        if w.signals[signal] != 0:
            mean += (((now + before) >> 1) - mean) * multiplier + half >> shift
            spread = (now - mean) * (now - mean) + (before - mean) * (before - mean)
            variance += ((spread >> (fraction + 1)) - variance) * multiplier + half >> shift
            w.state[c.MEAN, j] = np.int32(mean)
            w.state[c.VARIANCE, j] = np.int32(variance)
        deviation = ((now - mean) << DEVIATION_BITS) // (variance + epsilon)
        w.population_counts[population, c.A_CLIPPED] += abs(deviation) > MEMBRANE_MAX
        w.state[c.DEVIATION, j] = np.int32(min(max(deviation, -MEMBRANE_MAX), MEMBRANE_MAX))


@compiled(inline="always")
def point(values, named, classes):
    """Only the neurons of the class that was named are told anything."""
    for j in range(values.shape[0]):
        if j % classes != named:
            values[j] = 0


@compiled(inline="always")
def write_post(w, op, fixation, clock):
    """The soma writes a post value: signal * factors * mult / 2^shift, stochastically rounded."""
    population, start, size, register = op[1], op[2], op[3], op[4]
    first, second, third, modulator = op[5], op[6], op[7], op[8]
    multiplier, shift, granularity, stream, delay = op[9], op[10], op[11], op[12], op[13]
    channels, worth, critic, classes = op[15], op[16], op[17], op[18]
    y = w.registers[register, start : start + size]
    y[:] = 0
    w.noted[op[19]] = 0
    signal = np.int64(1) if modulator < 0 else w.signals[modulator]
    if signal < 0 and op[14] > 0:
        signal = np.int64(0) if op[14] == HALF else -signal
    if signal == 0:
        return
    values = w.products[:size]
    values[:] = signal if worth == 0 else np.int64(-1)
    for code in (first, second, third):
        multiply(values, w.state, code, start, clock.steps)
    if worth != 0 and signal > 0:
        values += worth
    if critic >= 0:
        point(values, w.named[critic], classes)
    drawn = w.words[:size]
    words(drawn, key(clock.seed, stream, fixation * clock.period + delay), channels)
    mask = np.int64((1 << shift) - 1)
    unclipped, silent = np.int64(0), np.int64(0)
    for j in range(size):
        # where the product is 0 the random number is below one: 0 stays 0
        value = granularity * ((values[j] * multiplier + (np.int64(drawn[j]) & mask)) >> shift)
        kept = min(max(value, -TRACE_MAX), TRACE_MAX)
        unclipped += np.int64(kept == value)
        silent += np.int64(kept == 0)
        y[j] = np.int16(kept)
    w.population_counts[population, c.Y_CLIPPED] += size - unclipped
    w.population_counts[population, c.WRITES] += size - silent
    w.noted[op[19]] = size - silent


@compiled(inline="always")
def traces(w, op):
    """The traces x1 that a population's messages leave, half of each, in scratch."""
    x1 = payloads(w, op)
    for i in range(x1.shape[0]):
        x1[i] >>= 1
    return x1


@compiled(inline="always")
def count_epoch(w, synapses, noted, rows, clipped):
    """One learning epoch of a projection, in its counters."""
    w.noted[noted] += rows
    counts = w.synapse_counts[synapses]
    counts[c.ROWS] += rows
    counts[c.T_CLIPPED] += clipped
    counts[c.EPOCHS] += 1


@compiled(inline="always")
def learn(w, op, fixation, clock):
    """One learning epoch of a projection; nothing happens where no post value is set."""
    synapses, start, register, target = op[1], op[2], op[8], op[9]
    exponent, stream, delay, n_post = op[10], op[11], op[12], op[13]
    y = w.registers[register, target : target + n_post]
    w.noted[op[15]] = 0
    if not np.any(y):
        return
    x1 = traces(w, op)
    k = key(clock.seed, stream, fixation * clock.period + delay)
    noise = w.noise[: (n_post + 3) // 4]
    counts, shared = w.synapse_counts[synapses], clock.shared
    if shared:
        draw_once(noise, k)
    if op[14] != 0:
        rows, clipped = plasticity.learn(
            w.weights, start, n_post, x1, y, exponent, k, w.maxima[1], noise, shared
        )
        counts[c.W_CLIPPED] += clipped
        clipped = 0
    else:
        rows, clipped = plasticity.learn(
            w.tags, start, n_post, x1, y, exponent, k, w.maxima[0], noise, shared
        )
    count_epoch(w, synapses, op[15], rows, clipped)


@compiled(inline="always")
def carry(w, op, fixation, clock):
    """Every 2^n time steps whole weight units move from the tags into the weights."""
    synapses, start, size, real, mask, delay = op[1], op[2], op[3], op[4], op[5], op[6]
    w.noted[op[9]], w.noted[op[9] + 1] = 0, 0
    if (fixation * clock.period + delay) & mask != 0:
        return
    span, n_post = slice(start, start + size), op[7]
    if n_post > 0:
        k = key(clock.seed, op[8], fixation * clock.period + delay)
        noise = w.noise[: (n_post + 3) // 4]
        if clock.shared:
            draw_once(noise, k)
        moved, clipped = plasticity.transfer(
            w.weights[span], w.tags[span], n_post, w.maxima[1], k, noise, clock.shared
        )
    else:
        moved, clipped = plasticity.carry(w.weights[span], w.tags[span], w.maxima[1], TAG_UNITS)
    counts = w.synapse_counts[synapses]
    counts[c.CARRIED] += moved
    counts[c.W_CLIPPED] += clipped
    counts[c.CARRY_VISITS] += real
    w.noted[op[9]], w.noted[op[9] + 1] = moved, real
