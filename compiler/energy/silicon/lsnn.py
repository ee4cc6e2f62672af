"""Sequential MNIST on one core of Loihi 1: a recurrent network of LIF and adaptive neurons.

Rao, Plank, Wild, Maass 2022, Nature Machine Intelligence 4:467. 80 inputs, 140 LIF neurons, 100
adaptive ones of two compartments each, 10 outputs; 4,263 + 10,566 + 846 nonzero weights; 840 time
steps an image.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from compiler.energy.silicon.workload import (
    ACTIVE,
    End,
    Rate,
    Workload,
    drawn,
    population,
    program,
    projection,
    sparse,
)
from compiler.events import Events
from compiler.events.spike_trains import count_spike_trains
from compiler.program import Program

STEPS = 840
INPUTS, LIF, ADAPTIVE, OUTPUTS = 80, 140, 100, 10
RECURRENT = LIF + ADAPTIVE
NONZERO = {"input": 4263, "recurrent": 10566, "output": 846}
RATES = {
    "input": Rate(
        0.024,
        0.012,
        0.036,
        "not in our sources: scripts/digit_spikes.py codes scikit-learn's digits by crossings of "
        "grey levels, one input a level and direction; half of it either way assumed",
    ),
    "recurrent": Rate(
        0.02,
        0.01,
        0.05,
        "not in our sources: 20 Hz at steps of 1 ms assumed, between the 10 Hz that such networks "
        "are usually regularised to and 50 Hz",
    ),
}


def lsnn() -> Workload:
    """One image."""
    populations = (
        population("input", INPUTS, host=True),
        population("recurrent", RECURRENT),
        population("after-hyperpolarisation", ADAPTIVE),
        population("output", OUTPUTS, level=2),
    )
    synapses = (
        projection(
            0, "input", "recurrent", sparse(RECURRENT, INPUTS, NONZERO["input"], seed=1), STEPS
        ),
        projection(
            1,
            "recurrent",
            "recurrent",
            sparse(RECURRENT, RECURRENT, NONZERO["recurrent"], seed=2),
            STEPS,
        ),
        projection(
            2, "recurrent", "output", sparse(OUTPUTS, RECURRENT, NONZERO["output"], seed=3), STEPS
        ),
    )
    return Workload(
        name="smnist-lsnn",
        machine="loihi1",
        program=program(populations, synapses, STEPS, machine="loihi1"),
        rates=RATES,
        count=_count,
        assumptions=(
            "Where the nonzero weights lie is not published: at random places.",
            "An adaptive neuron's second compartment is updated at every step, and hears its own "
            "neuron without a synapse; outputs do not spike, their potentials are read.",
            ACTIVE,
        ),
    )


def _count(network: Program, rates: Mapping[str, Rate], end: End) -> Events:
    trains = drawn(network, rates, end, seed=840)
    adaptive, holding = trains["recurrent"][:, LIF:], end != "low"
    after = np.logical_or.accumulate(adaptive, axis=0) if holding else adaptive
    active = {"after-hyperpolarisation": after}
    return count_spike_trains(network, trains, active=active, holding=holding)
