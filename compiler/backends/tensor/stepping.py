"""The engine on tensors step by step, one network: what `compiler.trace` describes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from compiler.backends.tensor.agenda import agenda, forward
from compiler.backends.tensor.machine import Machine, on_device
from compiler.backends.tensor.order import weight_matrix
from compiler.products import general
from compiler.program import Program, ProgramPopulation, Tally
from compiler.terms import Compartment
from compiler.timing import arrival
from compiler.trace import FixationTrace, Stimulus, require_fitting


def trace(
    program: Program, stimulus: Stimulus, learn: bool = True, *, device: str = "cpu"
) -> Iterator[FixationTrace]:
    """Yields what `compiler.trace` describes for every fixation.

    Raises InputError for a stimulus that does not fit the program.
    """
    require_fitting(program, stimulus)
    machine = Machine([program], torch.device(device), learn=learn, rows=1, logs=True)
    for fixation in range(stimulus.fixations):
        machine.show(
            {p.name: on_device(stimulus.intensities[p.name][fixation][None], device)
             for p in program.populations if p.soma is None}
        )  # fmt: skip
        for name in program.modulators:
            label = np.array([stimulus.signals[name][fixation]], np.int64)
            machine.signals[name] = on_device(label, device)
        yield _learning(machine, fixation) if learn else _inference(machine, fixation)


def _inference(machine: Machine, fixation: int) -> FixationTrace:
    forward(machine)
    seen = FixationTrace(fixation)
    for p in _neurons(machine):
        _look_at_presentation(machine, p, seen)
    return seen


def _learning(machine: Machine, fixation: int) -> FixationTrace:
    program, timetable = machine.program, machine.program.timetable
    seen = FixationTrace(fixation)
    plastic = [s for s in program.synapses if s.changes]
    for s in plastic:
        seen.weights[s.name] = np.zeros((timetable.period, *s.weights.shape), np.int8)
        if s.tags is not None:
            seen.tags[s.name] = np.zeros((timetable.period, *s.weights.shape), np.int16)
    for p in _neurons(machine):
        seen.post[p.name] = np.zeros((len(p.post_values), p.size), np.int32)
    todo = agenda(machine, fixation)
    for time in range(timetable.period + max(p.level for p in program.populations)):
        for _, what in (item for item in todo if int(item[0]) == time):
            what()
        for p in _neurons(machine):
            _look_at_population(machine, p, time - p.level, seen)
        for s in plastic:
            # a rule that learns at any step is followed in the time of its spikes' source
            tau = time - program.population(s.source if general(s) else s.target).level
            if 0 <= tau < timetable.period:
                seen.weights[s.name][tau] = weight_matrix(s, _row(machine.weights[s.name]))
                if s.tags is not None:
                    seen.tags[s.name][tau] = weight_matrix(s, _row(machine.tags[s.name]))
    for gate in program.gates:
        seen.scores[gate.name] = int(machine.scores[gate.name][0])
        seen.gates[gate.name] = int(machine.signals[gate.name][0])
    return seen


def _look_at_population(
    machine: Machine, population: ProgramPopulation, tau: int, seen: FixationTrace
) -> None:
    timetable, state = machine.program.timetable, machine.state[population.name]
    if tau == timetable.steps - 1:
        _look_at_presentation(machine, population, seen)
    if tau in _inhibited(machine.program, population):
        seen.counts[population.name] = _row(state["count"])
    if tau == timetable.predict - 1:  # the last step before the next prediction overwrites d
        seen.apical[population.name] = _row(state["apical"])
        seen.retro[population.name] = _row(state["retro"])
    if tau == timetable.predict and population.averages is not None:
        kept = np.stack([_row(state["mean"]), _row(state["variance"])])
        seen.averages[population.name] = kept.astype(np.int32)
    for i, value in enumerate(population.post_values):
        if value.step == tau:
            written = machine.post[population.name, value.register]
            seen.post[population.name][i] = _row(written)


def _look_at_presentation(
    machine: Machine, population: ProgramPopulation, seen: FixationTrace
) -> None:
    name, steps = population.name, machine.steps
    seen.counts[name] = _row(machine.state[name]["count"])
    if isinstance(population.soma, Tally):
        seen.membrane[name] = np.zeros((steps, population.size), np.int32)
        seen.spikes[name] = np.zeros((steps, population.size), bool)
        return
    seen.membrane[name] = np.stack([_row(v) for v in machine.membrane[name]])
    seen.spikes[name] = _row(machine.spikes[name])


def _inhibited(program: Program, population: ProgramPopulation) -> set[int]:
    """The population's own tau at which it hears who won the pooling."""
    arriving = program.arriving[population.name]
    return {arrival(program, s) for s in arriving if s.compartment is Compartment.INHIBITION}


def _neurons(machine: Machine) -> list[ProgramPopulation]:
    return [p for p in machine.populations if p.soma is not None]


def _row(values: Tensor) -> np.ndarray:
    """Of the only network, a copy: engines may change in place what they hold."""
    return values[0].cpu().numpy().copy()
