"""The whole network as the front ends read it: populations, projections, rules, schedule.

Everything here is frozen data. A `Network` holds populations, the projections between them, the
local learning rules of the plastic projections, and the comparators and broadcast signals that
gate those rules. No pass edits a network in place; each returns a new one.

Activity is organised in *fixations*: one input is shown for `Schedule.steps` time steps, every
neuron counts its spikes, and the counts of this fixation and of the one before are what the
learning rules see (paper Eq. 6 to 8).

A network that only computes, as snnTorch or Norse run it, is shown one fixation of T steps: all
state begins anew with it and is kept throughout. Time is then each population's own: what a
neuron of one level sends in its step t arrives at the level above in that level's step t, and what
it sends to its own level arrives in step t+1. `Projection.delay` says which is meant.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from compiler.ir.learning import Comparator, LearningRule, Modulator
from compiler.ir.population import Population
from compiler.ir.spike_timing import SpikeTimingRule
from compiler.terms import CENTRED, Compartment, Connection, Geometry, Quantity


@dataclass(frozen=True, eq=False)
class Projection:
    """Synapses from one population onto another; `connection` says what `weights` holds.

    A convolution has a `geometry`; one that learns keeps the map's height and width. `carries` is
    what it brings: spikes or counts, or a quantity that the source has collected itself.

    `delay`, of spikes onto a soma: what the source sends in its step t arrives in step t + delay of
    the target. A projection that climbs c levels may have any delay of at least 1 - c: 0 to a
    higher level (one that climbs several skips a layer), 1 or more within a level (recurrent), 2
    or more to the level below. The first `delay` steps of a fixation hear nothing from it.
    """

    name: str
    source: str
    target: str
    compartment: Compartment
    weights: np.ndarray
    rule: LearningRule | SpikeTimingRule | None = None
    connection: Connection = Connection.ALL_TO_ALL
    carries: Quantity = Quantity.COUNT
    delay: int = 0
    geometry: Geometry = CENTRED

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Projection):
            return NotImplemented
        return (
            {k: v for k, v in self.__dict__.items() if k != "weights"}
            == {k: v for k, v in other.__dict__.items() if k != "weights"}
        ) and np.array_equal(self.weights, other.weights)

    def __str__(self) -> str:
        shape = "x".join(str(n) for n in self.weights.shape)
        plastic = f", {self.rule}" if self.rule else ""
        return (
            f"{self.name}: {self.source} -> {self.target}.{self.compartment.value} {shape}{plastic}"
        )


@dataclass(frozen=True)
class Schedule:
    """How long one fixation is shown, in time steps, and how long nothing is, before the next.

    Rules that learn once a fixation find the rest that they need themselves, unless it is part of
    what their traces mean.
    """

    steps: int
    rest: int = 0


@dataclass(frozen=True)
class Network:
    """The whole source program; `calibration` holds statistics measured on real input."""

    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    schedule: Schedule
    comparators: tuple[Comparator, ...] = ()
    modulators: tuple[Modulator, ...] = ()
    calibration: dict[str, float] = field(default_factory=dict)
    provenance: dict[str, str] = field(default_factory=dict)

    def population(self, name: str) -> Population:
        """The population of that name; KeyError if there is none."""
        return self._populations[name]

    @cached_property
    def _populations(self) -> dict[str, Population]:
        return {p.name: p for p in self.populations}

    @cached_property
    def arriving(self) -> dict[str, tuple[Projection, ...]]:
        """The projections that end on each population; KeyError where one ends on none."""
        found: dict[str, list[Projection]] = {p.name: [] for p in self.populations}
        for p in self.projections:
            found[p.target].append(p)
        return {name: tuple(some) for name, some in found.items()}

    def __str__(self) -> str:
        lines = [f"network, {self.schedule.steps} steps a fixation"]
        for p in self.populations:
            kind = "input" if p.neuron is None else str(p.neuron)
            size = "x".join(str(n) for n in p.shape) if p.shape else str(p.size)
            lines.append(f"  population {p.name}: {size} x {kind}, level {p.level}")
        lines += [f"  projection {p}" for p in self.projections]
        lines += [f"  comparator {c}" for c in self.comparators]
        lines += [f"  modulator {m.name}" for m in self.modulators]
        return "\n".join(lines)
