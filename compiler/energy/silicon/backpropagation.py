"""Backpropagation in spikes on Loihi 1: a sample classified, and a sample learned.

Renner, Sheldon, Zlotnik, Tao, Sornborger 2024, Nature Communications 15:9691 (nBP), and the
topology in github.com/lanl/spikingBackprop. Three layers, 400-400-10, on MNIST. A chain of gating
neurons, one a time step, lets one population after the other spike; copies and memories of layers
bring the error back; plastic synapses learn in the steps in which their source spikes.
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
    population,
    program,
    projection,
)
from compiler.events import Events
from compiler.events.spike_trains import count_spike_trains
from compiler.program import Product, Program, SumOfProducts, Synapses

INPUTS, HIDDEN, OUTPUTS = 400, 400, 10
INFERENCE, LEARNING = 4, 12  # time steps a sample, one a gating neuron
RULE = SumOfProducts(dw=(Product(-6, ("x0", "y0")),), dt=())
_ASSUMED = "not in our sources: assumed share of the neurons that spike"
RATES = {
    "input": Rate(0.25, 0.15, 0.4, "binary pixels of the middle 20 x 20 of an image: assumed"),
    "hidden": Rate(0.3, 0.1, 0.6, _ASSUMED),
    "output": Rate(0.1, 0.1, 0.3, "one class of ten"),
    "hidden error": Rate(0.1, 0.02, 0.3, _ASSUMED),
    "output error": Rate(0.1, 0.02, 0.2, _ASSUMED),
}

Firing = tuple[tuple[int, str], ...]
"""Time steps, counted from 1, in which a population spikes, and what it then says."""
SAYS_HIDDEN: Firing = ((2, "hidden"), (5, "hidden"), (8, "hidden error"), (9, "hidden"))
SAYS_OUTPUT: Firing = ((3, "output"), (5, "output error"), (9, "output error"))
LEARNED: dict[str, Firing] = {
    "x": ((1, "input"), (7, "input"), (11, "input")),
    "x memory": ((6, "input"),),
    "h": (*SAYS_HIDDEN, (12, "hidden error")),
    "h copy 1": ((2, "hidden"), (8, "hidden error"), (12, "hidden error")),
    "h copy 2": ((2, "hidden"), (8, "hidden error"), (12, "hidden error")),
    "h memory": ((3, "hidden"),),
    "h gate": ((6, "hidden"),),
    "h transposed": ((5, "hidden"), (6, "hidden error"), (9, "hidden"), (10, "hidden error")),
    "o": SAYS_OUTPUT,
    "o copy 1": SAYS_OUTPUT,
    "o copy 2": SAYS_OUTPUT,
    "o transposed": ((5, "output error"), (9, "output error")),
    "t": ((3, "output"),),
    "d-": ((4, "output error"),),
    "d+": ((4, "output error"),),
}
CLASSIFIED: dict[str, Firing] = {
    "x": ((1, "input"),),
    "h": ((2, "hidden"),),
    "o": ((3, "output"),),
}
HIDDEN_TRIO, OUTPUT_TRIO = ("h", "h copy 1", "h copy 2"), ("o", "o copy 1", "o copy 2")
PLASTIC = (
    *(("x", target) for target in HIDDEN_TRIO),
    *(("h", target) for target in OUTPUT_TRIO),
    ("o", "h transposed"),
    ("o transposed", "h transposed"),
)
ONE_TO_ONE = (
    *(("x", "x memory"), ("x memory", "x"), ("h", "h memory"), ("h memory", "h")),
    *(("h memory", "h transposed"), ("h copy 1", "h gate"), ("h copy 2", "h gate")),
    *((source, target) for source in ("h transposed", "h gate") for target in HIDDEN_TRIO),
    *((source, target) for source in ("o copy 1", "o copy 2", "o", "t") for target in ("d-", "d+")),
    *((source, target) for source in ("d-", "d+") for target in (*OUTPUT_TRIO, "o transposed")),
)
ASSUMPTIONS = (
    "Which neurons spike is not in our sources; when they may is what the gates say.",
    "Where two projections connect the same populations, with other delays, they count as one; a "
    "gate reaches the populations that spike in its step.",
    "Every neuron has a bias, and counts as active.",
)


def inference() -> Workload:
    """One sample, classified."""
    return _workload("nbp-inference", CLASSIFIED, (("x", "h"), ("h", "o")), (), INFERENCE)


def learning() -> Workload:
    """One sample, learned from."""
    return _workload("nbp-learning", LEARNED, PLASTIC, ONE_TO_ONE, LEARNING)


def _workload(
    name: str,
    firing: dict[str, Firing],
    dense_ends: tuple[tuple[str, str], ...],
    single_ends: tuple[tuple[str, str], ...],
    steps: int,
) -> Workload:
    sizes = {p: {"x": INPUTS, "h": HIDDEN}.get(p[0], OUTPUTS) for p in firing}
    gates = [f"gate {step}" for step in range(1, steps + 1)]
    populations = [
        population("pixels", INPUTS, host=True),
        population("label", OUTPUTS, host=True),
        *(population(p, size, level=2) for p, size in sizes.items()),
        *(population(gate, 1) for gate in gates),
    ]
    learns = name == "nbp-learning"
    ends = [(a, b, dense(sizes[b], sizes[a]), learns) for a, b in dense_ends]
    ends += [(a, b, np.eye(sizes[a], dtype=np.int8), False) for a, b in single_ends]
    ends.append(("pixels", "x", np.eye(INPUTS, dtype=np.int8), False))
    if "t" in firing:
        ends.append(("label", "t", np.eye(OUTPUTS, dtype=np.int8), False))
    for p, times in firing.items():
        ends += [(f"gate {step}", p, dense(sizes[p], 1), False) for step, _ in times]
    ends += [(a, b, dense(1, 1), False) for a, b in zip(gates, gates[1:] + gates[:1], strict=True)]
    synapses: list[Synapses] = []
    for index, (source, target, weights, plastic) in enumerate(ends):
        s = projection(index, source, target, weights, steps)
        slots = tuple(step - 1 for step, _ in firing.get(source, ()))
        synapses.append(replace(s, rule=RULE, slots=slots) if plastic else s)
    said = {kind for times in firing.values() for _, kind in times}
    return Workload(
        name=name,
        machine="loihi1",
        program=program(populations, synapses, steps, machine="loihi1", period=steps + learns),
        rates={kind: rate for kind, rate in RATES.items() if kind in said},
        count=_count_learning if learns else _count_inference,
        assumptions=ASSUMPTIONS,
    )


def _trains(
    network: Program, firing: dict[str, Firing], rates: Mapping[str, Rate], end: End
) -> dict[str, np.ndarray]:
    """(steps, N) bool a population: it says the same whenever it spikes for the same reason."""
    steps = network.timetable.steps
    trains = {}
    for p in network.populations:
        trains[p.name] = np.zeros((steps, p.size), bool)
        gating = p.name.startswith("gate ")
        times: Firing = {"pixels": ((1, "input"),), "label": ((1, "output"),)}.get(
            p.name, firing.get(p.name, ())
        )
        if gating:
            trains[p.name][int(p.name.split()[1]) - 1] = True
        for step, kind in times:
            chance = np.random.default_rng([400, *kind.encode()]).random(p.size)
            trains[p.name][step - 1] = chance < rates[kind].at(end)
    return trains


def _active(network: Program) -> dict[str, np.ndarray]:
    steps = network.timetable.steps
    return {p.name: np.ones((steps, p.size), bool) for p in network.populations}


def _count_inference(network: Program, rates: Mapping[str, Rate], end: End) -> Events:
    trains = _trains(network, CLASSIFIED, rates, end)
    return count_spike_trains(network, trains, active=_active(network))


def _count_learning(network: Program, rates: Mapping[str, Rate], end: End) -> Events:
    """A synapse changes where its target spikes for an error."""
    trains = _trains(network, LEARNED, rates, end)
    post = {}
    for s in network.synapses:
        if s.rule is not None:
            wrong = [step - 1 for step, kind in LEARNED[s.target] if kind.endswith("error")]
            post[s.name] = trains[s.target][wrong].max(axis=0)
    return count_spike_trains(network, trains, active=_active(network), post=post)
