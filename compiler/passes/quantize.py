"""Real weights, decays and thresholds to the integers of a core; every loss is measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from compiler.connectivity import fan_in
from compiler.ir import (
    Compartment,
    Network,
    Neuron,
    Population,
    Projection,
    SpatialMean,
)
from compiler.program import MEMBRANE_BITS, MEMBRANE_MAX, TAG_UNITS, Relay, Soma, Tally
from compiler.report import Note
from compiler.terms import CHANNELWISE

DECAY_ONE = 4096  # a decay of 1 in 12-bit fixed point
INPUT_SHIFT_MAX = 6  # Loihi adds synaptic current shifted left by 6
PLASTIC_HEADROOM = 2.0  # plastic weights may grow to twice their largest value ...
PLASTIC_RANGE = (
    0.5  # ... or to half of what alone reaches the threshold (or margin), if that is more
)


@dataclass(frozen=True)
class IntegerWeights:
    """Weights in units of `unit`; what rounding dropped waits in the tags where there are any."""

    weights: np.ndarray
    tags: np.ndarray | None
    unit: float


@dataclass(frozen=True)
class Quantized:
    """The network beside its integers."""

    network: Network
    integers: dict[str, IntegerWeights]
    somas: dict[str, Soma | Relay | Tally]


def quantize(network: Network, weight_max: int) -> tuple[Quantized, tuple[Note, ...]]:
    """Chooses units, rounds weights to +-weight_max and neurons to fixed point.

    Projections onto the same compartment share one unit, since their sums are added there.
    """
    notes: list[Note] = []
    units = _units(network, weight_max)
    integers = {}
    for p in network.projections:
        if p.connection in CHANNELWISE:  # bits and ones, which nothing scales
            integers[p.name] = IntegerWeights(p.weights.astype(np.int8), None, 1.0)
        else:
            integers[p.name] = _round_weights(p, units[p.target, p.compartment], weight_max, notes)
    somas: dict[str, Soma | Relay | Tally] = {}
    for population in network.populations:
        if isinstance(population.neuron, Neuron):
            unit = units[population.name, Compartment.SOMA]
            somas[population.name] = _round_soma(network, population, unit, weight_max, notes)
        elif isinstance(population.neuron, SpatialMean):
            somas[population.name] = Tally(population.neuron.positions)
        elif population.neuron is not None:
            (pool,) = network.arriving[population.name]
            somas[population.name] = Relay(pool.weights.size)
    return Quantized(network, integers, somas), tuple(notes)


def largest_message(network: Network, source: str) -> int:
    """The largest value that a forward message of the population carries: 255 or one spike."""
    return 255 if network.population(source).graded else 1


def _units(network: Network, weight_max: int) -> dict[tuple[str, Compartment], float]:
    ranges: dict[tuple[str, Compartment], float] = {}
    for p in network.projections:
        if p.connection in CHANNELWISE:
            continue
        peak = float(np.abs(p.weights).max(initial=0.0))
        if p.rule is not None:
            neuron = network.population(p.target).neuron
            floor = PLASTIC_RANGE
            if p.compartment is Compartment.SOMA and isinstance(neuron, Neuron):
                floor *= neuron.threshold / largest_message(network, p.source)
            peak = max(PLASTIC_HEADROOM * peak, floor)
        key = (p.target, p.compartment)
        ranges[key] = max(ranges.get(key, 0.0), peak)
    # All-zero static weights have no scale of their own; any unit represents them exactly.
    units = {key: (peak if peak > 0 else 1.0) / weight_max for key, peak in ranges.items()}
    for name, compartment in units:
        neuron = network.population(name).neuron
        if compartment is Compartment.SOMA and isinstance(neuron, Neuron):
            # A threshold beyond the membrane's 24 bits could not be crossed: weights that small
            # get a coarser unit, whose rounding error the notes show.
            coarsest = neuron.threshold / (MEMBRANE_MAX - 1)
            units[name, compartment] = max(units[name, compartment], coarsest)
    return units


def _round_weights(
    projection: Projection, unit: float, weight_max: int, notes: list[Note]
) -> IntegerWeights:
    exact = projection.weights.astype(np.float64) / unit
    rounded = np.clip(np.rint(exact), -weight_max, weight_max)
    tags = None
    kept = rounded
    if projection.rule is not None:
        tags = np.rint((exact - rounded) * TAG_UNITS).astype(np.int16)
        kept = rounded + tags / TAG_UNITS
    norm = float(np.linalg.norm(exact))
    lost = float(np.linalg.norm(exact - rounded)) / norm if norm > 0 else 0.0
    residual = float(np.linalg.norm(exact - kept)) / norm if norm > 0 else 0.0
    clipped = int((np.abs(np.rint(exact)) > weight_max).sum())
    zeroed = int(((rounded == 0) & (exact != 0)).sum())
    text = f"unit {unit:.4g}, rounding error {lost:.2%} of the norm"
    if tags is not None:
        text += f" ({residual:.3%} with the rest in the tags)"
    text += f", {zeroed} of {exact.size} rounded to 0, {clipped} clipped"
    notes.append(Note("quantize", projection.name, text, lost))
    return IntegerWeights(rounded.astype(np.int8), tags, unit)


def _round_soma(
    network: Network, population: Population, unit: float, weight_max: int, notes: list[Note]
) -> Soma:
    neuron = population.neuron
    assert isinstance(neuron, Neuron)
    driving = [p for p in network.arriving[population.name] if p.compartment is Compartment.SOMA]
    latched = any(network.population(p.source).graded for p in driving)
    peak = sum(
        fan_in(p.connection, p.weights.shape) * weight_max * largest_message(network, p.source)
        for p in driving
    )
    room = MEMBRANE_BITS - max(1, peak).bit_length()
    constant = max((abs(b) for b in population.bias), default=0.0)
    largest = max(neuron.threshold, constant) / unit
    spare = math.floor(math.log2(MEMBRANE_MAX / largest))  # for threshold and bias
    shift = int(np.clip(min(room, spare), 0, INPUT_SHIFT_MAX))
    threshold = neuron.threshold / unit * 2**shift
    decay = round(min(max(neuron.decay, 0.0), 1.0) * DECAY_ONE)
    exact = [b / unit * 2**shift for b in population.bias]
    bias = tuple(min(max(round(b), -MEMBRANE_MAX), MEMBRANE_MAX) for b in exact)
    soma = Soma(decay, round(threshold), neuron.reset, shift, latched, bias)
    error = abs(soma.threshold / threshold - 1) if threshold else 0.0
    text = (
        f"threshold {soma.threshold} (error {error:.1e}), decay {decay}/4096 "
        f"(error {abs(decay / DECAY_ONE - neuron.decay):.1e}), current << {shift}"
    )
    if bias:
        norm = math.hypot(*exact)
        lost = math.dist(exact, bias) / norm if norm else 0.0
        clipped = sum(abs(b) > MEMBRANE_MAX for b in exact)
        text += f", bias (error {lost:.1e} of the norm, {clipped} clipped)"
    if room < 0:
        text += f"; currents beyond 2^{MEMBRANE_BITS} are clipped and counted"
    notes.append(Note("quantize", population.name, text, error))
    return soma
