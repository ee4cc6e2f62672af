"""What a network answers, step by step: spikes, and potentials of those who never spike."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from compiler.backends.simulator.engine import Machine
from compiler.backends.simulator.interpreter import show
from compiler.backends.simulator.shown import stimulus_arrays
from compiler.program import Program, ProgramPopulation, Soma, Tally
from compiler.trace import Stimulus


@dataclass(frozen=True)
class Answer:
    """By population: spikes bool (F, T, N), and of leaky integrators potentials int32 (F, T, N).

    A potential is in units of `Program.potential_unit`.
    """

    spikes: dict[str, np.ndarray]
    potentials: dict[str, np.ndarray]


def answer(program: Program, stimulus: Stimulus, keep: Collection[str] | None = None) -> Answer:
    """The forward pass of independent fixations, of the populations that `keep` names (all: None).

    Raises InputError for a stimulus that does not fit the program.
    """
    machine = Machine(program, learn=False)
    shown = stimulus_arrays(program, machine.layout, stimulus)
    neurons = [p for p in program.populations if not isinstance(p.soma, Tally | None)]
    kept = [p for p in neurons if keep is None or p.name in keep]
    spiking = [p for p in kept if not _never_spikes(p)]
    silent = [p for p in kept if _never_spikes(p)]
    shape = (shown.fixations, program.timetable.steps)
    found = Answer(
        {p.name: np.zeros((*shape, p.size), np.bool_) for p in spiking},
        {p.name: np.zeros((*shape, p.size), np.int32) for p in silent},
    )
    places = machine.layout.places
    for f in range(shown.fixations):
        show(machine.working, shown.intensities[f], machine.inputs, shown.sequences[f])
        machine.execute(machine.layout.operations)
        for p in spiking:
            found.spikes[p.name][f] = machine.raster(p)
        for p in silent:
            found.potentials[p.name][f] = machine.working.membrane_log[:, places[p.name]]
    return found


def _never_spikes(population: ProgramPopulation) -> bool:
    return isinstance(population.soma, Soma) and population.soma.threshold is None
