"""Executes the operation table of `memory.lay_out`, fixation after fixation, in compiled code."""

from __future__ import annotations

import numpy as np
from numba import njit

from compiler.backends.simulator.codes import (
    A_CLIPPED,
    ACTIVE,
    CARRIED,
    CARRY,
    CARRY_VISITS,
    CLEAR,
    COUNT,
    COUNT_SENT,
    CURRENT,
    DELIVER,
    DRIVE_GRADED,
    DRIVE_SPIKES,
    END,
    EPOCHS,
    GATE,
    INTEGRATE,
    LEARN,
    MEMBRANE,
    NEGATIVE,
    POSITIVE,
    POST,
    PREVIOUS,
    PREVIOUS_SENT,
    ROWS,
    SATURATE,
    SATURATED,
    SCORE_SENT,
    SILENT,
    SPIKED,
    SPIKES,
    T_CLIPPED,
    U_CLIPPED,
    V_CLIPPED,
    W_CLIPPED,
    WRITES,
    Y_CLIPPED,
)
from compiler.backends.simulator.kernels import (
    MEMBRANE_MAX,
    add_graded,
    add_rows,
    carry,
    clip_membrane,
    count_equal,
    key,
    learn,
    lif_step,
    list_spikes,
    word,
)
from compiler.backends.simulator.memory import PREVIOUS_SURROGATE, SURROGATE
from compiler.program import TAG_UNITS


@njit(cache=True, nogil=True)
def factor(state, code, j, steps):
    """The value of a post factor at neuron j, int64."""
    if code < 0:
        return np.int64(1)
    if code == SURROGATE:
        return np.int64((state[COUNT, j] > 0) & (state[COUNT, j] < steps))
    if code == PREVIOUS_SURROGATE:
        return np.int64((state[PREVIOUS, j] > 0) & (state[PREVIOUS, j] < steps))
    return np.int64(state[code, j])


@njit(cache=True, nogil=True)
def execute(
    operations,
    fixation,
    period,
    steps,
    seed,
    state,
    weights,
    tags,
    registers,
    current,
    fired,
    n_fired,
    signals,
    scores,
    payload,
    noise,
    membrane_log,
    log,
    pop_counts,
    syn_counts,
    gate_counts,
    maxima,
):
    """Runs the given operations for one fixation; `registers[r, j]` holds y1..y3 of neuron j."""
    tag_max, weight_max = maxima[0], maxima[1]
    for o in range(operations.shape[0]):
        op = operations[o]
        code = op[0]
        if code == CURRENT:
            current[: steps + 1, : op[1]] = 0
        elif code == DRIVE_GRADED:
            for i in range(op[4]):
                payload[i] = (state[op[5], op[3] + i] >> op[6]) << op[7]
            add_graded(current[steps, : op[2]], weights, op[1], op[2], payload[: op[4]])
        elif code == DRIVE_SPIKES:
            for tau in range(steps):
                rows = fired[op[3], tau]
                n_rows = n_fired[op[3], tau]
                add_rows(current[tau, : op[2]], weights, op[1], op[2], rows, n_rows)
        elif code == INTEGRATE:
            pop, start, size = op[1], op[2], op[3]
            v = state[MEMBRANE, start : start + size]
            spiked = state[SPIKED, start : start + size]
            count = state[COUNT, start : start + size]
            v[:] = 0
            spiked[:] = 0
            count[:] = 0
            held = current[steps, :size]
            for tau in range(steps):
                drive = current[tau, :size]
                decay, threshold, shift = np.int32(op[4]), np.int32(op[5]), np.int32(op[6])
                keep = np.int32(1 - op[7])
                active, clipped = lif_step(v, drive, held, spiked, decay, threshold, shift, keep)
                pop_counts[pop, ACTIVE] += active
                pop_counts[pop, V_CLIPPED] += clipped
                rows = fired[pop, tau]
                n = list_spikes(spiked, rows)
                for j in range(size):
                    count[j] = np.int32(count[j] + spiked[j])
                n_fired[pop, tau] = n
                pop_counts[pop, SPIKES] += n
                if log:
                    membrane_log[tau, start : start + size] = v
            pop_counts[pop, SILENT] += count_equal(count, np.int32(0))
            pop_counts[pop, SATURATED] += count_equal(count, np.int32(steps))
        elif code == GATE:
            gate, start, size = op[1], op[2], op[3]
            u = np.int64(0)
            for j in range(start, start + size):
                coincidence = factor(state, op[4], j, steps) * factor(state, op[5], j, steps)
                message = min(max(coincidence, -MEMBRANE_MAX), MEMBRANE_MAX) >> op[6]
                pop_counts[op[9], A_CLIPPED] += abs(coincidence) > MEMBRANE_MAX
                pop_counts[op[9], SCORE_SENT] += message != 0
                u += message
            gate_counts[gate, U_CLIPPED] += abs(u) > MEMBRANE_MAX
            u = min(max(u, -MEMBRANE_MAX), MEMBRANE_MAX)
            y = signals[op[8]]
            opened = y if y * u < op[7] else 0
            scores[gate] = u
            signals[signals.shape[0] - scores.shape[0] + gate] = opened
            gate_counts[gate, POSITIVE] += opened > 0
            gate_counts[gate, NEGATIVE] += opened < 0
        elif code == CLEAR:
            state[op[1], op[2] : op[2] + op[3]] = 0
        elif code == DELIVER:
            for i in range(op[4]):
                payload[i] = (state[op[5], op[3] + i] >> op[6]) << op[7]
            held = current[steps, : op[2]]
            held[:] = 0
            add_graded(held, weights, op[1], op[2], payload[: op[4]])
            target = state[op[9], op[10] : op[10] + op[2]]
            for j in range(op[2]):
                target[j] += held[j] >> op[8]
        elif code == SATURATE:
            clipped = clip_membrane(state[op[1], op[2] : op[2] + op[3]])
            pop_counts[op[4], A_CLIPPED] += clipped
        elif code == POST:
            pop, start, size, register = op[1], op[2], op[3], op[4]
            y = registers[register, start : start + size]
            signal = np.int64(1) if op[8] < 0 else signals[op[8]]
            y[:] = 0
            if signal != 0:
                shift = op[10]
                k = key(seed, op[12], fixation * period + op[13])
                mask = np.int64((1 << shift) - 1)
                for j in range(size):
                    value = signal * factor(state, op[5], start + j, steps)
                    value *= factor(state, op[6], start + j, steps)
                    value *= factor(state, op[7], start + j, steps)
                    if value != 0:
                        random = np.int64(word(k, j)) & mask
                        value = op[11] * ((value * op[9] + random) >> shift)
                        pop_counts[pop, Y_CLIPPED] += abs(value) > 127
                        y[j] = min(max(value, -127), 127)
                        pop_counts[pop, WRITES] += value != 0
        elif code == LEARN:
            syn, start, n_post = op[1], op[2], op[3]
            y = registers[op[9], op[10] : op[10] + n_post]
            if np.any(y != 0):
                for i in range(op[5]):
                    payload[i] = ((state[op[6], op[4] + i] >> op[7]) << op[8]) >> 1
                k = key(seed, op[12], fixation * period + op[13])
                row_words = (n_post + 3) // 4
                rows_touched, clipped = learn(
                    tags,
                    start,
                    n_post,
                    payload[: op[5]],
                    y,
                    op[11],
                    k,
                    tag_max,
                    noise[:row_words],
                )
                syn_counts[syn, ROWS] += rows_touched
                syn_counts[syn, T_CLIPPED] += clipped
                syn_counts[syn, EPOCHS] += 1
        elif code == CARRY:
            if (fixation * period + op[5]) & op[4] == 0:
                span = slice(op[2], op[2] + op[3])
                moved, clipped = carry(weights[span], tags[span], weight_max, TAG_UNITS)
                syn_counts[op[1], CARRIED] += moved
                syn_counts[op[1], W_CLIPPED] += clipped
                syn_counts[op[1], CARRY_VISITS] += op[3]
        elif code == END:
            count = state[COUNT, op[1] : op[1] + op[2]]
            previous = state[PREVIOUS, op[1] : op[1] + op[2]]
            pop_counts[op[3], COUNT_SENT] += op[2] - count_equal(count, np.int32(0))
            pop_counts[op[3], PREVIOUS_SENT] += op[2] - count_equal(previous, np.int32(0))
            previous[:] = count


