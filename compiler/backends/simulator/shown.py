"""What a network is shown, as compiled code takes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compiler.backends.simulator.memory import Layout
from compiler.program import Program
from compiler.trace import Stimulus, require_fitting


@dataclass(frozen=True)
class Shown:
    """Fixations: intensities uint8 (F, inputs), sequences int16 (F, T, S), labels int8 (F, M).

    Inputs lie side by side; S are the neurons that are given something step by step, in the order
    of the engine, and T is 0 where there are none.
    """

    intensities: np.ndarray
    sequences: np.ndarray
    labels: np.ndarray

    @property
    def fixations(self) -> int:
        """How many they are."""
        return len(self.intensities)

    def part(self, start: int, stop: int) -> Shown:
        """Fixations start .. stop-1."""
        arrays = (self.intensities, self.sequences, self.labels)
        return Shown(*(a[start:stop] for a in arrays))


def stimulus_arrays(program: Program, layout: Layout, stimulus: Stimulus) -> Shown:
    """The stimulus side by side.

    Raises InputError where it does not fit the program: compiled code would read past its end.
    """
    require_fitting(program, stimulus)
    fixations, given = stimulus.fixations, layout.given
    intensities = [stimulus.intensities[p.name] for p in layout.inputs]
    steps = program.timetable.steps if given else 0
    sequences = np.zeros((fixations, steps, given), np.int16)
    for name, start in layout.sequences.items():
        places = start + layout.places[name] - layout.offsets[name]
        sequences[:, :, places] = stimulus.intensities[name]
    return Shown(
        np.concatenate([np.zeros((fixations, 0), np.uint8), *intensities], axis=1, dtype=np.uint8),
        sequences,
        _side_by_side(fixations, [stimulus.signals[name] for name in program.modulators]),
    )


def _side_by_side(fixations: int, labels: list[np.ndarray]) -> np.ndarray:
    columns = [np.asarray(label, np.int8)[:, None] for label in labels]
    return np.concatenate([np.zeros((fixations, 0), np.int8), *columns], axis=1)
