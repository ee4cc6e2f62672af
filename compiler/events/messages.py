"""Messages that populations sent in a run: spikes, graded ones by step, scores, post values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compiler.connectivity import largest_fan_out
from compiler.dendrites import adds_spikes
from compiler.events.columns import PopulationCount, SynapseCount
from compiler.program import Message, Program, ProgramPopulation, Synapses
from compiler.terms import Compartment, Quantity
from compiler.timing import DOWNWARD, carried
from compiler.turns import turns_of


@dataclass(frozen=True)
class Run:
    """What was run: a program, for so many fixations, learning or not."""

    program: Program
    fixations: int
    learn: bool

    @property
    def steps(self) -> int:
        """Time steps of a presentation."""
        return self.program.timetable.steps


@dataclass(frozen=True)
class Sent:
    """Messages of one population: binary spikes, graded ones by step, scores, and post values.

    Of post values those that learners are told in turn. apart: whether scores leave bit by bit, on
    an axon of their own.
    """

    neurons: int
    spikes: int
    graded: dict[int, int]
    scores: int
    told: int
    apart: bool

    @property
    def everything(self) -> int:
        """All that travel along the axons to other neurons."""
        scores = 0 if self.apart else self.scores
        return self.spikes + sum(self.graded.values()) + scores + self.told

    def total(self, steps: set[int]) -> int:
        """Graded messages sent at one of the steps."""
        return sum(n for step, n in self.graded.items() if step in steps)


def sent_messages(
    run: Run, population_counters: np.ndarray, synapse_counters: np.ndarray
) -> dict[str, Sent]:
    """What each population sent, by name, from the counters of `count_events`."""
    whole = _whole_messages(run.program, synapse_counters) if run.learn else {}
    told = {s.target for s in run.program.synapses if s.in_turn and run.learn}
    serial = {g.population for g in run.program.gates if g.serial}
    found = {}
    for row, population in zip(population_counters, run.program.populations, strict=False):
        counts = {c: int(row[c]) for c in PopulationCount}
        nonzero = {
            Quantity.COUNT: counts[PopulationCount.COUNT_MESSAGES],
            Quantity.PREVIOUS_COUNT: counts[PopulationCount.PREVIOUS_MESSAGES],
            **whole.get(population.name, {}),
        }
        # A payload that a drop shifts to zero is no message; such counts are an upper bound.
        found[population.name] = Sent(
            neurons=population.size,
            spikes=counts[PopulationCount.SPIKES],
            graded={m.step: nonzero[m.quantity] for m in messages_of(run, population)},
            scores=counts[PopulationCount.SCORE_MESSAGES] if run.learn else 0,
            told=counts[PopulationCount.POST_WRITES] if population.name in told else 0,
            apart=population.name in serial,
        )
    return found


def kept_in_turn(program: Program, s: Synapses, sent: Sent) -> int:
    """The messages of the source that are meant for the buffers of kernels that learn in turn."""
    turns = turns_of(program, s)
    climbs = program.population(s.target).level - program.population(s.source).level
    return sent.total({turns.sent(slot, climbs) for slot in s.slots})


def messages_of(run: Run, population: ProgramPopulation) -> list[Message]:
    """The graded messages that it sends; without learning those that drive somata."""
    allowed = forward_steps(run.program, population)
    if run.learn:
        allowed = allowed | phase_steps(run.program, population)
    return [m for m in population.messages if m.step in allowed]


def hears_spikes(run: Run, s: Synapses) -> bool:
    """Whether spikes of the presentation are meant for a projection."""
    shown = s.compartment is Compartment.SOMA and set(s.listens) == set(range(run.steps))
    return shown or adds_spikes(run.program, s)


def forward_steps(program: Program, population: ProgramPopulation) -> set[int]:
    """Steps of graded messages that drive a soma."""
    listened = {
        step
        for s in program.leaving[population.name]
        if s.compartment is Compartment.SOMA
        for step in s.listens
    }
    return {m.step for m in population.messages} & listened


def phase_steps(program: Program, population: ProgramPopulation) -> set[int]:
    """Steps of all other graded messages."""
    return {m.step for m in population.messages} - forward_steps(program, population)


def _whole_messages(
    program: Program, synapse_counters: np.ndarray
) -> dict[str, dict[Quantity, int]]:
    """Messages that are no counts, by sender: each reaches as many neurons as any other."""
    sent: dict[str, dict[Quantity, int]] = {}
    for row, s in zip(synapse_counters, program.synapses, strict=False):
        if s.connection in DOWNWARD:
            (quantity,) = carried(s)
            reached = largest_fan_out(s.connection, s.weights.shape, s.geometry)
            operations = int(row[SynapseCount.OPERATIONS])
            sent.setdefault(s.source, {})[quantity] = operations // reached
    return sent
