"""How many synapses each source neuron has, for every connection, without a loop over synapses.

A spike costs a synaptic operation for each synapse on the list of its neuron. Lists of a sparse
projection hold no zeros; those of a dense one, and kernels, do.
"""

from __future__ import annotations

import numpy as np

from compiler.connectivity import Window, Windows, kernel_of, windows
from compiler.program import Program, Synapses
from compiler.terms import CHANNELWISE, Connection, Map


def fan_out(program: Program, synapses: Synapses, zeros: bool = False) -> np.ndarray:
    """(N,) int64: how many nonzero synapses each neuron of the projection's source has.

    With `zeros`, those with a weight of zero are counted as well.
    """
    weights = synapses.weights
    there = np.ones(weights.shape, bool) if zeros else weights != 0
    source = program.population(synapses.source).map
    target = program.population(synapses.target).map
    connection = synapses.connection
    along = windows(connection, kernel_of(weights.shape), synapses.geometry)
    if along is None:
        return np.count_nonzero(there, axis=0).astype(np.int64)
    if connection in (Connection.UNPOOL, Connection.SPREAD):  # each source reaches every weight
        size = source[0] * source[1] * source[2]
        return np.full(size, np.count_nonzero(there), np.int64)
    if connection is Connection.UNTIED:
        return _untied(there, along, source, target)
    taps = _taps(there, source[0], synapses)
    rows, columns = (_reached(a, source[i], target[i]) for i, a in enumerate(along, 1))
    return np.einsum("cab,ar,bq->crq", taps, rows, columns).reshape(-1)


def receives(program: Program, synapses: Synapses, spikes: np.ndarray) -> np.ndarray:
    """(T, N_target) bool: which targets the spikes, (T, N_source) bool, reach by a synapse.

    All-to-all projections only; ValueError for a map.
    """
    if synapses.connection is not Connection.ALL_TO_ALL:
        raise ValueError(f"{synapses.name}: a map")
    there = (synapses.weights != 0).astype(np.float32)
    return spikes.astype(np.float32) @ there.T > 0


def _taps(there: np.ndarray, channels: int, synapses: Synapses) -> np.ndarray:
    """(C_in, k_h, k_w): synapses behind each tap of a kernel."""
    if synapses.connection in CHANNELWISE:
        return np.broadcast_to(there, (channels, *there.shape)).astype(np.int64)
    groups = there.reshape(synapses.geometry.groups, -1, *there.shape[1:])
    return groups.sum(axis=1, dtype=np.int64).reshape(channels, *there.shape[2:])


def _reached(along: Window, sources: int, targets: int) -> np.ndarray:
    """(k, sources): how many targets read each source through each tap, along one axis."""
    counts = np.zeros((along.width, sources), np.int64)
    for tap in range(along.width):
        read = along.sources(tap, 0, targets)
        inside = read[(read >= 0) & (read < sources)]
        counts[tap] = np.bincount(inside, minlength=sources)
    return counts


def _untied(there: np.ndarray, along: Windows, source: Map, target: Map) -> np.ndarray:
    """The same where every position has kernels of its own, (h * w, C_out, C_in, k, k)."""
    taps = there.sum(axis=1, dtype=np.int64)
    taps = taps.reshape(target[1], target[2], *taps.shape[1:])
    counts = np.zeros(source, np.int64)
    for row in range(along[0].width):
        for column in range(along[1].width):
            rows = along[0].sources(row, 0, target[1])
            columns = along[1].sources(column, 0, target[2])
            ys = (rows >= 0) & (rows < source[1])
            xs = (columns >= 0) & (columns < source[2])
            part = taps[np.ix_(ys, xs)][..., row, column]
            read = np.ix_(np.arange(source[0]), rows[ys], columns[xs])
            counts[read] += part.transpose(2, 0, 1)
    return counts.reshape(-1)
