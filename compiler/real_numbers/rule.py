"""What a network's rules say in real numbers, for given spike counts: the measure of a lowering.

Nothing of the lowering is used here: quantities, gates and changes are those of `compiler.ir`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from compiler.ir import (
    Averages,
    Comparator,
    Compartment,
    Connection,
    LearningRule,
    Network,
    Population,
    Projection,
    Quantity,
    Term,
)
from compiler.real_numbers.traces import Heard

Values = dict[Quantity, np.ndarray]
Gate = float | np.ndarray
"""What a comparator or modulator says to a whole population, or to each neuron, (N,)."""


@dataclass
class RealNetwork:
    """A network that has counted some fixations; `weights` change as its rules say."""

    network: Network
    weights: dict[str, np.ndarray] = field(init=False)
    previous: dict[str, np.ndarray] = field(init=False)  # z of the fixation before
    apical: dict[str, np.ndarray] = field(init=False)
    averages: dict[str, Averages] = field(init=False)

    def __post_init__(self) -> None:
        populations = self.network.populations
        self.weights = {p.name: p.weights.copy() for p in self.network.projections}
        self.previous = {p.name: np.zeros(p.size) for p in populations}
        self.apical = {p.name: np.zeros(p.size) for p in populations}
        self.averages = {p.name: p.averages for p in populations if p.averages is not None}

    def fixation(
        self,
        z: Mapping[str, np.ndarray],
        signals: Mapping[str, float],
        heard: Mapping[str, Heard] | None = None,
    ) -> None:
        """One more: z (N,) of each population, inputs included, and the modulators' values.

        heard: of each projection whose synapses know traces of its source in place of counts.
        """
        for name, averages in self.averages.items():
            if signals[averages.signal] != 0:
                self.averages[name] = averaged(averages, z[name], self.previous[name])
        values = {p.name: self._values(p, z) for p in self.network.populations}
        gates: dict[str, Gate] = dict(signals)
        for c in self.network.comparators:
            gates[c.name] = gate(c, values[c.population], signals[c.modulator])
            if c.points:
                gates[c.name] = gates[c.name] * _named(c, values[c.population])
        for p in self.network.projections:
            for term in p.rule.terms if isinstance(p.rule, LearningRule) else ():
                known = values[p.source] if not heard or p.name not in heard else heard[p.name]
                pre = known[term.pre]
                post = post_value(term, values[p.target], gates)
                self.weights[p.name] += change(self.network, p, pre, post)
        for population in self.network.populations:
            self.apical[population.name] = self._arrived(population, Compartment.APICAL, z)
        self.previous = dict(z)

    def _values(self, population: Population, z: Mapping[str, np.ndarray]) -> Values:
        now, before = z[population.name], self.previous[population.name]
        values = {
            Quantity.COUNT: now,
            Quantity.PREVIOUS_COUNT: before,
            Quantity.CHANGE: now - before,
            Quantity.SURROGATE: ((now > 0) & (now < 1)).astype(float),
            Quantity.PREVIOUS_SURROGATE: ((before > 0) & (before < 1)).astype(float),
            Quantity.APICAL: self.apical[population.name],
            Quantity.RETRO: self._arrived(population, Compartment.RETRO, z),
        }
        for p in self.network.arriving[population.name]:  # what a map hears of its means
            if p.connection is Connection.SPREAD:
                source = self.network.population(p.source)
                collected = self._values(source, z)[p.carries]
                values[p.carries] = np.repeat(collected, population.size // source.size)
        averages = self.averages.get(population.name)
        if averages is not None:
            spread = averages.variance + averages.epsilon
            values[Quantity.DEVIATION] = (now - averages.mean) / spread
        return values

    def _arrived(
        self, population: Population, compartment: Compartment, z: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        total = np.zeros(population.size)
        for p in self.network.arriving[population.name]:
            if (p.compartment, p.carries) == (compartment, Quantity.COUNT):
                total += self.weights[p.name] @ z[p.source]
        return total


def averaged(averages: Averages, z: np.ndarray, c: np.ndarray) -> Averages:
    """The running averages after one more fixation."""
    mean = averages.mean + averages.share * ((z + c) / 2 - averages.mean)
    spread = (np.square(z - mean) + np.square(c - mean)) / 2
    variance = averages.variance + averages.share * (spread - averages.variance)
    return Averages(averages.signal, averages.share, averages.epsilon, mean, variance)


def gate(comparator: Comparator, values: Values, y: float) -> float:
    """What the comparator broadcasts."""
    if comparator.classes:
        known = 0 <= y < comparator.classes
        right = named_class(comparator, values) == y
        return (comparator.largest if right else -1.0) * known
    u = float(np.sum(_product(values, comparator.score)))
    norm = 1.0
    if comparator.norm is not None:
        norm = float(np.linalg.norm(values[comparator.norm]))
        if norm == 0:
            return 0.0
    stays, left = comparator.margins
    return y / norm if y * u / norm < (left if y < 0 else stays) else 0.0


def named_class(critic: Comparator, values: Values) -> int:
    """The class that the population names: the first of those with the largest sum."""
    scores = _product(values, critic.score)
    return int(np.argmax([scores[k :: critic.classes].sum() for k in range(critic.classes)]))


def _named(critic: Comparator, values: Values) -> np.ndarray:
    """1 at the neurons of the class that is named, 0 at others, without the noise of scores."""
    size = len(_product(values, critic.score))
    return (np.arange(size) % critic.classes == named_class(critic, values)).astype(float)


def post_value(term: Term, post: Values, gates: Mapping[str, Gate]) -> np.ndarray:
    """What a term says at each postsynaptic neuron, its coefficient included, (N,)."""
    value: Gate = 1.0 if term.gate is None else gates[term.gate]
    product = _product(post, term.post)
    if term.rewarded:
        surprise = np.heaviside(value, 0.0) - product
        return np.asarray(term.coefficient * np.abs(np.sign(value)) * surprise)
    rectified = {"": value, "half": np.maximum(0.0, value), "full": np.abs(value)}
    return np.asarray(term.coefficient * rectified[term.rectified] * product)


def change(network: Network, p: Projection, pre: np.ndarray, post: np.ndarray) -> np.ndarray:
    """The change of all synapses, shaped as the weights; of a kernel the sum over positions."""
    if p.connection is not Connection.CONVOLUTION:
        return np.outer(post, pre)
    source, target = (network.population(name).map for name in (p.source, p.target))
    taps = p.weights.shape[-1]
    margin = taps // 2
    framed = np.pad(pre.reshape(source), ((0, 0), (margin, margin), (margin, margin)))
    windows = np.lib.stride_tricks.sliding_window_view(framed, (taps, taps), axis=(1, 2))
    return np.einsum("oyx,iyxab->oiab", post.reshape(target), windows, optimize=True)


def _product(values: Values, quantities: tuple[Quantity, ...]) -> np.ndarray:
    return np.asarray(math.prod(values[q] for q in quantities))
