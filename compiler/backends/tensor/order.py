"""How weights lie on tensors: as rows of what a presynaptic neuron reaches.

all to all          (n_pre, n_post)
convolution         (groups, k_h, k_w, C_in, C_out), for each group and offset such a matrix
untied convolution  (h * w, k * k * C_in, C_out), a matrix for each position
within a channel    as in the program
"""

from __future__ import annotations

import numpy as np

from compiler.program import Synapses
from compiler.terms import Connection


def weight_rows(s: Synapses, values: np.ndarray) -> np.ndarray:
    """Weights or tags of a projection as they lie here."""
    if s.connection is Connection.ALL_TO_ALL:
        return values.T
    if s.connection is Connection.CONVOLUTION:
        apart = values.reshape(s.geometry.groups, -1, *values.shape[1:])
        return apart.transpose(0, 3, 4, 2, 1)
    if s.connection is Connection.UNTIED:
        copies, post, pre, height, width = values.shape
        rows = values.transpose(0, 3, 4, 2, 1)
        return rows.reshape(copies, height * width * pre, post)
    return values


def weight_matrix(s: Synapses, rows: np.ndarray) -> np.ndarray:
    """The inverse of `weight_rows` for synapses that learn; a copy."""
    if s.connection is Connection.CONVOLUTION:
        return np.ascontiguousarray(rows[0].transpose(3, 2, 0, 1))  # what learns has one group
    if s.connection is Connection.UNTIED:
        copies, post, pre, height, width = s.weights.shape
        apart = rows.reshape(copies, height, width, pre, post)
        return np.ascontiguousarray(apart.transpose(0, 4, 3, 1, 2))
    return np.ascontiguousarray(rows.T)
