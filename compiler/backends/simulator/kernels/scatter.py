"""Kernels of any stride, padding, dilation and groups: each message goes to all that read it.

Neurons lie by row, column, channel, weights by group, row, column, channel of the source, so a
message adds one run of weights to one run of currents for each target position that reads it.
Nothing is done where nothing was sent.
"""

from __future__ import annotations

import numpy as np

from compiler.backends.simulator.compiled import compiled


@compiled
def scatter(out, weights, start, rows, n, payload, graded, window):
    """out[target] += what the neurons rows[:n] bring, payload[i] of neuron i, or 1 each.

    window (15,) int64: channels, height and width of the source and of the target, then of rows
    and of columns kernel, stride, padding, dilation, then groups. Returns how many synapses the
    messages reached.
    """
    channels, width = window[0], window[2]
    given_in_all, out_height, out_width = window[3], window[4], window[5]
    kernel_y, kernel_x, stride_y, stride_x = window[6], window[7], window[8], window[9]
    padding_y, padding_x, dilation_y, dilation_x = window[10], window[11], window[12], window[13]
    groups = window[14]
    taken, given = channels // groups, given_in_all // groups
    reached = 0
    for s in range(n):
        i = rows[s]
        position = i // channels
        channel = i - position * channels
        group = channel // taken
        sent = payload[i] if graded else np.int32(1)
        down, across = position // width + padding_y, position % width + padding_x
        top, bottom = readers(down, stride_y, dilation_y * (kernel_y - 1), out_height)
        left, right = readers(across, stride_x, dilation_x * (kernel_x - 1), out_width)
        for y in range(top, bottom):
            tap_y = down - y * stride_y
            if dilation_y != 1 and tap_y % dilation_y != 0:
                continue
            place = (group * kernel_y + tap_y // dilation_y) * kernel_x
            for x in range(left, right):
                tap_x = across - x * stride_x
                if dilation_x != 1 and tap_x % dilation_x != 0:
                    continue
                row = (place + tap_x // dilation_x) * taken + channel - group * taken
                base = start + row * given
                to = (y * out_width + x) * given_in_all + group * given
                for j in range(given):
                    weight = np.int32(weights[base + j])
                    out[to + j] = np.int32(out[to + j] + np.int32(sent * weight))
                reached += given
    return reached


@compiled(inline="always")
def readers(place, stride, reach, targets):
    """The targets (first, stop) whose windows cover a place, counted from the first padded one."""
    return max(0, -((reach - place) // stride)), min(targets - 1, place // stride) + 1
