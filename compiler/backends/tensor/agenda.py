"""All that networks do in a fixation, in the order in which they do it.

Levels run one behind the other, and what a population does it does at its own time tau, as
`compiler.program` has it: a fixation is executed in the order of time = tau + level. Nothing flows
against that order, so whole fixations are executed one after the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from compiler.backends.tensor import adapt, feedback, stepwise
from compiler.backends.tensor import turns as in_turn
from compiler.backends.tensor.machine import Machine, Todo
from compiler.backends.tensor.presentation import first_of_its_band, present
from compiler.dendrites import adds_spikes, taken_over
from compiler.products import direct, in_slots, managed
from compiler.program import ProgramPopulation, Synapses
from compiler.terms import Compartment
from compiler.timing import arrival
from compiler.turns import turns_of


def forward(m: Machine) -> None:
    """The presentation alone."""
    for population in m.populations:
        if first_of_its_band(m, population):
            present(m, population)


def run(m: Machine, fixation: int) -> None:
    """One fixation of every network, with all that they learn from it."""
    m.counters.begin()
    for _, what in agenda(m, fixation):
        what()


def agenda(m: Machine, fixation: int) -> list[Todo]:
    """All that a fixation with learning takes, in the order of time within the fixation."""
    todo = [
        (population.level + tau, what)
        for population in m.populations
        for tau, what in _todo(m, population, fixation)
    ]
    return sorted(todo, key=lambda item: item[0])


def _todo(m: Machine, population: ProgramPopulation, fixation: int) -> Iterator[Todo]:
    """All that a population does in a fixation, at its own time, in any order."""
    program, steps = m.program, m.steps
    start = fixation * program.timetable.period + 1  # the time step in which the input begins
    began = start + population.level
    if m.by_step:
        yield from stepwise.presentation(m, population)
    elif first_of_its_band(m, population):
        yield steps - 1, partial(present, m, population)
    if population.averages is not None:
        yield steps + 0.15, partial(adapt.average, m, population)
    for gate in program.gates:
        if gate.population == population.name:
            what = partial(adapt.decide, m, gate, population, began + gate.sent(steps))
            yield gate.decided(steps) - 0.9, what
    for part, value in enumerate(population.post_values):
        yield value.step + 0.2, partial(adapt.write, m, population, part, began + value.step)
    own = program.arriving[population.name]
    for compartment in (Compartment.APICAL, Compartment.RETRO):
        arriving = [s for s in own if s.compartment is compartment]
        if arriving:
            sent = max(_leaves(m, s) for s in arriving)
            yield sent + 0.3, partial(feedback.deliver, m, population, compartment, arriving)
    for s in own:
        if s.compartment is Compartment.INHIBITION:
            yield arrival(program, s), partial(feedback.inhibit, m, population, s)
        if s.rule is not None and in_slots(s):
            yield from _plasticity(m, s, population, start)
        elif s.rule is not None:
            yield from stepwise.epochs(m, s, start + program.population(s.source).level)
    yield program.timetable.predict + 0.9, partial(adapt.end, m, population)


def _leaves(m: Machine, s: Synapses) -> int:
    """The target's own tau of what a dendrite hears: a message's, or when spikes are added up."""
    if adds_spikes(m.program, s):
        return taken_over(m.program, s)
    return arrival(m.program, s) - 1


def _plasticity(
    m: Machine, s: Synapses, population: ProgramPopulation, start: int
) -> Iterator[Todo]:
    """Learning slots, the carry and the average of copies of synapses that learn in slots."""
    assert s.rule is not None
    began = start + population.level
    if managed(s):
        yield from _managed(m, s, population, start)
        return
    for slot in s.slots:
        yield slot + 0.4, partial(adapt.learn, m, s, population, slot, began + slot)
    timetable = m.program.timetable
    fixation = (start - 1) // timetable.period
    processed = s.averaged > 0 and (fixation + 1) % s.averaged == 0
    over = timetable.period - 1 - population.level + 0.95
    if s.paired and processed:
        yield over, partial(in_turn.carry_pair, m, s)
    if direct(s.rule):
        return
    last = timetable.last_tau(population.level)
    if (began + last) % (1 << s.rule.carry_exponent) == 0:
        yield last + 0.5, partial(adapt.carry, m, s, began + last)
    if processed:
        yield over, partial(adapt.average_copies, m, s)


def _managed(m: Machine, s: Synapses, population: ProgramPopulation, start: int) -> Iterator[Todo]:
    """Slots, in turn or not, and what the management processor carries of what was learned."""
    began, timetable = start + population.level, m.program.timetable
    for slot in s.slots:
        if not s.in_turn:
            yield slot + 0.4, partial(adapt.learn, m, s, population, slot, began + slot)
            continue
        turns = turns_of(m.program, s)
        for position, turn in enumerate(turns.of_positions().tolist()):
            tau = turns.learned(slot) + turn
            what = partial(in_turn.learn, m, s, population, slot, position, began + tau)
            yield tau + 0.4, what
    if ((start - 1) // timetable.period + 1) % s.averaged == 0:
        yield timetable.period - 1 - population.level + 0.95, partial(in_turn.carry_over, m, s)
