"""One fixation of one layer as machine code: what it answers, what it learns.

A layer is a map (h, w, N) with the channels last, so that the inner loops run over neighbours in
memory; a dense layer is a map of one position with kernels of 1x1. All loops go from active
presynaptic neurons to the N neurons above them, so that silent ones cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import numba
import numpy as np

from clapp_neuro.encoders.layers import POOL


class Matrices(NamedTuple):
    """A row for each presynaptic neuron: forward (C, k, k, N), prediction and retrodiction (N, N).

    forward[i, a, b] are the weights from channel i at the shift (a - k // 2, b - k // 2).
    """

    forward: np.ndarray
    prediction: np.ndarray
    retrodiction: np.ndarray


class Seen(NamedTuple):
    """What a layer keeps of one fixation.

    x (H, W, C): presynaptic activity. map (h, w, N): activity, after pooling. winners (h, w, N):
    whose it is, as row * W + column before pooling. z (N,): its mean over the positions.
    """

    x: np.ndarray
    map: np.ndarray
    winners: np.ndarray
    z: np.ndarray


class Known(NamedTuple):
    """What synapses know as presynaptic activity: of this fixation, and of the one before.

    x, before_x (H, W, C): of the layer below. z, c (N,): of their own. The activities themselves,
    or traces of them.
    """

    x: np.ndarray
    before_x: np.ndarray
    z: np.ndarray
    c: np.ndarray


class Spikes(NamedTuple):
    """fired (T, H, W, N) before pooling, heard (T, h, w, N) after."""

    fired: np.ndarray
    heard: np.ndarray


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Machine code that is kept on disk."""
    return cast(Callable[..., Any], numba.njit(cache=True)(function))


@compiled
def see(
    forward: np.ndarray,
    arriving: np.ndarray,
    spikes: Spikes,
    seen: Seen,
    decay: np.floating,
    threshold: np.floating,
    subtract: bool,
) -> None:
    """One fixation of LIF neurons (`encoders.neurons`), into `spikes` and `seen`; x is there.

    arriving (T, H, W, C): spikes from below. Of no steps: the current from x is constant.
    """
    drive = np.zeros_like(spikes.fired[0])
    if arriving.shape[0] == 0:
        add_currents(drive, forward, seen.x)
    membrane = np.zeros_like(drive)
    for t in range(spikes.fired.shape[0]):
        if arriving.shape[0] > 0:
            drive[:] = 0
            add_currents(drive, forward, arriving[t])
        fire(spikes.fired, t, membrane, drive, decay, threshold, subtract)
    hear(spikes, seen)


@compiled
def add_currents(drive: np.ndarray, forward: np.ndarray, x: np.ndarray) -> None:
    """drive (H, W, N) += the convolution of x (H, W, C), with zeros around it."""
    height, width, neurons = drive.shape
    taps = forward.shape[1]
    half = taps // 2
    for r in range(height):
        for c in range(width):
            for i in range(x.shape[2]):
                factor = x[r, c, i]
                if factor == 0:
                    continue
                for a in range(max(0, r + half + 1 - height), min(taps, r + half + 1)):
                    for b in range(max(0, c + half + 1 - width), min(taps, c + half + 1)):
                        row, column = r + half - a, c + half - b
                        for j in range(neurons):
                            drive[row, column, j] += factor * forward[i, a, b, j]


@compiled
def fire(
    fired: np.ndarray,
    t: int,
    membrane: np.ndarray,
    drive: np.ndarray,
    decay: np.floating,
    threshold: np.floating,
    subtract: bool,
) -> None:
    """Time step t of neurons that integrate and fire."""
    height, width, neurons = drive.shape
    zero, one = drive.dtype.type(0), drive.dtype.type(1)
    for row in range(height):
        for column in range(width):
            for j in range(neurons):
                v = membrane[row, column, j]
                spiked = fired[t - 1, row, column, j] if t > 0 else zero
                if subtract:
                    v = v * decay + drive[row, column, j] - threshold * spiked
                else:
                    v = v * (one - spiked) * decay + drive[row, column, j]
                membrane[row, column, j] = v
                fired[t, row, column, j] = v > threshold


@compiled
def hear(spikes: Spikes, seen: Seen) -> None:
    """Of the neighbours that are pooled, the first to spike is heard.

    Of several in the same time step, or of none, the first in reading order (`first_to_spike`).
    """
    steps, height, width, neurons = spikes.heard.shape
    columns = spikes.fired.shape[2]
    side = POOL if columns > width else 1  # a row or column that is left over is not heard
    seen.z[:] = 0
    for row in range(height):
        for column in range(width):
            for j in range(neurons):
                first, won_row, won_column = steps + 1, 0, 0
                for a in range(side * row, side * row + side):
                    for b in range(side * column, side * column + side):
                        waited = 0
                        while waited < min(first, steps) and spikes.fired[waited, a, b, j] == 0:
                            waited += 1
                        if waited < first:
                            first, won_row, won_column = waited, a, b
                count = 0
                for t in range(steps):
                    spike = spikes.fired[t, won_row, won_column, j]
                    spikes.heard[t, row, column, j] = spike
                    count += spike != 0
                activity = seen.z.dtype.type(count) / seen.z.dtype.type(steps)
                seen.winners[row, column, j] = won_row * columns + won_column
                seen.map[row, column, j] = activity
                seen.z[j] += activity
    seen.z[:] /= seen.z.dtype.type(height * width)


@compiled
def learn(
    weights: Matrices,
    now: Seen,
    before: Seen,
    known: Known,
    stays: bool,
    margin: np.floating,
    rate: np.floating,
) -> tuple[Any, bool]:
    """Eq. 3 and, where its gate is open, 6 to 8: (loss, whether it was open).

    All updates are from the weights of before. Without W_retro, Eq. 7 is left out.
    """
    z, c = now.z, before.z
    d = np.zeros_like(z)
    add_rows(d, weights.prediction, c)
    u = d[0] * 0
    for j in range(z.shape[0]):
        u += z[j] * d[j]
    y = rate if stays else -rate
    loss = margin - u if stays else margin + u
    if not loss > 0:  # not a number: for the caller to find
        return (loss if np.isnan(loss) else loss * 0), False
    change_kernels(weights.forward, now, known.x, d, y)
    if weights.retrodiction.shape[0] > 0:
        r = np.zeros_like(c)
        add_rows(r, weights.retrodiction, z)
        change_kernels(weights.forward, before, known.before_x, r, y)
        add_outer(weights.retrodiction, known.z, c, y)
    add_outer(weights.prediction, known.c, z, y)
    return loss, True


@compiled
def change_kernels(
    forward: np.ndarray, seen: Seen, x: np.ndarray, dendrite: np.ndarray, y: np.floating
) -> None:
    """forward += the sum over positions of y * dendrite * rho' * x, of the winners alone."""
    height, width, neurons = seen.map.shape
    rows, columns, channels = x.shape
    taps = forward.shape[1]
    half = taps // 2
    share = y / seen.z.dtype.type(height * width)
    post = np.zeros((rows, columns, neurons), x.dtype)
    learns = np.zeros((rows, columns), np.bool_)
    for row in range(height):
        for column in range(width):
            for j in range(neurons):
                if 0 < seen.map[row, column, j] < 1:
                    place = seen.winners[row, column, j]
                    won_row, won_column = place // columns, place % columns
                    post[won_row, won_column, j] = share * dendrite[j]
                    learns[won_row, won_column] = True
    for row in range(rows):
        for column in range(columns):
            if not learns[row, column]:
                continue
            for a in range(max(0, half - row), min(taps, rows + half - row)):
                for b in range(max(0, half - column), min(taps, columns + half - column)):
                    for i in range(channels):
                        factor = x[row + a - half, column + b - half, i]
                        if factor == 0:
                            continue
                        for j in range(neurons):
                            forward[i, a, b, j] += factor * post[row, column, j]


@compiled
def add_rows(out: np.ndarray, rows: np.ndarray, factors: np.ndarray) -> None:
    """out[j] += sum of factors[i] * rows[i, j] over the i that are not 0."""
    for i in range(factors.shape[0]):
        factor = factors[i]
        if factor != 0:
            for j in range(out.shape[0]):
                out[j] += factor * rows[i, j]


@compiled
def add_outer(rows: np.ndarray, pre: np.ndarray, post: np.ndarray, y: np.floating) -> None:
    """rows[i, j] += y * pre[i] * post[j] over the i that are not 0."""
    for i in range(pre.shape[0]):
        factor = y * pre[i]
        if factor != 0:
            for j in range(post.shape[0]):
                rows[i, j] += factor * post[j]
