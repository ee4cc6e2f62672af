"""The largest currents and potentials that there can be: what integers need room for."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from compiler.ir import Compartment, Connection, Network, Neuron, Population, Projection, per_neuron


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
