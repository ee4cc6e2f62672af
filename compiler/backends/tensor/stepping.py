"""One network on tensors, step by step: the same operations, looked at after every time step."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from compiler.backends.tensor.engine import require_dense
from compiler.backends.tensor.machine import Machine, on_device
from compiler.program import Program, ProgramPopulation
from compiler.trace import FixationTrace, Stimulus


def trace(
    program: Program, stimulus: Stimulus, learn: bool = True, *, device: str = "cpu"
) -> Iterator[FixationTrace]:
    """Yields what `compiler.trace` describes for every fixation.

    Raises InputError for a program that this engine does not run.
    """
    require_dense(program)
    machine = Machine([program], torch.device(device), learn=learn, rows=1)
    for fixation in range(stimulus.fixations):
        shown = stimulus.part(fixation, fixation + 1)
        machine.show({name: on_device(grey, device) for name, grey in shown.intensities.items()})
        for name in program.modulators:
            signal = np.asarray(shown.signals[name], np.int64)
            machine.signals[name] = on_device(signal, device)
        seen = FixationTrace(fixation, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {})
        for population in machine.by_level():
            _look_at(machine, population, fixation, seen)
        if learn:
            for gate in program.gates:
                seen.scores[gate.name] = int(machine.scores[gate.name])
                seen.gates[gate.name] = int(machine.signals[gate.name])
            machine.end()
        yield seen


def _look_at(
    machine: Machine, population: ProgramPopulation, fixation: int, seen: FixationTrace
) -> None:
    """Lets a population live through the fixation, and writes down what it does."""
    program, name = machine.program, population.name
    timetable, state = program.timetable, machine.state[name]
    own = [s for s in program.synapses if machine.learn and s.rule and s.target == name]
    for s in own:
        seen.weights[s.name] = np.zeros((timetable.period, *s.weights.shape), np.int8)
        seen.tags[s.name] = np.zeros((timetable.period, *s.weights.shape), np.int16)
    soma = population.soma is not None
    if machine.learn and soma:
        seen.post[name] = np.zeros((len(population.post_values), population.size), np.int32)
    agenda = machine.agenda(population, fixation)
    for tau in range(timetable.period if machine.learn else timetable.steps):
        for time, what in agenda:
            if int(time) == tau and (machine.learn or tau < timetable.steps):
                machine.potentials = []
                what()
                if tau == timetable.steps - 1 and time == tau and soma:
                    seen.membrane[name] = _one(torch.stack(machine.potentials, 1))
                    seen.spikes[name] = _one(machine.spikes[name])
                    seen.counts[name] = _one(state["count"])
        for s in own:
            seen.weights[s.name][tau] = _one(machine.weights[s.name]).T
            seen.tags[s.name][tau] = _one(machine.tags[s.name]).T
        if not (machine.learn and soma):
            continue
        if tau == timetable.predict - 1:  # the last step before the next prediction overwrites d
            seen.apical[name], seen.retro[name] = _one(state["apical"]), _one(state["retro"])
        if tau == timetable.predict and population.averages is not None:
            seen.averages[name] = np.stack([_one(state["mean"]), _one(state["variance"])])
        for number, value in enumerate(population.post_values):
            if value.step == tau:
                seen.post[name][number] = _one(machine.post[name, value.register])


def _one(value: Tensor) -> np.ndarray:
    """What the one network has."""
    return np.array(value[0].cpu().numpy())