@njit(cache=True, nogil=True)
def present(state, stimulus, first, count):
    """Puts one fixation's intensities where the input populations' counts lie."""
    for j in range(count):
        state[COUNT, first + j] = stimulus[j]


@njit(cache=True, nogil=True)
def run_learning(
    operations,
    first_fixation,
    period,
    steps,
    seed,
    intensities,
    labels,
    input_start,
    state,
    weights,
    tags,
    registers,
    current,
    fired,
    n_fired,
    signals,
    scores,
    payload,
    noise,
    membrane_log,
    pop_counts,
    syn_counts,
    gate_counts,
    maxima,
    score_log,
    gate_log,
):
    """Fixation after fixation with everything on; intensities (F, N), labels (F, modulators)."""
    n_labels = labels.shape[1]
    for f in range(intensities.shape[0]):
        present(state, intensities[f], input_start, intensities.shape[1])
        for m in range(n_labels):
            signals[m] = labels[f, m]
        execute(
            operations,
            first_fixation + f,
            period,
            steps,
            seed,
            state,
            weights,
            tags,
            registers,
            current,
            fired,
            n_fired,
            signals,
            scores,
            payload,
            noise,
            membrane_log,
            False,
            pop_counts,
            syn_counts,
            gate_counts,
            maxima,
        )
        score_log[f] = scores
        gate_log[f] = signals[n_labels:]


@njit(cache=True, nogil=True)
def run_inference(
    operations,
    period,
    steps,
    intensities,
    input_start,
    state,
    weights,
    current,
    fired,
    n_fired,
    payload,
    pop_counts,
    counts,
):
    """The forward pass of independent fixations; counts (F, neurons) uint8 is filled in."""
    tags = np.zeros(1, np.int16)
    registers = np.zeros((3, 1), np.int32)
    none = np.zeros(0, np.int64)
    noise = np.zeros(1, np.uint32)
    membrane_log = np.zeros((1, 1), np.int32)
    other_counts = np.zeros((1, 1), np.int64)
    maxima = np.zeros(2, np.int64)
    for f in range(intensities.shape[0]):
        present(state, intensities[f], input_start, intensities.shape[1])
        execute(
            operations,
            0,
            period,
            steps,
            0,
            state,
            weights,
            tags,
            registers,
            current,
            fired,
            n_fired,
            none,
            none,
            payload,
            noise,
            membrane_log,
            False,
            pop_counts,
            other_counts,
            other_counts,
            maxima,
        )
        for j in range(state.shape[1]):
            counts[f, j] = state[COUNT, j]
