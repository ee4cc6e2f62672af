"""What the integers of a quantised network stand for: real units, expected peaks, hard bounds."""

from __future__ import annotations

import math
from collections.abc import Callable

from clapp_neuro.errors import InputError
from compiler.averages import DEVIATION_BITS
from compiler.connectivity import fan_in
from compiler.ir import (
    PRE_QUANTITIES,
    Compartment,
    LearningRule,
    Network,
    Projection,
    Quantity,
    SpatialMean,
    Term,
)
from compiler.passes.quantizing.quantize import Quantized
from compiler.program import (
    LARGEST_WEIGHT,
    MEMBRANE_MAX,
    NORM_BITS,
    RECIPROCAL_BITS,
    TRACE_MAX,
)
from compiler.report import Note
from compiler.terms import CHANNELWISE, COMPARTMENT_OF

INPUT_DROP, INPUT_LIFT = 4, 3  # an intensity's trace is its upper four bits, times eight
POST_HEADROOM = 2.0  # post values may grow to twice what calibration saw ...

# ... or to this much, which trained layers have, where that fits. What is larger is clipped, and
# counted.
_FLOOR = {Quantity.APICAL: 1.0, Quantity.RETRO: 1.0, Quantity.DEVIATION: 8.0}
CALIBRATED = tuple(_FLOOR)
_COUNTED = (*PRE_QUANTITIES, Quantity.CHANGE)


def pre_unit(quantized: Quantized, population: str) -> float:
    """The real value of one unit of a population's count."""
    network = quantized.network
    if network.population(population).graded:
        return network.population(population).scale
    return 1.0 / largest_count(network, population)


def largest_count(network: Network, population: str) -> int:
    """Spikes that a neuron can count in one fixation: an activity of 1."""
    neuron = network.population(population).neuron
    positions = neuron.positions if isinstance(neuron, SpatialMean) else 1
    return network.schedule.steps * positions


def trace_lift(network: Network, population: str) -> tuple[int, int]:
    """(drop, lift) of x1 = (quantity >> drop) << lift: counts fill the trace's seven bits.

    InputError where a neuron's own count does not fit them.
    """
    if network.population(population).neuron is None:
        return INPUT_DROP, INPUT_LIFT
    steps, largest = network.schedule.steps, largest_count(network, population)
    if steps > TRACE_MAX:
        raise InputError(
            f"{steps} time steps a fixation: counts must fit 7-bit traces, at most {TRACE_MAX}"
        )
    drop = max(0, largest.bit_length() - TRACE_MAX.bit_length())
    return drop, int(math.log2(TRACE_MAX / (largest >> drop)))


def _arriving(quantized: Quantized, population: str, compartment: Compartment) -> list[Projection]:
    return [p for p in quantized.network.arriving[population] if p.compartment is compartment]


def post_unit(quantized: Quantized, population: str, quantity: Quantity) -> float:
    """The real value of one unit of the integer quantity."""
    if quantity in _COUNTED:
        return pre_unit(quantized, population)
    if quantity is Quantity.DEVIATION:
        if quantized.network.population(population).averages is None:
            raise InputError(
                f"a rule of {population} reads its {quantity.value}, but it keeps no averages"
            )
        return 2.0**-DEVIATION_BITS / pre_unit(quantized, population)
    if quantity in COMPARTMENT_OF:
        arriving = _arriving(quantized, population, COMPARTMENT_OF[quantity])
        if not arriving:
            raise InputError(
                f"a rule of {population} reads its {quantity.value}, but nothing ends there"
            )
        first = arriving[0]
        sent = post_unit(quantized, first.source, first.carries)
        if first.carries in PRE_QUANTITIES:
            sent *= 2.0 ** trace_lift(quantized.network, first.source)[0]
        return quantized.integers[first.name].unit * sent
    return 1.0


def gate_unit(quantized: Quantized, gate: str | None) -> float:
    """The real value of one unit of a gate: 1, or what a reciprocal of a norm counts in."""
    for comparator in quantized.network.comparators:
        if comparator.name == gate and comparator.norm is not None:
            norm = post_unit(quantized, comparator.population, comparator.norm)
            return 2.0 ** (NORM_BITS - RECIPROCAL_BITS) / norm
    return 1.0


def term_unit(quantized: Quantized, population: str, term: Term) -> float:
    """The real value of one unit of gate * prod(post)."""
    units = (post_unit(quantized, population, q) for q in term.post)
    return gate_unit(quantized, term.gate) * math.prod(units)


def term_peak(quantized: Quantized, population: str, term: Term) -> float:
    """The largest expected integer value of gate * prod(post)."""
    return _whole_term(quantized, population, term, post_peak)


