"""Counts of what happened in each of many networks, by the columns of `compiler.events`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from compiler.events import Events, count_events
from compiler.events.columns import GateCount, PopulationCount, SynapseCount
from compiler.program import Gate, Program, ProgramPopulation, Synapses


@dataclass(frozen=True)
class Counted:
    """Counters of one run, as `count_events` takes them."""

    populations: np.ndarray
    synapses: np.ndarray
    gates: np.ndarray

    def __add__(self, other: Counted) -> Counted:
        return Counted(
            self.populations + other.populations,
            self.synapses + other.synapses,
            self.gates + other.gates,
        )

    def events(self, program: Program, fixations: int, *, learn: bool) -> Events:
        """With names."""
        arrays = (self.populations, self.synapses, self.gates)
        return count_events(program, fixations, *arrays, learn=learn)


class Counters:
    """int64 tensors (R, things, columns), added to as a run goes on."""

    def __init__(self, program: Program, rows: int, device: torch.device) -> None:
        def zeros(things: int, columns: type) -> Tensor:
            return torch.zeros(rows, things, len(columns), dtype=torch.int64, device=device)  # type: ignore[arg-type]

        self.populations = zeros(len(program.populations), PopulationCount)
        self.synapses = zeros(len(program.synapses), SynapseCount)
        self.gates = zeros(max(len(program.gates), 1), GateCount)
        # apart, since a population and what ends on it may have the same name
        self.population = {p.name: i for i, p in enumerate(program.populations)}
        self.projection = {s.name: i for i, s in enumerate(program.synapses)}
        self.gate = {g.name: i for i, g in enumerate(program.gates)}

    def add(self, population: ProgramPopulation, column: str, counts: Tensor) -> None:
        """Adds counts (R,) of a population."""
        self.populations[:, self.population[population.name], PopulationCount[column]] += counts

    def present(self, population: ProgramPopulation, intensity: Tensor) -> None:
        """An input sends what is not zero."""
        self.add(population, "COUNT_MESSAGES", (intensity != 0).sum(1))

    def update(self, population: ProgramPopulation, active: Tensor, clipped: Tensor) -> None:
        """Updates of membranes, (R,): active ones and clipped potentials."""
        self.add(population, "ACTIVE_UPDATES", active)
        self.add(population, "MEMBRANE_CLIPPED", clipped)

    def conclude(self, population: ProgramPopulation, count: Tensor, steps: int) -> None:
        """The end of a presentation: spikes (R, N)."""
        self.add(population, "SPIKES", count.sum(1))
        self.add(population, "SILENT", (count == 0).sum(1))
        self.add(population, "COUNT_MESSAGES", (count != 0).sum(1))
        self.add(population, "SATURATED", (count == steps).sum(1))

    def operations(self, s: Synapses, operations: Tensor) -> None:
        """Adds synaptic operations (R,) of a map, where fan-out depends on the position."""
        self._add_to(s, {"OPERATIONS": operations})

    def end(self, population: ProgramPopulation, previous: Tensor) -> None:
        """The end of a fixation."""
        self.add(population, "PREVIOUS_MESSAGES", (previous != 0).sum(1))

    def decide(self, gate: Gate, opened: Tensor, clipped: Tensor) -> None:
        """A decision of a comparator, (R,)."""
        row = self.gates[:, self.gate[gate.name]]
        row[:, GateCount.POSITIVE] += opened > 0
        row[:, GateCount.NEGATIVE] += opened < 0
        row[:, GateCount.SCORE_CLIPPED] += clipped

    def learn(self, s: Synapses, rows: Tensor, there: Tensor, more: dict[str, Tensor]) -> None:
        """A learning epoch, (R,): rows that learn, whether there is any post value, other counts.

        Networks without any post value have no epoch.
        """
        self._add_to(s, {"ROWS_LEARNED": rows, "EPOCHS": there, **more})

    def learn_at_step(self, s: Synapses, visits: Tensor, more: dict[str, Tensor]) -> None:
        """An epoch of a general rule, (R,): synapses visited, and other counts."""
        self._add_to(s, {"VISITED": visits, "EPOCHS": visits > 0, **more})

    def carry(self, s: Synapses, real: int, moved: Tensor, clipped: Tensor) -> None:
        """A carry of all synapses, `real` of them."""
        self._add_to(s, {"CARRIED": moved, "WEIGHT_CLIPPED": clipped, "CARRY_VISITS": real})

    def average_copies(self, s: Synapses, real: int, weights: Tensor, tags: Tensor) -> None:
        """An average of copies, `real` synapses: weights and tags that were clipped, (R,)."""
        self._add_to(s, {"AVERAGED": real, "WEIGHT_CLIPPED": weights, "TAG_CLIPPED": tags})

    def _of(self, s: Synapses) -> Tensor:
        return self.synapses[:, self.projection[s.name]]

    def _add_to(self, s: Synapses, counts: Mapping[str, Tensor | int]) -> None:
        """Adds counts (R,) of a projection by their columns."""
        for column, number in counts.items():
            self._of(s)[:, SynapseCount[column]] += number

    def of(self, row: int) -> Counted:
        """The counters of one network."""
        return Counted(
            *(t[row].cpu().numpy() for t in (self.populations, self.synapses, self.gates))
        )

    def totals(self) -> Counted:
        """The counters of all rows together."""
        return Counted(*(counts.sum(0).cpu().numpy() for counts in self._all()))

    def _all(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.populations, self.synapses, self.gates
