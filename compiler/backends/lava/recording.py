"""What the processes of a run have seen, in memory that they share with the one that started them.

Lava's own way to read a variable sends one number a message, and probes can not watch plastic
weights; anonymous shared memory, inherited when Lava forks, costs a copy. Nothing has to be
removed afterwards: the memory vanishes with the last process.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass

import numpy as np

from compiler.backends.lava.wiring import populations
from compiler.program import Gate, Program, ProgramPopulation, Synapses


def shared_zeros(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """An array of zeros that stays common to this process and the ones that it forks."""
    count = int(np.prod(shape))
    memory = mmap.mmap(-1, max(1, count * np.dtype(dtype).itemsize))
    return np.frombuffer(memory, dtype, count).reshape(shape)


class PopulationRecord:
    """One population; every array has the fixation, modulo their number of slots, as first axis.

    `detailed` records every step, otherwise only counts and last potentials are kept.
    """

    def __init__(
        self, population: ProgramPopulation, steps: int, slots: int, detailed: bool
    ) -> None:
        self.slots = slots
        self.detailed = detailed
        size, kept = population.size, slots if detailed else 0
        self.counts = shared_zeros((slots, size), np.int32)
        self.potentials = shared_zeros((slots, size), np.int32)  # after the presentation
        self.membrane = shared_zeros((kept, steps, size), np.int32)
        self.spikes = shared_zeros((kept, steps, size), np.bool_)
        self.apical = shared_zeros((kept, size), np.int32)
        self.retro = shared_zeros((kept, size), np.int32)
        self.post = shared_zeros((kept, len(population.post_values), size), np.int32)
        averages = 0 if population.averages is None else 2
        self.averages = shared_zeros((kept, averages, size), np.int32)
        self.final_averages = shared_zeros((averages, size), np.int32)


class SynapseRecord:
    """A projection that changes: its last weights and tags, and in detail those after each step.

    Where it has no tags these stay zero.
    """

    def __init__(self, synapses: Synapses, period: int, slots: int, detailed: bool) -> None:
        self.slots = slots
        self.detailed = detailed
        self.tagged = synapses.tags is not None
        kept = slots if detailed else 0
        shape = synapses.weights.shape
        self.final_weights = shared_zeros(shape, np.int8)
        self.final_tags = shared_zeros(shape, np.int16)
        self.weights = shared_zeros((kept, period, *shape), np.int8)
        self.tags = shared_zeros((kept, period, *shape), np.int16)


class GateRecord:
    """One comparator: score and gate of each fixation."""

    def __init__(self, gate: Gate, slots: int) -> None:
        self.name = gate.name
        self.slots = slots
        self.scores = shared_zeros((slots,), np.int64)
        self.gates = shared_zeros((slots,), np.int64)


@dataclass(frozen=True)
class Recording:
    """All records of a run, by the name of what was recorded."""

    populations: dict[str, PopulationRecord]
    synapses: dict[str, SynapseRecord]
    gates: dict[str, GateRecord]
    learn: bool

    @staticmethod
    def of(program: Program, learn: bool, kept: int, detailed: bool) -> Recording:
        """Empty records for a run of the program; `kept` fixations stay readable at a time."""
        timetable = program.timetable
        # When one is over at the top, the lower levels are already in the next ones.
        slots = kept + 1 + _top(program) // timetable.period
        lifs = [p for p in populations(program, learn) if p.soma is not None]
        plastic = [s for s in program.synapses if learn and s.changes]
        return Recording(
            {p.name: PopulationRecord(p, timetable.steps, slots, detailed) for p in lifs},
            {s.name: SynapseRecord(s, timetable.period, slots, detailed) for s in plastic},
            {g.name: GateRecord(g, slots) for g in program.gates if learn},
            learn,
        )


def time_steps(program: Program, fixations: int) -> int:
    """How many time steps it takes until the top level, too, is through with so many fixations."""
    return fixations * program.timetable.period + _top(program)


def _top(program: Program) -> int:
    return max(p.level for p in program.populations)