def term_seen(quantized: Quantized, population: str, term: Term) -> float:
    """The same, of what calibration saw: a scale that does not hold it is refused.

    A 99.9th percentile where it is not exact: without headroom.
    """
    return _whole_term(quantized, population, term, _post_expected)


def expected_steps(quantized: Quantized, population: str, term: Term, scale: float) -> float:
    """The same, in steps of its granularity, of which 1 has `scale`."""
    return abs(scale) * term_seen(quantized, population, term)


def term_bound(quantized: Quantized, population: str, term: Term) -> float:
    """Its largest possible value."""
    return _whole_term(quantized, population, term, bound)


def _whole_term(
    quantized: Quantized,
    population: str,
    term: Term,
    largest: Callable[[Quantized, str, Quantity], float],
) -> float:
    values = {q: largest(quantized, population, q) for q in term.post}
    product = math.prod(values[q] for q in term.post)
    if term.rewarded:
        return product + reward_worth(quantized, population, term)
    for comparator in quantized.network.comparators:
        if comparator.name == term.gate and comparator.norm is not None:
            # A neuron's own share of a norm is at most 1; a norm that is not 0 is at least 1.
            own = comparator.population == population and comparator.norm in values
            product *= 2.0 ** (RECIPROCAL_BITS - NORM_BITS)
            product /= values[comparator.norm] if own else 1.0
    return product


def reward_worth(quantized: Quantized, population: str, term: Term) -> int:
    """A reward of 1 in the unit of what is expected; 0 for a term that expects nothing."""
    if not term.rewarded:
        return 0
    return max(1, round(1 / math.prod(post_unit(quantized, population, q) for q in term.post)))


def post_peak(quantized: Quantized, population: str, quantity: Quantity) -> float:
    """The largest expected integer value of the quantity: exact for counts, else calibrated."""
    if quantity in _COUNTED:
        return _peak_count(quantized, population)
    if quantity in CALIBRATED:
        hoped = _FLOOR[quantity] / post_unit(quantized, population, quantity)
        return max(_post_seen(quantized, population, quantity), hoped)
    return 1.0


def _peak_count(quantized: Quantized, population: str) -> float:
    """The largest expected count; the mean of many positions stays far from all their spikes."""
    network = quantized.network
    largest = float(largest_count(network, population))
    if not isinstance(network.population(population).neuron, SpatialMean):
        return largest
    measured = network.calibration.get(f"{population}_max", 1.0)
    return min(largest, max(1.0, POST_HEADROOM * measured * largest))


def _post_seen(quantized: Quantized, population: str, quantity: Quantity) -> float:
    """`post_peak`, without the floor where calibration measured one."""
    if quantity not in CALIBRATED:
        return post_peak(quantized, population, quantity)
    name = _peak_name(population, quantity)
    measured = quantized.network.calibration.get(name, _FLOOR[quantity] / POST_HEADROOM)
    return POST_HEADROOM * measured / post_unit(quantized, population, quantity)


def _post_expected(quantized: Quantized, population: str, quantity: Quantity) -> float:
    seen = _post_seen(quantized, population, quantity)
    return seen / POST_HEADROOM if quantity in CALIBRATED else seen


def assumed_peaks(network: Network) -> list[Note]:
    """A note for each quantity that a rule reads and whose peak calibration did not measure."""
    read = {
        (p.target, quantity)
        for p in network.projections
        if isinstance(p.rule, LearningRule)
        for term in p.rule.terms
        for quantity in term.post
        if quantity in CALIBRATED and not term.rewarded
    }
    return [
        Note(
            "learning",
            population,
            f"the calibration has no {_peak_name(population, quantity)}: the scale of the post "
            f"values that read it is assumed, for values up to {_FLOOR[quantity]:g}; larger ones "
            "may be clipped",
        )
        for population, quantity in sorted(read)
        if _peak_name(population, quantity) not in network.calibration
    ]


def _peak_name(population: str, quantity: Quantity) -> str:
    return f"{population}.{quantity.value}_max"


def bound(quantized: Quantized, population: str, quantity: Quantity) -> float:
    """The largest possible integer value of a quantity; what is collected stops at 24 bits."""
    network = quantized.network
    if quantity in _COUNTED:
        return float(largest_count(network, population))
    if quantity is Quantity.DEVIATION:
        return float(MEMBRANE_MAX)
    if quantity in COMPARTMENT_OF:
        total = 0.0
        for p in _arriving(quantized, population, COMPARTMENT_OF[quantity]):
            sent = bound(quantized, p.source, p.carries)
            if p.carries in PRE_QUANTITIES:
                sent = int(sent) >> trace_lift(network, p.source)[0]
            largest = LARGEST_WEIGHT if p.connection not in CHANNELWISE else 1
            total += largest * sent * fan_in(p.connection, p.weights.shape)
        return min(total, float(MEMBRANE_MAX))
    return 1.0
