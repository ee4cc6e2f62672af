"""A small network of everything that may recur, for tests that need one."""

from __future__ import annotations

import numpy as np

from compiler.ir import (
    Compartment,
    Connection,
    Geometry,
    Network,
    Neuron,
    Population,
    Projection,
    Reset,
    Schedule,
)

STEPS = 12


def recurrent_with_readout() -> Network:
    """Graded values, a recurrent map, an all-to-all layer that feeds back, a readout."""
    random = np.random.default_rng(0)
    soma = Compartment.SOMA
    decays = tuple(random.uniform(0.3, 1, 2))
    kernels = Neuron(decays, (0.3, 0.6), Reset.SUBTRACT_ONCE, current_decay=0.5, start=0.1)
    own = tuple(random.uniform(0.5, 1, 5))
    return Network(
        (
            Population("input", 9, 0, scale=1 / 15, sequence=15, shape=(1, 3, 3)),
            Population("map", 18, 1, kernels, shape=(2, 3, 3), bias=(0.05, -0.05)),
            Population("dense", 5, 2, Neuron(own, 0.5, Reset.CLEAR)),
            Population("readout", 2, 3, Neuron(0.9, None, current_decay=0.8)),
        ),
        (
            Projection(
                "map.in", "input", "map", soma, random.normal(0, 1, (2, 1, 3, 3)),
                connection=Connection.CONVOLUTION,
            ),
            Projection(
                "map.again", "map", "map", soma, random.normal(0, 0.3, (2, 1, 3, 3)),
                connection=Connection.CONVOLUTION, delay=2,
                geometry=Geometry(padding=(2, 2), dilation=(2, 2), groups=2),
            ),
            Projection("dense.in", "map", "dense", soma, random.normal(0, 1, (5, 18))),
            Projection(
                "dense.itself", "dense", "dense", soma, random.normal(0, 0.5, 5),
                connection=Connection.ONE_TO_ONE, delay=1,
            ),
            Projection("back", "dense", "map", soma, random.normal(0, 0.3, (18, 5)), delay=3),
            Projection("skip", "map", "readout", soma, random.normal(0, 1, (2, 18)), delay=1),
            Projection("readout.in", "dense", "readout", soma, random.normal(0, 1, (2, 5))),
        ),
        Schedule(STEPS),
    )  # fmt: skip
