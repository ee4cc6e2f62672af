"""Lava's own static synapses: all-to-all, shared kernels and pools, sparse."""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.conv.models import PyConvModelFixed
from lava.proc.conv.process import Conv
from lava.proc.dense.process import Dense
from lava.proc.sparse.process import Sparse
from lava.utils.weightutils import SignMode
from scipy.sparse import csr_matrix

from compiler.backends.lava.entries import Entries, entries
from compiler.connectivity import kernel_of, windows
from compiler.padding import padded_alike
from compiler.program import Synapses
from compiler.terms import CHANNELWISE, Connection, Map


def static_synapses(synapses: Synapses, **known: Any) -> Dense:
    """Lava's own static synapses; known: what else their model has to know."""
    return Dense(
        weights=as_even(synapses.weights),
        name=synapses.name,
        weight_exp=-1,
        num_message_bits=8,
        sign_mode=SignMode.MIXED,
        **known,
    )


def as_even(weights: np.ndarray) -> np.ndarray:
    """A mixed-sign weight is even in Lava, so it is doubled and twice the sum is halved."""
    return 2 * weights.astype(np.int32)


def score_sum(size: int, classes: int) -> Dense:
    """Synapses of weight 1 from a population onto its comparator, or onto a critic's classes."""
    rows = max(1, classes)
    turns = np.arange(rows)[:, None] == np.arange(size) % rows
    return Dense(weights=turns.astype(np.int32), num_message_bits=24, sign_mode=SignMode.EXCITATORY)


def shared_kernels(synapses: Synapses, source: Map, target: Map) -> Conv:
    """Lava's own convolution; it turns kernels round, and takes (C_out, width, height, C_in).

    A pool is one kernel for every channel on its own, with a stride of its width.
    """
    kernels = synapses.weights.astype(np.int32)
    along = windows(synapses.connection, kernel_of(kernels.shape), synapses.geometry)
    assert along is not None, "kernels have windows"
    groups = synapses.geometry.groups
    if synapses.connection is Connection.POOL:
        kernels = np.broadcast_to(kernels, (source[0], 1, *kernels.shape))
        groups = source[0]
    kernels, padding, dilation = padded_alike(kernels, along, source, target)
    how = {
        "padding": padding[::-1],
        "stride": tuple(axis.stride for axis in along)[::-1],
        "dilation": dilation[::-1],
        "groups": groups,
    }
    turned = kernels[:, :, ::-1, ::-1].transpose(0, 3, 2, 1)
    return Conv(
        weight=np.ascontiguousarray(turned),
        input_shape=source[::-1],
        num_message_bits=8,
        name=synapses.name,
        **how,
    )


@implements(proc=Conv, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class SharedKernelsModel(PyConvModelFixed):
    """Lava counts groups in 8 bits with sign; a layer has more channels than that."""

    groups: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=32)


def sparse_matrix(values: np.ndarray, found: Entries, shape: tuple[int, int]) -> csr_matrix:
    """Values of a projection's weights as Lava takes them; zeros stay synapses."""
    held = values.ravel()[found.weight].astype(np.int32)
    return csr_matrix((held, (found.target, found.source)), shape=shape)


def static_sparse(synapses: Synapses, source: Map, target: Map) -> Sparse:
    """Lava's own static synapses; a mixed-sign weight is even there, so twice the sum is halved.

    Connections of fixed weights have none that is negative, and hear payloads of up to 24 bits.
    """
    kernels = synapses.connection not in CHANNELWISE
    shape = int(np.prod(target)), int(np.prod(source))
    weights = synapses.weights.astype(np.int32) * (2 if kernels else 1)
    return Sparse(
        weights=sparse_matrix(weights, entries(synapses, source, target), shape),
        name=synapses.name,
        weight_exp=-1 if kernels else 0,
        num_message_bits=8 if kernels else 24,
        sign_mode=SignMode.MIXED if kernels else SignMode.EXCITATORY,
    )
