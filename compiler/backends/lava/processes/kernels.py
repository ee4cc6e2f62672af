"""Lava's own convolution, with room for as many groups as a pool has channels."""

from __future__ import annotations

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.conv.models import PyConvModelFixed
from lava.proc.conv.process import Conv


@implements(proc=Conv, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class SharedKernelsModel(PyConvModelFixed):
    """Lava counts groups in 8 bits with sign; a layer has more channels than that."""

    groups: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=32)
