"""Lava's own convolution, with room for as many groups as a pool has channels."""

from __future__ import annotations

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.conv.models import PyConvModelFixed
from lava.proc.conv.process import Conv

from compiler.program import Synapses
from compiler.terms import Connection, Map


def shared_kernels(synapses: Synapses, source: Map) -> Conv:
    """Lava's own convolution; it turns kernels round, and takes (C_out, width, height, C_in).

    A pool is one kernel for every channel on its own, with a stride of its width.
    """
    kernels, how = synapses.weights.astype(np.int32), {"padding": synapses.weights.shape[-1] // 2}
    if synapses.connection is Connection.POOL:
        kernels = np.broadcast_to(kernels, (source[0], 1, *kernels.shape))
        how = {"stride": kernels.shape[-1], "groups": source[0]}
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
