"""Counts of what happened in each of many networks, by the columns of `compiler.events`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from compiler.events import Events, count_events
from compiler.events.columns import GateCount, PopulationCount, SynapseCount
from compiler.events.notes import Note, What, notes
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

    def __init__(self, program: Program, rows: int, device: torch.device, *, learn: bool) -> None:
        def zeros(things: int, columns: type) -> Tensor:
            return torch.zeros(rows, things, len(columns), dtype=torch.int64, device=device)  # type: ignore[arg-type]

        self.populations = zeros(len(program.populations), PopulationCount)
        self.synapses = zeros(len(program.synapses), SynapseCount)
        self.gates = zeros(max(len(program.gates), 1), GateCount)
        # of the fixation that is shown, (R, P, T): as `compiler.events.steps` has them
        counts = (2, rows, len(program.populations), program.timetable.steps)
        self.sent, self.active = torch.zeros(counts, dtype=torch.int32, device=device)
        # of the same fixation, (R, columns); without learning there is nothing to note
        self.column = notes(program) if learn else {}
        self.noted = torch.zeros(rows, len(self.column), dtype=torch.int32, device=device)
        # apart, since a population and what ends on it may have the same name
        self.population = {p.name: i for i, p in enumerate(program.populations)}
        self.projection = {s.name: i for i, s in enumerate(program.synapses)}
        self.gate = {g.name: i for i, g in enumerate(program.gates)}

    def add(self, population: ProgramPopulation, column: str, counts: Tensor) -> None:
        """Adds counts (R,) of a population."""
        self.populations[:, self.population[population.name], PopulationCount[column]] += counts

    def begin(self) -> None:
        """A fixation, of which nothing has been noted yet."""
        self.noted.zero_()

    def note(self, what: What, name: str, numbers: Tensor | int, part: int = 0) -> None:
        """Notes numbers (R,) of this fixation, added to what has been noted in the same place."""
        if self.column:
            self.noted[:, self.column[Note(what, name, part)]] += numbers

    def present(self, population: ProgramPopulation, intensity: Tensor) -> None:
        """An input sends what is not zero."""
        messages = (intensity != 0).sum(1)
        self.count(population, messages)
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
        self.count(population, (count != 0).sum(1))
        self.add(population, "SILENT", (count == 0).sum(1))
        self.add(population, "SATURATED", (count == steps).sum(1))

    def count(self, population: ProgramPopulation, messages: Tensor) -> None:
        """Neurons (R,) with a nonzero count."""
        self.add(population, "COUNT_MESSAGES", messages)
        self.note("counts", population.name, messages)

    def operations(self, s: Synapses, operations: Tensor) -> None:
        """Adds synaptic operations (R,) of a map, where fan-out depends on the position."""
        self._add_to(s, {"OPERATIONS": operations})

    def bring(self, s: Synapses, messages: Tensor, reached: int) -> None:
        """Messages (R,) that are no counts, each to so many neurons."""
        self.operations(s, messages * reached)
        self.note("brought", s.name, messages)

    def end(self, population: ProgramPopulation, previous: Tensor) -> None:
        """The end of a fixation."""
        messages = (previous != 0).sum(1)
        self.add(population, "PREVIOUS_MESSAGES", messages)
        self.note("previous", population.name, messages)

    def tell(
        self, population: ProgramPopulation, gate: Gate, sent: list[Tensor], turn: int
    ) -> None:
        """Score messages (R,) of the steps from part `turn` on, in which they leave."""
        for part, messages in enumerate(sent, turn):
            self.add(population, "SCORE_MESSAGES", messages)
            self.note("said", gate.name, messages, part)

    def write(
        self, population: ProgramPopulation, part: int, written: Tensor, clipped: Tensor
    ) -> None:
        """A post value, the `part`th of its population's: nonzero ones and clipped ones, (R,)."""
        self.add(population, "POST_WRITES", written)
        self.add(population, "POST_CLIPPED", clipped)
        self.note("written", population.name, written, part)

    def decide(self, gate: Gate, opened: Tensor, clipped: Tensor) -> None:
        """A decision of a comparator, (R,)."""
        row = self.gates[:, self.gate[gate.name]]
        row[:, GateCount.POSITIVE] += opened > 0
        row[:, GateCount.NEGATIVE] += opened < 0
        row[:, GateCount.SCORE_CLIPPED] += clipped
        self.note("opened", gate.name, opened != 0)

    def learn(
        self, s: Synapses, slot: int, rows: Tensor, there: Tensor, more: dict[str, Tensor]
    ) -> None:
        """An epoch of a slot, (R,): rows that learn, whether there is any post value, other counts.

        Networks without any post value have no epoch.
        """
        self.note("learned", s.name, rows, s.slots.index(slot))
        self._add_to(s, {"ROWS_LEARNED": rows, "EPOCHS": there, **more})

    def learn_at_step(self, s: Synapses, tau: int, visits: Tensor, more: dict[str, Tensor]) -> None:
        """An epoch of a general rule, (R,): synapses visited, and other counts."""
        self.note("visited", s.name, visits, tau)
        self._add_to(s, {"VISITED": visits, "EPOCHS": visits > 0, **more})

    def carry(self, s: Synapses, real: int, moved: Tensor, clipped: Tensor) -> None:
        """A carry of all synapses, `real` of them."""
        self._add_to(s, {"CARRIED": moved, "WEIGHT_CLIPPED": clipped, "CARRY_VISITS": real})
        self.note("carried", s.name, moved)
        self.note("looked", s.name, real)

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
            for recorder, *counts in zip(recorders, *self._of_fixation(), strict=True):
                recorder.put(fixation, *(one[None] for one in counts))

    def record_rows(self, recorder: StepRecorder, first: int) -> None:
        """Puts down the steps of all rows, the fixations from `first` on."""
        recorder.put(first, *self._of_fixation())

    def _of_fixation(self) -> list[np.ndarray]:
        return [counts.cpu().numpy() for counts in (self.sent, self.active, self.noted)]

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
