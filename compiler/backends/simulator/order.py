"""How the simulator numbers the neurons of a map, and lays out weights.

A program numbers them by channel, row, column, as the reference does, and so do stimuli, results
and traces. Inside the simulator they lie by row, column, channel: the channels of one position are
neighbours, and one spike adds contiguous rows of weights, all channels of a position at a time.
Everything that goes in or comes out passes `places`.
"""

from __future__ import annotations

import numpy as np

from compiler.program import Program, ProgramPopulation, Synapses
from compiler.terms import CHANNELWISE, Connection


def places(population: ProgramPopulation) -> np.ndarray:
    """(N,) where the simulator keeps each neuron of the program, counted from the first."""
    channels, height, width = population.map
    inside = np.arange(population.size).reshape(height, width, channels)
    return inside.transpose(2, 0, 1).ravel()


def weight_rows(program: Program, s: Synapses, values: np.ndarray) -> np.ndarray:
    """A projection's weights or tags, flat: a row of targets for each presynaptic neuron.

    Kernels: (groups, k_h, k_w, C_in, C_out) with the channels of a group, a row for each neuron
    that an output position sees; untied ones (h * w, k, k, C_in, C_out), so many rows for each
    position. Connections within a channel have one weight a place, which all channels share.
    """
    if s.connection is Connection.CONVOLUTION:
        apart = values.reshape(s.geometry.groups, -1, *values.shape[1:])
        return np.ascontiguousarray(apart.transpose(0, 3, 4, 2, 1)).ravel()
    if s.connection is Connection.UNTIED:
        return np.ascontiguousarray(values.transpose(0, 3, 4, 2, 1)).ravel()
    if s.connection in CHANNELWISE:
        return values.ravel()
    if s.connection is Connection.ONE_TO_ONE:
        lying = np.empty_like(values)
        lying[places(program.population(s.source))] = values
        return lying
    rows = np.empty(values.shape[::-1], values.dtype)
    source, target = (places(program.population(name)) for name in (s.source, s.target))
    rows[source[:, np.newaxis], target] = values.T
    return rows.ravel()


def weight_matrix(program: Program, s: Synapses, rows: np.ndarray) -> np.ndarray:
    """The inverse of `weight_rows` for synapses that learn; a copy."""
    if s.connection is Connection.CONVOLUTION:
        post, pre, height, width = s.weights.shape
        return rows.reshape(height, width, pre, post).transpose(3, 2, 0, 1).copy()
    if s.connection is Connection.UNTIED:
        copies, post, pre, height, width = s.weights.shape
        return rows.reshape(copies, height, width, pre, post).transpose(0, 4, 3, 1, 2).copy()
    source, target = (places(program.population(name)) for name in (s.source, s.target))
    n_post, n_pre = s.weights.shape
    return rows.reshape(n_pre, n_post)[source[:, np.newaxis], target].T.copy()
