"""What the integers of a quantised network stand for: real units, expected peaks, hard bounds."""

from __future__ import annotations

from clapp_neuro.errors import InputError
from compiler.ir import PRE_QUANTITIES, Compartment, Projection, Quantity
from compiler.passes.quantize import Quantized

LARGEST_WEIGHT = 127  # weights are int8; no target's weight_max is larger
POST_HEADROOM = 2.0  # post values may grow to twice what calibration saw ...
POST_FLOOR = 1.0  # ... or to this much (predictions of a trained layer are of order one)

_COMPARTMENT = {Quantity.APICAL: Compartment.APICAL, Quantity.RETRO: Compartment.RETRO}


def pre_unit(quantized: Quantized, population: str) -> float:
    """The real value of one unit of a population's count."""
    network = quantized.network
    if network.population(population).neuron is None:
        return network.population(population).scale
    return 1.0 / network.schedule.steps


def _arriving(quantized: Quantized, population: str, compartment: Compartment) -> list[Projection]:
    return [
        p
        for p in quantized.network.projections
        if p.target == population and p.compartment is compartment
    ]


def post_unit(quantized: Quantized, population: str, quantity: Quantity) -> float:
    """The real value of one unit of the integer quantity."""
    if quantity in PRE_QUANTITIES:
        return pre_unit(quantized, population)
    if quantity in _COMPARTMENT:
        arriving = _arriving(quantized, population, _COMPARTMENT[quantity])
        if not arriving:
            raise InputError(
                f"a rule of {population} reads its {quantity.value}, but nothing ends there"
            )
        first = arriving[0]
        return quantized.integers[first.name].unit * pre_unit(quantized, first.source)
    return 1.0


def post_peak(quantized: Quantized, population: str, quantity: Quantity) -> float:
    """The largest expected integer value of the quantity: exact for counts, else calibrated."""
    if quantity in PRE_QUANTITIES:
        return float(quantized.network.schedule.steps)
    if quantity in _COMPARTMENT:
        seen = quantized.network.calibration.get(f"{population}.{quantity.value}_max", 0.0)
        peak = max(POST_HEADROOM * seen, POST_FLOOR)
        return peak / post_unit(quantized, population, quantity)
    return 1.0


def bound(quantized: Quantized, population: str, quantity: Quantity) -> float:
    """The largest possible integer value of a quantity."""
    steps = quantized.network.schedule.steps
    if quantity in PRE_QUANTITIES:
        return float(steps)
    if quantity in _COMPARTMENT:
        arriving = _arriving(quantized, population, _COMPARTMENT[quantity])
        return float(sum(LARGEST_WEIGHT * steps * p.weights.shape[1] for p in arriving))
    return 1.0
