"""How far integers may drift from real numbers: a bound for every neuron, stated beforehand.

The same spikes arrive at a real neuron and at its integers, and both spike alike. Then what the
two add in a step differs by the rounding of weights, bias and threshold, and what was there decays
by a rounded decay and is rounded towards zero, by less than one unit q of the potential. With
E for the largest differences, X for the largest magnitudes that the real neuron can have,

    Eu <- d Eu + |d - d'| Xu + q + sum |w - w'| x        the synaptic current, if there is one
    Ev <- e Ev + |e - e'| Xv + q + Eu + |b - b'| + |h - h'|       the potential; h: threshold

over the steps of a presentation. A decay of 0 or 1 rounds nothing. Nothing may wrap or be clipped,
which engines count. A spike differs where a potential comes within Ev + |h - h'| of the threshold.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from compiler.ir import (
    Compartment,
    Connection,
    Map,
    Network,
    Neuron,
    Population,
    Projection,
    Values,
    per_neuron,
)
from compiler.passes.integer_weights import IntegerWeights
from compiler.program import DECAY_ONE, Soma
from compiler.terms import Integers


def largest_current(
    network: Network, population: Population, weights: Mapping[str, np.ndarray]
) -> np.ndarray:
    """(N,) what arrives at each neuron in a step at most, by the weights of its projections."""
    current = np.zeros(population.size)
    for p in network.arriving[population.name]:
        if p.compartment is Compartment.SOMA:
            magnitude = np.abs(weights[p.name]).astype(np.float64)
            most = network.population(p.source).largest
            current += most * _of_neuron(p, magnitude, population)
    return current


def _of_neuron(p: Projection, weights: np.ndarray, population: Population) -> np.ndarray:
    """(N,) the sum over each neuron's synapses; at the border of a map it is less."""
    if p.connection is Connection.ONE_TO_ONE:
        return weights
    sums = weights.reshape(len(weights), -1).sum(1)
    return per_neuron(tuple(sums), population.map)


def largest_magnitudes(
    population: Population, current: np.ndarray, steps: int, unit: float
) -> tuple[float, float]:
    """The largest current and potential of any neuron, if there is no reset, in units of weights.

    current: `largest_current` of integer weights.
    """
    neuron = population.neuron
    assert isinstance(neuron, Neuron)
    shape = population.map
    constant = np.abs(per_neuron(population.bias or (0.0,), shape)) / unit
    if neuron.current_decay is not None:
        current = current * _steps_held(per_neuron(neuron.current_decay, shape), steps)
    potential = (current + constant) * _steps_held(per_neuron(neuron.decay, shape), steps)
    potential = potential + np.abs(per_neuron(neuron.start, shape)) / unit
    return float(current.max()), float(potential.max())


def _steps_held(decay: np.ndarray, steps: int) -> np.ndarray:
    """1 + d + d^2 + ... of so many steps."""
    left = np.maximum(1 - decay, 1e-12)
    return np.minimum((1 - decay**steps) / left, steps)


def deviation(
    network: Network,
    population: Population,
    integers: Mapping[str, IntegerWeights],
    soma: Soma,
    unit: float,
) -> np.ndarray:
    """(N,) the bound on the potential's difference, in the source's own unit."""
    neuron, shape, grain = population.neuron, population.map, unit / 2**soma.input_shift
    assert isinstance(neuron, Neuron)
    real = {p.name: p.weights for p in network.arriving[population.name]}
    rounded = {name: integers[name].weights * integers[name].unit for name in real}
    arriving = largest_current(network, population, real)
    wrong = largest_current(network, population, {n: real[n] - rounded[n] for n in real})

    def lost(values: np.ndarray, kept: np.ndarray) -> np.ndarray:
        return np.abs(values - kept * grain)

    bias, start = per_neuron(population.bias or (0.0,), shape), per_neuron(neuron.start, shape)
    constant = lost(bias, per_neuron(soma.bias or (0,), shape))
    height = np.zeros(population.size)
    if neuron.threshold is not None and soma.threshold is not None:
        height = per_neuron(neuron.threshold, shape)
        constant = constant + lost(height, per_neuron(soma.threshold, shape))
    error, high = lost(start, per_neuron(soma.start, shape)), np.abs(start)
    error_u, high_u = np.zeros(population.size), np.zeros(population.size)
    leak = _Leak(neuron.decay, soma.decay, shape, grain)
    current_leak = None
    if neuron.current_decay is not None and soma.current_decay is not None:
        current_leak = _Leak(neuron.current_decay, soma.current_decay, shape, grain)
    largest = error
    for _ in range(network.schedule.steps):
        if current_leak is None:
            error_u, high_u = wrong, arriving
        else:
            error_u = current_leak.error(error_u, high_u) + wrong
            high_u = current_leak.decay * high_u + arriving
        error = leak.error(error, high) + error_u + constant
        high = leak.decay * np.maximum(high, height) + high_u + np.abs(bias) + height
        largest = np.maximum(largest, error)
    return largest


class _Leak:
    """A decay (N,) of real numbers and of their integers, and what the two make different."""

    def __init__(self, decay: Values, kept: Integers, shape: Map, grain: float) -> None:
        self.decay = per_neuron(decay, shape)
        self._kept = per_neuron(kept, shape) / DECAY_ONE
        self._rounding = np.where((self._kept == 0) | (self._kept == 1), 0.0, grain)

    def error(self, before: np.ndarray, largest: np.ndarray) -> np.ndarray:
        """The difference after the leak, from that before it and the largest magnitude."""
        return self._kept * before + np.abs(self.decay - self._kept) * largest + self._rounding
