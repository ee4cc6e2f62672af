"""Sequential MNIST on one core of Loihi 1: a recurrent network of LIF and adaptive neurons.

Rao, Plank, Wild, Maass 2022, Nature Machine Intelligence 4:467. 80 inputs, 140 LIF neurons, 100
adaptive ones of two compartments each, 10 outputs; 4,263 + 10,566 + 846 nonzero weights; 840 time
steps an image. Its authors' notebooks (github.com/intel-nrc-ecosystem/models, smnist_tutorial) show
when it spikes: not before the first row with ink, and again during the last 56 steps, in which one
input, the cue, spikes at every step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

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
AUXILIARY = "after-hyperpolarisation"  # the second compartments of the adaptive neurons
NONZERO = {"input": 4263, "recurrent": 10566, "output": 846}
INK, CUE = slice(122, 669), slice(784, 840)  # steps, of the image whose activity is shown
RATES = {
    "input": Rate(
        0.036,
        0.029,
        0.046,
        "in the 547 steps with ink; as MNIST is not at hand, of scikit-learn's digits, coded alike "
        "(scripts/digit_spikes.py: 1,570 spikes an image, 90 % of images 1,272 to 2,026)",
    ),
    "recurrent": Rate(
        0.061,
        0.033,
        0.11,
        "in these and the 56 steps of the cue; read off the published raster of one image: 4,839 "
        "spikes if each mark is one, 15,956 if each column of a mark is full; geometric mean",
    ),
}


def lsnn() -> Workload:
    """One image."""
    populations = (
        population("input", INPUTS, host=True),
        population("recurrent", RECURRENT),
        population(AUXILIARY, ADAPTIVE),
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
            "What a second compartment costs is not in the coefficients' sources: an update of its "
            "own at every step; for the lower bound nothing, as dendrites in SANA-FE's Loihi. It "
            "hears its own neuron without a synapse.",
            "Outputs do not spike, their potentials are read.",
            ACTIVE,
        ),
    )


def _count(network: Program, rates: Mapping[str, Rate], end: End) -> Events:
    trains = drawn(network, rates, end, seed=840)
    for name, windows in (("input", (INK,)), ("recurrent", (INK, CUE))):
        shown = np.zeros((STEPS, 1), bool)
        for window in windows:
            shown[window] = True
        trains[name] &= shown
    trains["input"][CUE, -1] = True
    adaptive, holding = trains["recurrent"][:, LIF:], end != "low"
    after = np.logical_or.accumulate(adaptive, axis=0) if holding else adaptive
    active = {AUXILIARY: after}
    events = count_spike_trains(network, trains, active=active, holding=holding)
    if end == "low":
        main = tuple(p for p in events.populations if p.name != AUXILIARY)
        events = replace(events, populations=main)
    return events
