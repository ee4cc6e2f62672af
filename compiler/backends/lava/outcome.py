"""The end of a run, read from its recording."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from compiler.backends.lava.recording import Recording
from compiler.program import Program, ProgramPopulation, Soma


@dataclass(frozen=True)
class Outcome:
    """The end of a run: the program with its learned weights and tags, and what happened.

    `counts` maps each population with somata (with tallies only where the run learned) to int32
    (F, N), as learning saw them; `potentials` each that never spikes to int32 (F, N), as it ended
    the presentation; `scores` and `gates` are int64 (F, gates), in the order of the
    program, and empty where the run did not learn.
    """

    program: Program
    counts: dict[str, np.ndarray]
    potentials: dict[str, np.ndarray]
    scores: np.ndarray
    gates: np.ndarray


def outcome(program: Program, recording: Recording, fixations: int) -> Outcome:
    """What a run of so many fixations, all of them over at the top level, has left behind."""
    none = np.zeros((fixations, 0), np.int64)
    scores = [record.scores[:fixations, None] for record in recording.gates.values()]
    gates = [record.gates[:fixations, None] for record in recording.gates.values()]
    return Outcome(
        program=_learned(program, recording),
        counts={n: r.counts[:fixations].copy() for n, r in recording.populations.items()},
        potentials={
            name: r.potentials[:fixations].copy()
            for name, r in recording.populations.items()
            if never_spikes(program.population(name))
        },
        scores=np.concatenate([none, *scores], axis=1),
        gates=np.concatenate([none, *gates], axis=1),
    )


def never_spikes(population: ProgramPopulation) -> bool:
    """Whether it is a leaky integrator, whose potential is what it has to say."""
    return isinstance(population.soma, Soma) and population.soma.threshold is None


def _learned(program: Program, recording: Recording) -> Program:
    populations = []
    for p in program.populations:
        if recording.learn and p.averages is not None:
            mean, variance = recording.populations[p.name].final_averages.copy()
            p = replace(p, averages=replace(p.averages, mean=mean, variance=variance))
        populations.append(p)
    return replace(
        program,
        populations=tuple(populations),
        synapses=tuple(
            s
            if s.name not in recording.synapses
            else replace(
                s,
                weights=recording.synapses[s.name].final_weights.copy(),
                tags=None if s.tags is None else recording.synapses[s.name].final_tags.copy(),
            )
            for s in program.synapses
        ),
    )
