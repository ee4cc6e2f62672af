"""Backpropagation in spikes on Loihi 1, as far as our sources describe it.

Renner, Sheldon, Zlotnik, Tao, Sornborger 2024, Nature Communications 15:9691 (nBP). Three layers,
400-400-10, on MNIST. How many populations carry the error backward and gate the layers is not in
our sources, so the program has the least that the rule needs: the three layers, an error in each of
the two that learn, and the transposed weights on which the output's error travels back.
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
from compiler.program import Product, Program, ProgramPopulation, SumOfProducts, Synapses

INPUTS, HIDDEN, OUTPUTS = 400, 400, 10
FORWARD = 3  # time steps: each layer spikes once
SPIKING, LEARNING = 11, 12  # time steps of a sample; the last is the learning epoch
RULE = SumOfProducts(dw=(Product(-7, ("x1", "y1")),), dt=())
_ASSUMED = "not in our sources: assumed"
RATES = {
    "input": Rate(0.25, 0.15, 0.4, "binary pixels of the middle 20 x 20 of an image: assumed"),
    "hidden": Rate(0.3, 0.1, 0.6, f"{_ASSUMED}, a share of the neurons once a sample"),
    "output": Rate(0.1, 0.1, 0.3, f"{_ASSUMED}, one class of ten"),
    "hidden error": Rate(0.1, 0.02, 0.3, f"{_ASSUMED}, a share of the neurons once a sample"),
    "output error": Rate(0.1, 0.02, 0.2, f"{_ASSUMED}, a share of the neurons once a sample"),
}
ASSUMPTIONS = (
    f"{FORWARD} time steps an inference, one a layer, {LEARNING} a sample of learning: assumed.",
    "Populations that gate the layers and copies of layers that keep a value are not in our "
    "sources, and left out: the estimate of learning is a lower one.",
    "Every neuron is updated at every step with a potential of its own, as active.",
)


def inference() -> Workload:
    """One sample, classified."""
    populations = _layers()
    synapses = _forward(FORWARD)
    return Workload(
        name="nbp-inference",
        machine="loihi1",
        program=program(populations, synapses, FORWARD, machine="loihi1"),
        rates={name: RATES[name] for name in ("input", "hidden", "output")},
        count=_count_forward,
        assumptions=ASSUMPTIONS,
    )


def learning() -> Workload:
    """One sample, learned from: both matrices, and the transposed copy of the second."""
    populations = [
        *_layers(),
        population("output error", OUTPUTS, level=3),
        population("hidden error", HIDDEN, level=4),
    ]
    back = projection(2, "output error", "hidden error", dense(HIDDEN, OUTPUTS), SPIKING)
    synapses = [_plastic(s) for s in (*_forward(SPIKING), back)]
    return Workload(
        name="nbp-learning",
        machine="loihi1",
        program=program(populations, synapses, SPIKING, machine="loihi1", period=LEARNING),
        rates=RATES,
        count=_count_learning,
        assumptions=ASSUMPTIONS,
    )


def _layers() -> list[ProgramPopulation]:
    return [
        population("input", INPUTS, host=True),
        population("hidden", HIDDEN),
        population("output", OUTPUTS, level=2),
    ]


def _forward(steps: int) -> list[Synapses]:
    return [
        projection(0, "input", "hidden", dense(HIDDEN, INPUTS), steps),
        projection(1, "hidden", "output", dense(OUTPUTS, HIDDEN), steps),
    ]


def _plastic(s: Synapses) -> Synapses:
    return replace(s, rule=RULE, slots=(SPIKING,))


def _once(
    network: Program, rates: Mapping[str, Rate], end: End, order: tuple[str, ...]
) -> dict[str, np.ndarray]:
    """Populations spike one after the other, each in one step; (steps, N) bool."""
    trains = drawn(network, rates, end, seed=400)
    for step, name in enumerate(order):
        only = np.zeros_like(trains[name])
        only[step] = trains[name][step]
        trains[name] = only
    return trains


def _all_active(network: Program) -> dict[str, np.ndarray]:
    steps = network.timetable.steps
    return {p.name: np.ones((steps, p.size), bool) for p in network.populations}


def _count_forward(network: Program, rates: Mapping[str, Rate], end: End) -> Events:
    trains = _once(network, rates, end, ("input", "hidden", "output"))
    return count_spike_trains(network, trains, active=_all_active(network))


def _count_learning(network: Program, rates: Mapping[str, Rate], end: End) -> Events:
    order = ("input", "hidden", "output", "output error", "hidden error")
    trains = _once(network, rates, end, order)
    written = {
        "input to hidden": "hidden error",
        "hidden to output": "output error",
        "output error to hidden error": "hidden",
    }
    post = {synapses: trains[name].max(axis=0) for synapses, name in written.items()}
    return count_spike_trains(network, trains, active=_all_active(network), post=post)
