"""Events of the neurons of one population: updates, active and idle, and what was clipped."""

from __future__ import annotations

import numpy as np

from compiler.events.columns import PopulationCount
from compiler.events.messages import Run, Sent, forward_steps, phase_steps
from compiler.events.records import PopulationEvents
from compiler.program import ProgramPopulation, Tally
from compiler.terms import Compartment
from compiler.timing import arrival
from compiler.turns import turns_of

Updates = tuple[int, int]
"""Active and idle ones."""


def population_events(
    run: Run, population: ProgramPopulation, sent: Sent, counters: np.ndarray
) -> PopulationEvents:
    """Of one population, from its row of the counters and from the timetable."""
    counts = {c: int(counters[c]) for c in PopulationCount}
    updates, phases = _updates(run, population, counts[PopulationCount.ACTIVE_UPDATES])
    program = run.program
    return PopulationEvents(
        name=population.name,
        neurons=population.size,
        level=population.level,
        host=population.soma is None,
        spikes=sent.spikes,
        forward_messages=sent.total(forward_steps(program, population)),
        graded_messages=sent.total(phase_steps(program, population)) + sent.told,
        score_messages=sent.scores,
        signal_messages=run.fixations * len(_modulators(run, population)),
        active_updates=updates[0],
        idle_updates=updates[1],
        phase_active_updates=phases[0],
        phase_idle_updates=phases[1],
        post_writes=counts[PopulationCount.POST_WRITES],
        current_wrapped=counts[PopulationCount.CURRENT_WRAPPED],
        membrane_clipped=counts[PopulationCount.MEMBRANE_CLIPPED],
        accumulator_clipped=counts[PopulationCount.ACCUMULATOR_CLIPPED],
        post_clipped=counts[PopulationCount.POST_CLIPPED],
        silent=counts[PopulationCount.SILENT],
        saturated=counts[PopulationCount.SATURATED],
    )


def _modulators(run: Run, population: ProgramPopulation) -> tuple[str, ...]:
    """The modulators that the population's neurons hear directly."""
    heard = population.signals if run.learn else ()
    return tuple(name for name in heard if name in run.program.modulators)


def _updates(run: Run, population: ProgramPopulation, active: int) -> tuple[Updates, Updates]:
    """Neuron updates of the forward pass, and those of learning.

    A mean adds up spikes during the presentation, but only because the network learns.
    """
    if population.soma is None:
        return (0, 0), (0, 0)
    shown = active, run.fixations * run.steps * population.size - active
    after = _phase_updates(run, population)
    if not isinstance(population.soma, Tally):
        return shown, after
    if not run.learn:
        return (0, 0), (0, 0)
    return (0, 0), (shown[0] + after[0], shown[1] + after[1])


def _phase_updates(run: Run, population: ProgramPopulation) -> Updates:
    """Neuron updates after the presentation, from the timetable."""
    if not run.learn:
        return 0, 0
    phases = run.program.timetable.period - run.steps
    active = len(busy_steps(run, population)) * population.size
    active += len(telling_steps(run, population)) * neurons_in_turn(population)
    return run.fixations * active, run.fixations * (phases * population.size - active)


def telling_steps(run: Run, population: ProgramPopulation) -> list[int]:
    """The steps in which the neurons of one position tell post values while all others rest."""
    busy = busy_steps(run, population)
    own = [
        int(step)
        for s in run.program.arriving[population.name]
        if s.in_turn
        for slot in s.slots
        for step in slot + turns_of(run.program, s).of_positions()
    ]
    return [step for step in own if step not in busy]


def neurons_in_turn(population: ProgramPopulation) -> int:
    """How many neurons have their turn at the same step: those of one position."""
    return population.size // (population.map[1] * population.map[2])


def busy_steps(run: Run, population: ProgramPopulation) -> set[int]:
    """The steps after the presentation in which all of its neurons have something to do."""
    program, steps, period = run.program, run.steps, run.program.timetable.period
    busy = {m.step for m in population.messages} | {v.step for v in population.post_values}
    for s in program.arriving[population.name]:
        if s.compartment is not Compartment.SOMA and s.listens:
            busy.add(arrival(program, s))
    if population.averages is not None:
        busy.add(steps)
    if _modulators(run, population):  # sent as a fixation begins, which is earlier here
        busy.add(-population.level % period)
    for gate in program.gates:
        if gate.population == population.name:
            busy |= set(range(steps, gate.decided(steps)))  # sends its scores
            busy.add(gate.decided(steps) + 1)  # receives the gate
    return {step % period for step in busy if step % period >= steps}
