"""Entries of a core's tables: kinds of neuron and thresholds, which its neurons share.

Two neurons are of one kind where they compute the same but for threshold, bias and start, which
are theirs: the same soma, decays, reset, messages and post values.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from compiler.passes.placing.part import Part
from compiler.program import Program, ProgramPopulation, Soma
from compiler.terms import Integers, Map, per_neuron
from compiler.turns import buffers_of, learners_of, turns_of


@dataclass(frozen=True, eq=False)
class Settings:
    """An entry for each neuron, or one for all of them; None: they need none."""

    entries: np.ndarray | int | None

    def of(self, part: Part) -> tuple[int, ...]:
        """The distinct entries of a part's neurons."""
        if self.entries is None:
            return ()
        if isinstance(self.entries, int):
            return (self.entries,)
        return tuple(int(e) for e in np.unique(self.entries[part.box]))


def kinds_of_neuron(program: Program) -> dict[str, Settings]:
    """The kind of each population's neurons, numbered over the whole program."""
    numbers: dict[tuple[str, int, int], int] = {}
    found = {}
    for p in program.populations:
        if p.soma is not None:
            found[p.name] = Settings(_kinds(p, numbers))
    for g in program.gates:
        alike = replace(g, name="", population="", margin=0, left=None)
        found[g.name] = Settings(numbers.setdefault((repr(alike), 0, 0), len(numbers)))
    for s in program.synapses:
        if s.in_turn:
            turns = turns_of(program, s)
            for name, computes in ((learners_of(s), "learner"), (buffers_of(s), f"{turns} buffer")):
                found[name] = Settings(numbers.setdefault((computes, 0, 0), len(numbers)))
    return found


def thresholds(population: ProgramPopulation) -> Settings:
    """The threshold of each neuron; none for those that compare with nothing."""
    soma = population.soma
    if not isinstance(soma, Soma) or soma.threshold is None:
        return Settings(None)
    if isinstance(soma.threshold, int):
        return Settings(soma.threshold)
    return Settings(per_neuron(soma.threshold, population.map).reshape(population.map))


def _kinds(p: ProgramPopulation, numbers: dict[tuple[str, int, int], int]) -> np.ndarray | int:
    soma = p.soma
    values = tuple(replace(v, stream=0) for v in p.post_values)
    if isinstance(soma, Soma):
        alike: object = replace(soma, decay=0, current_decay=None, threshold=0, bias=(), start=0)
        decays = _each(soma.decay, p.map)
        currents = _each(-1 if soma.current_decay is None else soma.current_decay, p.map)
    else:
        alike, decays, currents = soma, np.zeros(1, np.int64), np.zeros(1, np.int64)
    computed = repr((alike, p.messages, values, p.averages is not None))

    def number(decay: int, current: int) -> int:
        return numbers.setdefault((computed, decay, current), len(numbers))

    both = np.stack(np.broadcast_arrays(decays, currents), axis=1)
    distinct, which = np.unique(both, axis=0, return_inverse=True)
    found = np.array([number(int(d), int(c)) for d, c in distinct])
    if len(found) == 1:
        return int(found[0])
    kinds: np.ndarray = found[which.reshape(-1)].reshape(p.map)
    return kinds


def _each(values: Integers, shape: Map) -> np.ndarray:
    """(1,) where all neurons have the same, else (N,)."""
    return np.array([values]) if isinstance(values, int) else per_neuron(values, shape)
