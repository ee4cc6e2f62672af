"""The simulator step by step: the same kernels, stopped after every time step to be looked at."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from compiler.backends.simulator.arrivals import inhibited
from compiler.backends.simulator.engine import Machine
from compiler.backends.simulator.interpreter import show
from compiler.backends.simulator.operations import Field
from compiler.backends.simulator.shown import stimulus_arrays
from compiler.events import Events
from compiler.products import general
from compiler.program import Program, ProgramPopulation, Tally
from compiler.trace import FixationTrace, Stimulus

Raster = dict[str, np.ndarray]
"""Spikes bool (steps, N) of every population that spikes, at its own time."""


def trace(program: Program, stimulus: Stimulus, learn: bool = True) -> Iterator[FixationTrace]:
    """Yields what `compiler.trace` describes for every fixation; some hundred times slower."""
    machine = Machine(program, learn=learn, each_step=True)
    shown = stimulus_arrays(program, machine.layout, stimulus)
    for f in range(shown.fixations):
        show(machine.working, shown.intensities[f], machine.inputs, shown.sequences[f])
        machine.working.signals[: shown.labels.shape[1]] = shown.labels[f]
        yield _one_fixation(machine)
        machine.fixation += 1


def _one_fixation(machine: Machine) -> FixationTrace:
    program, layout = machine.program, machine.layout
    timetable = program.timetable
    seen = FixationTrace(machine.fixation)
    lifs = [p for p in program.populations if p.soma is not None]
    if not machine.learn:
        lifs = [p for p in lifs if not isinstance(p.soma, Tally)]
    learning = [s for s in program.synapses if s.changes] if machine.learn else []
    for s in learning:
        seen.weights[s.name] = np.zeros((timetable.period, *s.weights.shape), np.int8)
        if s.tags is not None:
            seen.tags[s.name] = np.zeros((timetable.period, *s.weights.shape), np.int16)
    for p in lifs if machine.learn else ():
        seen.post[p.name] = np.zeros((len(p.post_values), p.size), np.int32)
    top = max(p.level for p in program.populations)
    looks = _looks(machine, lifs)
    bounds = np.searchsorted(layout.times, np.arange(timetable.period + top + 1))
    for time in range(timetable.period + top):
        machine.execute(layout.operations[bounds[time] : bounds[time + 1]])
        for p in looks.get(time, ()):
            _look_at_population(machine, p, time - p.level, seen)
        for s in learning:
            # a rule that learns at any step is followed in the time of its spikes' source
            tau = time - program.population(s.source if general(s) else s.target).level
            if 0 <= tau < timetable.period:
                seen.weights[s.name][tau] = machine.matrix(machine.working.weights, s.name)
                if s.tags is not None:
                    seen.tags[s.name][tau] = machine.matrix(machine.working.tags, s.name)
    if machine.learn:
        for i, gate in enumerate(program.gates):
            seen.scores[gate.name] = int(machine.working.scores[i])
            seen.gates[gate.name] = int(machine.working.signals[len(program.modulators) + i])
    return seen


def _looks(
    machine: Machine, populations: list[ProgramPopulation]
) -> dict[int, list[ProgramPopulation]]:
    """The populations that show something, by the time step at which they do."""
    timetable = machine.program.timetable
    found: dict[int, list[ProgramPopulation]] = {}
    for p in populations:
        taus = {timetable.steps - 1}
        if machine.learn:
            heard = inhibited(machine.program, p)
            taus |= {timetable.predict - 1, timetable.predict, *(v.step for v in p.post_values)}
            taus |= set() if heard is None else {heard}
        for tau in taus:
            found.setdefault(p.level + tau, []).append(p)
    return found


def _look_at_population(
    machine: Machine, population: ProgramPopulation, tau: int, seen: FixationTrace
) -> None:
    timetable, w = machine.program.timetable, machine.working
    places = machine.layout.places[population.name]
    if tau == timetable.steps - 1:
        seen.spikes[population.name] = machine.raster(population)
        seen.membrane[population.name] = w.membrane_log[:, places]
        seen.counts[population.name] = w.state[Field.COUNT, places]
    if not machine.learn:
        return
    if tau == inhibited(machine.program, population):
        seen.counts[population.name] = w.state[Field.COUNT, places]
    if tau == timetable.predict - 1:  # the last step before the next prediction overwrites d
        seen.apical[population.name] = w.state[Field.APICAL, places]
        seen.retro[population.name] = w.state[Field.RETRO, places]
    if tau == timetable.predict and population.averages is not None:
        kept = machine.averages(population)
        seen.averages[population.name] = np.stack([kept.mean, kept.variance])
    for i, value in enumerate(population.post_values):
        if value.step == tau:
            seen.post[population.name][i] = w.registers[int(value.register[1:]) - 1, places]


def learn_and_watch(program: Program, stimulus: Stimulus) -> tuple[Program, list[Raster], Events]:
    """What `simulate` learns and counts, and the raster of every fixation, as fast."""
    machine = Machine(program, learn=True)
    rasters = []
    for f in range(stimulus.fixations):
        machine.run(stimulus_arrays(program, machine.layout, stimulus.part(f, f + 1)))
        rasters.append({p.name: machine.raster(p) for p in program.populations if p.spiking})
    return machine.learned(), rasters, machine.events(stimulus.fixations)
