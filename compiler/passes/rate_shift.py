"""What rounding threshold and decay does to the rate at which a neuron fires.

The real neuron and its integers get the same constant current for a presentation, for currents
from 0 to two thresholds a step. Rounded weights are not part of it: they have a note of their own.
"""

from __future__ import annotations

import numpy as np

from compiler.ir import Neuron
from compiler.program import DECAY_ONE, Soma
from compiler.terms import Reset

CURRENTS = 512
LARGEST = 2.0  # currents up to so many thresholds: beyond one, a neuron spikes in every step


def rate_shift(neuron: Neuron, soma: Soma, scale: float, steps: int) -> float | None:
    """Spikes of the integers over those of the real neuron, less 1; `scale`: units of a 1.

    None where neurons of the population differ, or are more than leaky integrators that spike.
    """
    if soma.plain is None or not isinstance(neuron.threshold, float | int):
        return None
    if not isinstance(neuron.decay, float | int) or neuron.threshold <= 0:
        return None
    decay, threshold = soma.plain
    grid = (np.arange(CURRENTS) + 0.5) * (LARGEST * neuron.threshold / CURRENTS)
    drive = np.rint(grid * scale).astype(np.int64)
    zero = Reset(neuron.reset) is Reset.ZERO
    real, whole = np.zeros(CURRENTS), np.zeros(CURRENTS, np.int64)
    spiked, fired = np.zeros(CURRENTS, bool), np.zeros(CURRENTS, bool)
    expected = executed = 0
    for _ in range(steps):
        left = real * neuron.decay
        real = np.where(spiked, 0.0 if zero else left - neuron.threshold, left) + grid
        kept = np.sign(whole) * (np.abs(whole) * decay // DECAY_ONE)
        whole = np.where(fired, 0 if zero else kept - threshold, kept) + drive
        spiked, fired = real > neuron.threshold, whole > threshold
        expected, executed = expected + int(spiked.sum()), executed + int(fired.sum())
    return executed / expected - 1 if expected else 0.0
