"""Real weights, decays and thresholds to the integers of a core; every loss is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from clapp_neuro.errors import unknown
from compiler.ir import (
    Compartment,
    Network,
    Neuron,
    Projection,
    SpatialMean,
)
from compiler.passes.quantizing.integer_weights import IntegerWeights
from compiler.passes.quantizing.layer_precision import LayerPrecision
from compiler.passes.quantizing.round_soma import round_soma
from compiler.program import MEMBRANE_MAX, TAG_UNITS, Relay, Soma, Tally
from compiler.report import Note
from compiler.targets.limits import Limits
from compiler.terms import CHANNELWISE

MAXIMUM = 100.0  # the percentile that no weight exceeds
PLASTIC_HEADROOM = 2.0  # plastic weights may grow to twice their largest value ...
PLASTIC_RANGE = (
    0.5  # ... or to half of what alone reaches the threshold (or margin), if that is more
)


@dataclass(frozen=True)
class Quantized:
    """The network beside its integers, and what rounding did to each layer of LIF neurons."""

    network: Network
    integers: dict[str, IntegerWeights]
    somas: dict[str, Soma | Relay | Tally]
    layers: tuple[LayerPrecision, ...] = ()


def quantize(
    network: Network,
    weight_max: int,
    limits: Limits | None = None,
    percentile: float = MAXIMUM,
    exponents: Mapping[str, int] | None = None,
) -> tuple[Quantized, tuple[Note, ...]]:
    """Chooses units, rounds weights to +-weight_max and neurons to fixed point.

    limits: what the machine can hold of decays, thresholds and biases; None for what engines hold.
    percentile: of the magnitudes of a projection's weights, which the largest integer stands for;
    larger weights are clipped, and counted. Projections onto the same compartment share one unit,
    since their sums are added there. exponents: of the weights of populations, by name; the others
    get the largest that leaves room (`compiler.passes.quantizing.round_soma`). Raises InputError
    for one that does not fit, or is of no population of LIF neurons.
    """
    asked = dict(exponents or {})
    neurons = [p.name for p in network.populations if isinstance(p.neuron, Neuron)]
    for name in asked:
        if name not in neurons:
            raise unknown("layer", name, neurons)
    notes: list[Note] = []
    layers: list[LayerPrecision] = []
    units = _units(network, weight_max, percentile)
    integers = {}
    for p in network.projections:
        if p.connection in CHANNELWISE:  # bits and ones, which nothing scales
            integers[p.name] = IntegerWeights(p.weights.astype(np.int8), None, 1.0)
        else:
            integers[p.name] = _round_weights(p, units[p.target, p.compartment], weight_max, notes)
    somas: dict[str, Soma | Relay | Tally] = {}
    for population in network.populations:
        if isinstance(population.neuron, Neuron):
            unit = units.get((population.name, Compartment.SOMA), 1.0)
            exponent = asked.get(population.name)
            soma, note, layer = round_soma(
                network, population, integers, unit, weight_max, limits, exponent
            )
            somas[population.name] = soma
            notes.append(note)
            layers.append(layer)
        elif isinstance(population.neuron, SpatialMean):
            somas[population.name] = Tally(population.neuron.positions)
        elif population.neuron is not None:
            (pool,) = network.arriving[population.name]
            somas[population.name] = Relay(pool.weights.size)
    return Quantized(network, integers, somas, tuple(layers)), tuple(notes)


def _units(
    network: Network, weight_max: int, percentile: float
) -> dict[tuple[str, Compartment], float]:
    ranges: dict[tuple[str, Compartment], float] = {}
    for p in network.projections:
        if p.connection in CHANNELWISE:
            continue
        peak = _largest(p.weights, percentile)
        if p.rule is not None:
            floor = PLASTIC_RANGE
            threshold = _threshold(network, p.target)
            if p.compartment is Compartment.SOMA and threshold is not None:
                floor *= threshold / network.population(p.source).largest
            peak = max(PLASTIC_HEADROOM * peak, floor)
        key = (p.target, p.compartment)
        ranges[key] = max(ranges.get(key, 0.0), peak)
    # All-zero static weights have no scale of their own; any unit represents them exactly.
    units = {key: (peak if peak > 0 else 1.0) / weight_max for key, peak in ranges.items()}
    for name, compartment in units:
        threshold = _threshold(network, name)
        if compartment is Compartment.SOMA and threshold is not None:
            # A threshold beyond the membrane's 24 bits could not be crossed: weights that small
            # get a coarser unit, whose rounding error the notes show.
            coarsest = threshold / (MEMBRANE_MAX - 1)
            units[name, compartment] = max(units[name, compartment], coarsest)
    return units


def _largest(weights: np.ndarray, percentile: float) -> float:
    """The largest magnitude that integers have to hold; the largest of all where that is 0."""
    magnitudes = np.abs(weights)
    if percentile < MAXIMUM and magnitudes.size:
        held = float(np.percentile(magnitudes, percentile))
        if held > 0:
            return held
    return float(magnitudes.max(initial=0.0))


def _threshold(network: Network, population: str) -> float | None:
    """The largest threshold of a population; None where it has none."""
    neuron = network.population(population).neuron
    if not isinstance(neuron, Neuron) or neuron.threshold is None:
        return None
    return float(np.max(neuron.threshold))


def _round_weights(
    projection: Projection, unit: float, weight_max: int, notes: list[Note]
) -> IntegerWeights:
    exact = projection.weights.astype(np.float64) / unit
    rounded = np.clip(np.rint(exact), -weight_max, weight_max)
    tags = None
    kept = rounded
    if projection.rule is not None:
        # a tag holds what rounding dropped, not what was clipped
        within = np.clip(exact, -weight_max, weight_max)
        tags = np.rint((within - rounded) * TAG_UNITS).astype(np.int16)
        kept = rounded + tags / TAG_UNITS
    norm = float(np.linalg.norm(exact))
    lost = float(np.linalg.norm(exact - rounded)) / norm if norm > 0 else 0.0
    residual = float(np.linalg.norm(exact - kept)) / norm if norm > 0 else 0.0
    clipped = int((np.abs(np.rint(exact)) > weight_max).sum())
    zeroed = int(((rounded == 0) & (exact != 0)).sum())
    text = f"unit {unit:.4g}, rounding error {lost:.2%} of the norm"
    if tags is not None:
        text += f" ({residual:.3%} with the rest in 1/{TAG_UNITS} of it)"
    text += f", {zeroed} of {exact.size} rounded to 0, {clipped} clipped"
    notes.append(Note("quantize", projection.name, text, lost))
    return IntegerWeights(rounded.astype(np.int8), tags, unit)
