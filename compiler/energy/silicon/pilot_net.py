"""PilotNet on Loihi 2: a convolutional network of LIF neurons that steers a car.

Shrestha, Timcheck, Frady, Campos-Macias, Davies 2024, arXiv 2310.03251; notebooks in
github.com/lava-nc/lava-dl, pilotnet_snn. 158,509 neurons on 74 cores, the 200 x 66 x 3 pixels of
the input among them; one frame shown again and again, 152.8 us a step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from compiler.energy.silicon.workload import (
    End,
    Rate,
    Workload,
    dense,
    drawn,
    population,
    program,
    projection,
)
from compiler.events import Events
from compiler.events.spike_trains import count_spike_trains
from compiler.program import Program
from compiler.terms import Connection, Geometry, Map

INPUT: Map = (3, 200, 66)
KERNEL = 3
LAYERS = (
    ((24, 99, 32), Geometry((2, 2), (0, 0))),
    ((36, 49, 15), Geometry((2, 2), (0, 0))),
    ((48, 24, 7), Geometry((2, 2), (0, 0))),
    ((64, 22, 4), Geometry((1, 2), (0, 1))),
    ((64, 20, 2), Geometry((1, 1), (0, 0))),
)
"""Maps, and the kernels that lead to them."""
DENSE = (100, 50, 10, 1)
NEURONS, CORES = 158_509, 74
_READ = (
    "read off the published synaptic operations of every core in 10,000 steps of one frame "
    "(github.com/lava-nc/lava-dl, pilotnet_snn/benchmark); low: half of it and less, as neuron "
    "updates are counted 2.0 to 2.4 times there; value: the geometric mean"
)
_ASSUMED = "too few to be read off: assumed"
RATES = {
    "pixels": Rate(0.0, 0.0, 0.005, "no synaptic operations of the first layer are shown there"),
    "convolution1": Rate(0.19, 0.12, 0.28, _READ),
    "convolution2": Rate(0.11, 0.072, 0.17, _READ),
    "convolution3": Rate(0.04, 0.026, 0.062, _READ),
    "convolution4": Rate(0.029, 0.019, 0.045, _READ),
    "convolution5": Rate(0.029, 0.01, 0.1, _ASSUMED),
    "dense6": Rate(0.1, 0.01, 0.3, _ASSUMED),
    "dense7": Rate(0.1, 0.01, 0.3, _ASSUMED),
    "dense8": Rate(0.1, 0.01, 0.3, _ASSUMED),
}


def pilot_net() -> Workload:
    """One step of a network that has run for a while."""
    populations = [replace(population("pixels", int(np.prod(INPUT))), shape=INPUT)]
    synapses = []
    for layer, (shape, geometry) in enumerate(LAYERS, 1):
        below = populations[-1]
        name = f"convolution{layer}"
        populations.append(
            replace(population(name, int(np.prod(shape)), level=layer + 1), shape=shape)
        )
        weights = np.ones((shape[0], below.map[0], KERNEL, KERNEL), np.int8)
        synapses.append(
            replace(
                projection(layer, below.name, name, weights, 1),
                connection=Connection.CONVOLUTION,
                geometry=geometry,
            )
        )
    for layer, size in enumerate(DENSE, len(LAYERS) + 1):
        below = populations[-1]
        populations.append(population(f"dense{layer}", size, level=layer + 1))
        synapses.append(projection(layer, below.name, f"dense{layer}", dense(size, below.size), 1))
    return Workload(
        name="pilotnet",
        machine="loihi2",
        program=program(populations, synapses, 1, machine="loihi2"),
        rates=RATES,
        count=_count,
        assumptions=(
            "The maps are the published ones (github.com/lava-nc/lava-dl, pilotnet_snn); strides "
            "and padding are those that lead from one to the next.",
            "Pixels come from the host as currents of their neurons; the last neuron's potential "
            "is read. Every neuron has a potential from the frames before, and counts as active.",
            f"Measured on {CORES} cores; ours are placed by the limits of hw_configs/loihi2.json.",
        ),
    )


def _count(network: Program, rates: Mapping[str, Rate], end: End) -> Events:
    everyone = {p.name: np.ones((1, p.size), bool) for p in network.populations}
    return count_spike_trains(network, drawn(network, rates, end, seed=158), active=everyone)
