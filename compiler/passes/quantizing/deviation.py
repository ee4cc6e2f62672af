"""How far integers may drift from real numbers: a bound for every neuron, stated beforehand.

It holds for whatever a neuron may be shown: each of its sources sends as much as it can, one way
or the other, in every step. So intervals of what can arrive, and of what the real neuron can hold,
go through its steps, and beside them those of the errors (`compiler.passes.quantizing.drift`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from compiler.ir import Compartment, Network, Population
from compiler.passes.quantizing.drift import Drift, Span, Spikes, Step
from compiler.passes.quantizing.integer_weights import IntegerWeights
from compiler.program import Soma
from compiler.real_numbers.cells import PAY_LATER, Parameters, real_parameters, whole_parameters
from compiler.real_numbers.linear import through
from compiler.terms import Reset


@dataclass(frozen=True)
class Deviation:
    """Bounds (N,) in the source's unit, over all steps of a presentation.

    potential: how far the two are apart while all spikes are the same. threshold: how near to its
    threshold a potential has to come for its spike to differ; 0 for what never spikes.
    """

    potential: np.ndarray
    threshold: np.ndarray


def deviation(
    network: Network,
    population: Population,
    integers: Mapping[str, IntegerWeights],
    soma: Soma,
    unit: float,
) -> Deviation:
    """The bounds for a population of LIF neurons whose weights are these `integers`."""
    real = real_parameters(population)
    whole = whole_parameters(soma, population.map)
    weights = {p.name: p.weights for p in network.arriving[population.name]}
    arriving = reach_of_current(network, population, weights)
    wrong = reach_of_current(network, population, errors_of(weights, integers))
    drift, reach = Drift(real, whole, unit / 2**soma.input_shift), _Reach(real)
    apart, near = drift.v.magnitude, np.zeros(population.size)
    for _ in range(network.schedule.steps):
        drift.step(wrong, reach.step(arriving))
        apart = np.maximum(apart, drift.v.magnitude)
        near = np.maximum(near, drift.distance.magnitude)
        if real.reset is Reset.SUBTRACT_ONCE:  # what is left is held against the threshold, too
            near = np.maximum(near, drift.v.moved(-drift.threshold).magnitude)
    return Deviation(apart, near if real.threshold is not None else np.zeros(population.size))


def errors_of(
    weights: Mapping[str, np.ndarray], integers: Mapping[str, IntegerWeights]
) -> dict[str, np.ndarray]:
    """What rounding added to the weights of each projection."""
    return {n: integers[n].weights * integers[n].unit - w for n, w in weights.items()}


def reach_of_current(
    network: Network, population: Population, weights: Mapping[str, np.ndarray]
) -> Span:
    """(N,) from the least to the most that can arrive in a step, through these weights."""
    low, high = np.zeros(population.size), np.zeros(population.size)
    for p in network.arriving[population.name]:
        if p.compartment is not Compartment.SOMA:
            continue
        source = network.population(p.source)
        most = np.full((1, source.size), float(source.largest))
        least = -most if source.sequence > 1 else np.zeros_like(most)
        for part in (np.maximum(weights[p.name], 0.0), np.minimum(weights[p.name], 0.0)):
            ends = [
                through(p.connection, part, sent, source.map, population.map, p.geometry)[0]
                for sent in (least, most)
            ]
            low, high = low + np.minimum(*ends), high + np.maximum(*ends)
    return Span(low, high)


class _Reach:
    """From where to where current and potential of real neurons can be, whatever arrives."""

    def __init__(self, of: Parameters) -> None:
        nothing, never = np.zeros(len(of.decay)), np.zeros(len(of.decay), bool)
        self._of = of
        self._u, self._v = Span.exactly(nothing), Span.exactly(of.start)
        self._spiked = Spikes(never, never)

    def step(self, arriving: Span) -> Step:
        """One step, of which anything in `arriving` may come."""
        of, u, v, h = self._of, self._u, self._v, self._of.threshold
        self._u = arriving if of.current_decay is None else u.times(of.current_decay) + arriving
        drive = self._u.moved(of.bias)
        whole = v.times(of.decay) + drive
        if h is None:
            self._v = whole
            return Step(u, v, self._spiked, self._spiked)
        paid = _above(v, h) if of.reset is Reset.SUBTRACT_ONCE else self._spiked
        before = whole
        if of.reset in PAY_LATER:
            most = np.where(paid.may, h, np.inf)  # no spike: not above h, but where it starts
            below = Span(np.minimum(v.low, most), np.minimum(v.high, most))
            below = below.times(of.decay) + drive
            above = Span(np.maximum(v.low, h), np.maximum(v.high, h)).times(of.decay) + drive
            nothing = Span.exactly(np.zeros_like(h))
            after = {Reset.SUBTRACT: above.moved(-h), Reset.ZERO: drive, Reset.CLEAR: nothing}
            before = paid.choose(after[of.reset], below)
        elif of.reset is Reset.SUBTRACT_ONCE:
            before = paid.choose(whole.moved(-h), whole)
        self._spiked = _above(before, h)
        self._v = before
        if of.reset in (Reset.SUBTRACT_AT_ONCE, Reset.SUBTRACT_ONCE, Reset.ZERO_AT_ONCE):
            self._v = self._after_a_reset_at_once(whole, paid, h)
        return Step(u, v, paid, self._spiked)

    def _after_a_reset_at_once(self, whole: Span, paid: Spikes, h: np.ndarray) -> Span:
        """Subtract once: asked is `whole` less h where an earlier spike is still to be paid."""
        zero = self._of.reset is Reset.ZERO_AT_ONCE
        once = self._of.reset is Reset.SUBTRACT_ONCE
        silent_to = np.where(paid.may, 2 * h, h) if once else h
        silent = Span(np.minimum(whole.low, silent_to), np.minimum(whole.high, silent_to))
        spiking = Span(np.maximum(whole.low, h), np.maximum(whole.high, h)).moved(-h)
        nothing = Span.exactly(np.zeros_like(h))
        return self._spiked.choose(nothing if zero else spiking, silent)


def _above(values: Span, threshold: np.ndarray) -> Spikes:
    return Spikes(values.high > threshold, values.low > threshold)
