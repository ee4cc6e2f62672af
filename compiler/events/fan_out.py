"""Synapses of each source neuron that hold a weight, for every connection, without a loop over them.

An event-driven machine pays for a synapse that exists; a list of a sparse projection holds no
zeros. So a spike costs as many synaptic operations as its neuron has weights other than zero.
"""

from __future__ import annotations

import numpy as np

from compiler.connectivity import Window, window
from compiler.program import Program, Synapses
from compiler.terms import CHANNELWISE, Connection, Map


def fan_out(program: Program, synapses: Synapses) -> np.ndarray:
    """(N,) int64: how many nonzero synapses each neuron of the projection's source has."""
    source = program.population(synapses.source).map
    target = program.population(synapses.target).map
    connection, weights = synapses.connection, synapses.weights
    along = window(connection, weights.shape[-1])
    if along is None:
        return np.count_nonzero(weights, axis=0).astype(np.int64)
    if connection in (Connection.UNPOOL, Connection.SPREAD):  # each source reaches every weight
        size = source[0] * source[1] * source[2]
        return np.full(size, np.count_nonzero(weights), np.int64)
    if connection is Connection.UNTIED:
        return _untied(weights, along, source, target)
    taps = _taps(synapses, source[0])
    rows = _reached(along, source[1], target[1])
    columns = _reached(along, source[2], target[2])
    return np.einsum("cab,ar,bq->crq", taps, rows, columns).reshape(-1)


def receives(program: Program, synapses: Synapses, spikes: np.ndarray) -> np.ndarray:
    """(T, N_target) bool: which targets the spikes, (T, N_source) bool, reach by a synapse.

    All-to-all projections only; ValueError for a map.
    """
    if window(synapses.connection, synapses.weights.shape[-1]) is not None:
        raise ValueError(f"{synapses.name}: a map")
    there = (synapses.weights != 0).astype(np.float32)
    return spikes.astype(np.float32) @ there.T > 0


def _taps(synapses: Synapses, channels: int) -> np.ndarray:
    """(C_in, k, k): nonzero weights behind each tap of a kernel."""
    there = synapses.weights != 0
    if synapses.connection in CHANNELWISE:
        return np.broadcast_to(there, (channels, *there.shape)).astype(np.int64)
    return there.sum(axis=0, dtype=np.int64)


def _reached(along: Window, sources: int, targets: int) -> np.ndarray:
    """(k, sources): how many targets read each source through each tap, along one axis."""
    counts = np.zeros((along.width, sources), np.int64)
    for tap in range(along.width):
        read = np.arange(targets) * along.stride // along.share - along.padding + tap
        inside = read[(read >= 0) & (read < sources)]
        counts[tap] = np.bincount(inside, minlength=sources)
    return counts


def _untied(weights: np.ndarray, along: Window, source: Map, target: Map) -> np.ndarray:
    """The same where every position has kernels of its own, weights (h * w, C_out, C_in, k, k)."""
    there = (weights != 0).sum(axis=1, dtype=np.int64)
    there = there.reshape(target[1], target[2], *there.shape[1:])
    counts = np.zeros(source, np.int64)
    for row in range(along.width):
        for column in range(along.width):
            rows = np.arange(target[1]) * along.stride - along.padding + row
            columns = np.arange(target[2]) * along.stride - along.padding + column
            ys = (rows >= 0) & (rows < source[1])
            xs = (columns >= 0) & (columns < source[2])
            part = there[np.ix_(ys, xs)][..., row, column]
            place = (slice(None), *np.ix_(rows[ys], columns[xs]))
            counts[place] += part.transpose(2, 0, 1)
    return counts.reshape(-1)
