"""Keyword spotting on Loihi 1: a dense network, and the same with more and more copies beside it.

Blouw, Choo, Hunsberger, Eliasmith 2019, arXiv 1812.01739. 390-256-256-29, ten time steps an
inference. Each copy adds 2,560 neurons and 720,896 synapses, and management costs the same with or
without it: the slope of the measured energy over the number of copies is the cores' own.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from compiler.energy.silicon.workload import (
    ACTIVE,
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

STEPS = 10
INPUTS, HIDDEN, OUTPUTS = 390, 256, 29
LAYERS = 10  # of a copy
COPIES = 4
_SOURCE = (
    "not in our sources. Default neurons of nengo-loihi, with which the network was built: largest "
    "rates 100 to 120 Hz, intercepts uniform in -1..0.5, inputs uniform in -1..1, steps of 1 ms: "
    "34 Hz on average; low a third of it, high every neuron at 110 Hz"
)
RATE = Rate(0.034, 0.011, 0.11, _SOURCE)


def keyword_spotting(copies: int = 0) -> Workload:
    """One inference, with so many copies beside the network."""
    populations = [
        population("input", INPUTS, host=True),
        population("hidden1", HIDDEN),
        population("hidden2", HIDDEN, level=2),
        population("output", OUTPUTS, level=3),
    ]
    ends = [("input", "hidden1"), ("hidden1", "hidden2"), ("hidden2", "output")]
    for copy in range(1, copies + 1):
        layers = [f"copy{copy}.{layer}" for layer in range(1, LAYERS + 1)]
        populations += [population(name, HIDDEN, level=2 + i) for i, name in enumerate(layers)]
        chain = ["hidden1", *layers, "hidden2"]
        ends += pairwise(chain)
    size = {p.name: p.size for p in populations}
    synapses = [
        projection(i, source, target, dense(size[target], size[source]), STEPS)
        for i, (source, target) in enumerate(ends)
    ]
    return Workload(
        name="kws",
        machine="loihi1",
        program=program(populations, synapses, STEPS, machine="loihi1"),
        rates={p.name: RATE for p in populations if p.name != "output"},
        count=_count,
        assumptions=(
            "A copy is a chain of ten layers from the first hidden layer to the second, as in the "
            "authors' code (github.com/abr/power_benchmarks), with random weights.",
            "Inputs spike at the rate of the other neurons.",
            ACTIVE,
        ),
    )


def _count(network: Program, rates: Mapping[str, Rate], end: End) -> Events:
    trains = drawn(network, rates, end, seed=10)
    return count_spike_trains(network, trains, holding=end != "low")
