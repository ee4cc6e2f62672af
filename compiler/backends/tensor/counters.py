"""Counts of what happened in each of many networks, by the columns of `compiler.events`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from compiler.events import Events, count_events
from compiler.events.columns import GateCount, PopulationCount, SynapseCount
from compiler.events.steps import StepRecord, StepRecorder
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

    def events(
        self, program: Program, fixations: int, record: StepRecord, *, learn: bool
    ) -> Events:
        """With names."""
        arrays = (self.populations, self.synapses, self.gates)
        return count_events(program, fixations, *arrays, learn=learn, record=record)


class Counters:
    """int64 tensors (R, things, columns), added to as a run goes on."""

    def __init__(self, program: Program, rows: int, device: torch.device) -> None:
        def zeros(things: int, columns: type) -> Tensor:
            return torch.zeros(rows, things, len(columns), dtype=torch.int64, device=device)  # type: ignore[arg-type]

        self.populations = zeros(len(program.populations), PopulationCount)
        self.synapses = zeros(len(program.synapses), SynapseCount)
        self.gates = zeros(max(len(program.gates), 1), GateCount)
        # of the fixation that is shown, (R, P, T): as `compiler.events.steps` has them
        counts = (2, rows, len(program.populations), program.timetable.steps)
        self.sent, self.active = torch.zeros(counts, dtype=torch.int32, device=device)
        # apart, since a population and what ends on it may have the same name
        self.population = {p.name: i for i, p in enumerate(program.populations)}
        self.projection = {s.name: i for i, s in enumerate(program.synapses)}
        self.gate = {g.name: i for i, g in enumerate(program.gates)}

    def add(self, population: ProgramPopulation, column: str, counts: Tensor) -> None:
        """Adds counts (R,) of a population."""
        self.populations[:, self.population[population.name], PopulationCount[column]] += counts

    def present(self, population: ProgramPopulation, intensity: Tensor) -> None:
        """An input sends what is not zero."""
        messages = (intensity != 0).sum(1)
        self.add(population, "COUNT_MESSAGES", messages)
        self.sent[:, self.population[population.name], 0] = messages

    def send(self, population: ProgramPopulation, spikes: Tensor) -> None:
        """Spikes of a presentation, (R, T)."""
        self.add(population, "SPIKES", spikes.sum(1))
        self.sent[:, self.population[population.name]] = spikes

    def receive(self, population: ProgramPopulation, active: Tensor, first: int = 0) -> None:
        """Active updates (R, T') of the steps from `first` on."""
        self.add(population, "ACTIVE_UPDATES", active.sum(1))
        stop = first + active.shape[1]
        self.active[:, self.population[population.name], first:stop] = active

    def update(
        self, population: ProgramPopulation, active: Tensor, clipped: Tensor, first: int = 0
    ) -> None:
        """Updates of membranes: active ones as in `receive`, and clipped potentials, (R,)."""
        self.receive(population, active, first)
        self.add(population, "MEMBRANE_CLIPPED", clipped)

    def conclude(self, population: ProgramPopulation, count: Tensor, steps: int) -> None:
        """The end of a presentation: spikes (R, N) of each neuron."""
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

    def record(self, recorders: Sequence[StepRecorder], fixation: int) -> None:
        """Puts down the steps of each row, a network, which has just been shown this fixation."""
        if fixation % recorders[0].stride == 0:
            sent, active = self.sent.cpu().numpy(), self.active.cpu().numpy()
            for recorder, *counts in zip(recorders, sent, active, strict=True):
                recorder.put(fixation, *(one[None] for one in counts))

    def record_rows(self, recorder: StepRecorder, first: int) -> None:
        """Puts down the steps of all rows, the fixations from `first` on."""
        recorder.put(first, self.sent.cpu().numpy(), self.active.cpu().numpy())

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
