"""Counts of what happened in each of many networks, by the columns of `compiler.events`."""

from __future__ import annotations

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

    def integrate(
        self, population: ProgramPopulation, count: Tensor, updates: Tensor, steps: int
    ) -> None:
        """A presentation: spikes (R, N), and (active, clipped) updates (2, R)."""
        self.add(population, "ACTIVE_UPDATES", updates[0])
        self.add(population, "MEMBRANE_CLIPPED", updates[1])
        self.add(population, "SPIKES", count.sum(1))
        self.add(population, "SILENT", (count == 0).sum(1))
        self.add(population, "COUNT_MESSAGES", (count != 0).sum(1))
        self.add(population, "SATURATED", (count == steps).sum(1))

    def operations(self, s: Synapses, operations: Tensor) -> None:
        """Adds synaptic operations (R,) of a map, where fan-out depends on the position."""
        self.synapses[:, self.projection[s.name], SynapseCount.OPERATIONS] += operations

    def end(self, population: ProgramPopulation, previous: Tensor) -> None:
        """The end of a fixation."""
        self.add(population, "PREVIOUS_MESSAGES", (previous != 0).sum(1))

    def decide(self, gate: Gate, opened: Tensor, clipped: Tensor) -> None:
        """A decision of a comparator, (R,)."""
        row = self.gates[:, self.gate[gate.name]]
        row[:, GateCount.POSITIVE] += opened > 0
        row[:, GateCount.NEGATIVE] += opened < 0
        row[:, GateCount.SCORE_CLIPPED] += clipped

    def learn(self, s: Synapses, x1: Tensor, y: Tensor, clipped: Tensor) -> None:
        """A learning epoch; networks without any post value have none."""
        there = (y != 0).any(1)
        row = self.synapses[:, self.projection[s.name]]
        row[:, SynapseCount.ROWS_LEARNED] += (x1 != 0).sum(1) * there
        row[:, SynapseCount.TAG_CLIPPED] += clipped
        row[:, SynapseCount.EPOCHS] += there

    def carry(self, s: Synapses, moved: Tensor, clipped: Tensor) -> None:
        """A carry of all synapses."""
        row = self.synapses[:, self.projection[s.name]]
        row[:, SynapseCount.CARRIED] += moved
        row[:, SynapseCount.WEIGHT_CLIPPED] += clipped
        row[:, SynapseCount.CARRY_VISITS] += s.weights.size

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
