"""A published network as a program, with the spike rates that it ran at.

What is published is taken as it is; what is not is an assumption with a band, in words. A weight's
value does not matter to a count: each one that is not zero is 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from compiler.events import Events
from compiler.program import Program, ProgramPopulation, Soma, Synapses, Timetable
from compiler.terms import Compartment, Reset

End = Literal["low", "value", "high"]
ENDS: tuple[End, ...] = ("low", "value", "high")
ACTIVE = (
    "The coefficients' sources do not say when an update is active: where the neuron has a "
    "potential; for the lower bound, where a spike arrives."
)


@dataclass(frozen=True)
class Rate:
    """Spikes a neuron and time step, with the range that it may lie in and where both come from."""

    value: float
    low: float
    high: float
    source: str

    def at(self, end: End) -> float:
        """The rate at one end of its range, or between them."""
        return {"low": self.low, "value": self.value, "high": self.high}[end]


@dataclass(frozen=True)
class Workload:
    """A network of one publication; `count` gives its events for one end of the rates' ranges.

    A run is one of what the publication measures: an inference, a step, a sample.
    """

    name: str
    machine: str
    program: Program
    rates: Mapping[str, Rate]
    count: Callable[[Program, Mapping[str, Rate], End], Events] = field(repr=False)
    assumptions: tuple[str, ...] = ()

    def events(self, end: End) -> Events:
        """What happens in a run."""
        return self.count(self.program, self.rates, end)


def drawn(
    program: Program, rates: Mapping[str, Rate], end: End, seed: int
) -> dict[str, np.ndarray]:
    """Spike trains bool (steps, N): each neuron spikes at each step with its population's rate.

    Trains of a lower rate are part of those of a higher one: the same numbers are drawn.
    """
    steps = program.timetable.steps
    trains = {}
    for index, p in enumerate(program.populations):
        if p.name in rates:
            chance = np.random.default_rng([seed, index]).random((steps, p.size), np.float32)
            trains[p.name] = chance < rates[p.name].at(end)
    return trains


def population(name: str, size: int, *, level: int = 1, host: bool = False) -> ProgramPopulation:
    """Leaky integrate-and-fire neurons, or with `host` inputs that spike."""
    soma = None if host else Soma(3686, 64, Reset.SUBTRACT, input_shift=0, latched=False)
    return ProgramPopulation(name, size, 0 if host else level, soma, spikes=host)


def projection(index: int, source: str, target: str, weights: np.ndarray, steps: int) -> Synapses:
    """Synapses onto somata; weights int8 (N_target, N_source)."""
    return Synapses(
        name=f"{source} to {target}",
        index=index,
        source=source,
        target=target,
        compartment=Compartment.SOMA,
        weights=weights,
        tags=None,
        unit=1.0,
        listens=tuple(range(steps)),
        delivery_shift=0,
    )


def dense(targets: int, sources: int) -> np.ndarray:
    """Weights of synapses from all to all."""
    return np.ones((targets, sources), np.int8)


def sparse(targets: int, sources: int, nonzero: int, seed: int) -> np.ndarray:
    """As many synapses as were published, at random places."""
    weights = np.zeros(targets * sources, np.int8)
    weights[np.random.default_rng(seed).choice(weights.size, nonzero, replace=False)] = 1
    return weights.reshape(targets, sources)


def program(
    populations: Sequence[ProgramPopulation],
    synapses: Sequence[Synapses],
    steps: int,
    *,
    machine: str,
    period: int | None = None,
) -> Program:
    """The program of one presentation of so many time steps."""
    return Program(
        target=f"{machine}-sim",
        seed=0,
        timetable=Timetable(steps, steps if period is None else period, 0, 0),
        populations=tuple(populations),
        synapses=tuple(synapses),
        gates=(),
        modulators=(),
        weight_max=127,
        tag_max=255,
    )
