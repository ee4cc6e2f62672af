"""What rounding threshold, decays and bias does to the rate at which neurons fire.

The real neurons and their integers get the same constant current for a presentation, such that the
potential, without leak of rounding or reset, would end at 0 to two thresholds a step. Rounded
weights are not part of it: they have a note of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compiler.ir import Population
from compiler.program import Soma
from compiler.real_numbers.cells import Cells, Parameters, real_parameters, whole_parameters

CURRENTS = 512
LARGEST = 2.0  # currents up to so many thresholds: beyond one, a neuron spikes in every step
KINDS = 64  # kinds of neuron that are looked at: of more, some evenly chosen


@dataclass(frozen=True)
class RateShift:
    """Spikes of the integers over those of the real neurons, less 1.

    all: over all kinds of neuron of the population; least, most: of single kinds.
    """

    all: float
    least: float
    most: float

    def __str__(self) -> str:
        text = f"firing rate {self.all:+.2%}"
        if self.least != self.most:
            text += f" (of its kinds of neuron {self.least:+.2%} to {self.most:+.2%})"
        return text


def rate_shift(population: Population, soma: Soma, scale: float, steps: int) -> RateShift | None:
    """The shift for constant currents; None where nothing spikes. `scale`: units of a 1."""
    real, whole = real_parameters(population), whole_parameters(soma, population.map)
    if real.threshold is None or whole.threshold is None:
        return None
    chosen = _kinds(real, whole)
    if not len(chosen):
        return None
    expected = _spikes(real.some(chosen), _currents(real.some(chosen), steps), steps)
    drive = np.rint(_currents(real.some(chosen), steps) * scale).astype(np.int64)
    executed = _spikes(whole.some(chosen), drive, steps)
    fires = expected > 0
    if not fires.any():
        return RateShift(0.0, 0.0, 0.0)
    each = executed[fires] / expected[fires] - 1
    whole_shift = executed.sum() / expected.sum() - 1
    return RateShift(float(whole_shift), float(each.min()), float(each.max()))


def _kinds(real: Parameters, whole: Parameters) -> np.ndarray:
    """The first neuron of each kind with a threshold above 0, of `KINDS` kinds at most."""
    assert real.threshold is not None and whole.threshold is not None
    rows = [real.decay, real.threshold, real.bias, real.start]
    rows += [whole.decay, whole.threshold, whole.bias, whole.start]
    for current in (real.current_decay, whole.current_decay):
        rows += [] if current is None else [current]
    _, first = np.unique(np.stack(rows), axis=1, return_index=True)
    first = np.sort(first[real.threshold[first] > 0])
    if len(first) <= KINDS:
        return first
    return first[np.linspace(0, len(first) - 1, KINDS).astype(int)]


def _currents(real: Parameters, steps: int) -> np.ndarray:
    """(CURRENTS, N) what arrives in each step; a synaptic current sums it up."""
    assert real.threshold is not None
    grid = (np.arange(CURRENTS) + 0.5)[:, None] * (LARGEST * real.threshold / CURRENTS)
    if real.current_decay is None:
        return grid
    return grid * np.maximum(1 - real.current_decay, 1 / steps)


def _spikes(parameters: Parameters, current: np.ndarray, steps: int) -> np.ndarray:
    """(N,) spikes of each neuron over all currents."""
    cells, found = Cells(parameters, CURRENTS), np.zeros(len(parameters.decay), np.int64)
    for _ in range(steps):
        cells.step(current)
        found += cells.spikes.sum(0)
    return found
