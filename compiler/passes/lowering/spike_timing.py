"""Lowers rules that learn from spike times: their traces and sums of products.

A term coefficient * spike * trace becomes one product m * 2^e * dependency * trace, which the
engine adds exactly, in 1/128 of a unit. The trace's impulse takes up what a mantissa of three bits
cannot: m * 2^e * impulse = coefficient / unit, with the largest impulse that a neuron cannot
saturate even if it spikes at every step.

Small changes are learned in the tag, in 1/64 of a weight unit, and whole units are carried into
the weight a few times a fixation: rounding each into a weight of eight bits would make it walk at
random. Changes of a quarter of a unit and more go into the weight itself, since a carry could not
follow them.

With an eligibility the products go into the tag, and every 2^k steps, which is once a
fixation, dw = 2^e * u_k * y * t with y proportional to R written by the soma. The engine shifts
that product right by five: where y is a multiple of 32 nothing is lost, else up to 2^e of a weight
unit is. The unit of the tag follows from both scales.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from clapp_neuro.errors import InputError
from compiler.ir import Network, Projection
from compiler.ir.spike_timing import Eligibility, PairTerm, Spike, SpikeTimingRule, SpikeTrace
from compiler.passes.lowering.schedule import Plan
from compiler.passes.quantizing.quantize import Quantized
from compiler.products import DECAY_ONE, EXPONENT_RANGE, IMPULSE_ONE, MANTISSA_MAX
from compiler.program import (
    ACCUMULATOR_BITS,
    TAG_UNITS,
    TRACE_MAX,
    PostValue,
    Product,
    SumOfProducts,
    Trace,
)
from compiler.report import Note

PRE_TRACES, POST_TRACES = ("x1", "x2"), ("y1", "y2", "y3")
REWARD_SHIFT = 5  # what the engine drops of a product of a trace and a tag
PAIRS = 16  # full pairs that a tag holds as an eligibility
LARGEST_CARRIED = 1 / 4  # of a weight unit, for a pair with a trace of 1
Scale = tuple[int, int]  # mantissa, exponent


def lower_spike_timing(
    quantized: Quantized, plan: Plan, projection: Projection, notes: list[Note]
) -> tuple[SumOfProducts, list[PostValue]]:
    """The integer rule of a projection, and what its target's soma writes for it.

    Raises InputError, with the projection and the remedy, where no product stands for a term.
    """
    rule = projection.rule
    assert isinstance(rule, SpikeTimingRule)
    unit = quantized.integers[projection.name].unit
    due = f"u{plan.carry_exponent}"
    if rule.eligibility is None:
        if not carried(rule, unit):
            products, traces = _pairs(projection, rule, unit, "weight", notes)
            return SumOfProducts(products, (), traces), []
        products, traces = _pairs(projection, rule, unit / TAG_UNITS, "tag", notes)
        back = Product(TAG_UNITS.bit_length() - 1, (due, "sgn(t)"), sign=-1)
        return SumOfProducts((Product(0, (due, "sgn(t)")),), (*products, back), traces), []
    largest = _largest_reward(quantized.network, rule.eligibility)
    multiplier = TRACE_MAX // largest
    if multiplier >> REWARD_SHIFT:
        multiplier -= multiplier % (1 << REWARD_SHIFT)
    gain = multiplier * largest / 2**REWARD_SHIFT  # of dw, for R = 1
    scale, tag_unit = _reward_scale(projection, rule, rule.eligibility, unit * gain)
    if multiplier % (1 << REWARD_SHIFT):
        lost = f"up to {_value(scale):.2g} of a weight unit of each reward is rounded down"
        notes.append(Note("learning", projection.name, lost))
    products, traces = _pairs(projection, rule, tag_unit, "tag", notes)
    register = _free_register(projection, traces)
    dw = (Product(scale[1], (due, register, "t"), mantissa=scale[0]),)
    dt = (*products, *_forgetting(projection, rule.eligibility, due, notes))
    level = quantized.network.population(projection.target).level
    value = PostValue(
        step=plan.timetable.last_tau(level),
        register=register,
        factors=(),
        gate=rule.eligibility.reward,
        multiplier=multiplier,
        shift=0,
        granularity=1,
        stream=0,
    )
    return SumOfProducts(dw, dt, traces), [value]


def carried(rule: SpikeTimingRule, unit: float) -> bool:
    """Whether weights of that unit learn in their tags; an eligibility has the tag for itself."""
    largest = max((abs(term.coefficient) for term in rule.terms), default=0.0)
    return rule.eligibility is None and largest / unit < LARGEST_CARRIED


def _pairs(
    projection: Projection, rule: SpikeTimingRule, unit: float, target: str, notes: list[Note]
) -> tuple[tuple[Product, ...], tuple[Trace, ...]]:
    """One product and one trace for each term."""
    free = {"pre": iter(PRE_TRACES), "post": iter(POST_TRACES)}
    products, traces = [], []
    for term in rule.terms:
        side, tau = _traced(term, projection)
        name = next(free[side], None)
        if name is None:
            raise InputError(
                f"projection {projection.name}: a synapse has {len(PRE_TRACES)} presynaptic and "
                f"{len(POST_TRACES)} postsynaptic traces; {rule.name} needs more: drop a term"
            )
        decay = round(math.exp(-1 / tau) * DECAY_ONE)
        gain = abs(term.coefficient) / unit
        (mantissa, exponent), impulse = _impulse(gain, decay, projection, target)
        traces.append(Trace(name, decay, impulse))
        dependency = "y0" if side == "pre" else "x0"
        sign = 1 if term.coefficient >= 0 else -1
        product = Product(exponent, (dependency, name), sign, mantissa)
        products.append(product)
        found = mantissa * 2.0**exponent * impulse / IMPULSE_ONE
        error = abs(found / gain - 1) if gain else 0.0
        text = (
            f"{product} with {name} += {impulse / IMPULSE_ONE:.4g}, "
            f"time constant {_tau(decay):.4g} for {tau:g} steps; learning rate within {error:.2%}, "
            f"smallest step {mantissa * 2.0**exponent:.2g} of a {target} unit"
        )
        notes.append(Note("learning", projection.name, text, error))
    return tuple(products), tuple(traces)


def _traced(term: PairTerm, projection: Projection) -> tuple[str, float]:
    """Which side of a pair is the trace, and its time constant."""
    if isinstance(term.pre, SpikeTrace) and isinstance(term.post, Spike):
        side, tau = "pre", term.pre.tau
    elif isinstance(term.pre, Spike) and isinstance(term.post, SpikeTrace):
        side, tau = "post", term.post.tau
    else:
        raise InputError(
            f"projection {projection.name}: a pair is a spike and a trace, not {term}: make one "
            "of them a spike and the other a trace"
        )
    if not tau > 0 or round(math.exp(-1 / tau) * DECAY_ONE) >= DECAY_ONE:
        raise InputError(
            f"projection {projection.name}: a trace with the time constant {tau:g} has no decay "
            f"of twelve bits: give one above 0 and below {DECAY_ONE}"
        )
    return side, tau


def _impulse(gain: float, decay: int, projection: Projection, target: str) -> tuple[Scale, int]:
    """(mantissa, exponent) and the impulse in 1/256 with the largest impulse that may be."""
    if gain == 0:
        return (1, EXPONENT_RANGE[0]), 0
    most = max(1.0, TRACE_MAX * (1 - decay / DECAY_ONE))
    fitting = [s for s in _scales() if gain / _value(s) <= most]
    if not fitting or TRACE_MAX * _value(fitting[0]) >= 1 << (15 - ACCUMULATOR_BITS):
        raise InputError(
            f"projection {projection.name}: the learning rate is too large for the {target}; "
            f"lower it by a factor of {gain / most:.1e}"
        )
    impulse = round(gain / _value(fitting[0]) * IMPULSE_ONE)
    if impulse == 0:
        raise InputError(
            f"projection {projection.name}: the learning rate is too small, its traces would never "
            f"rise; make it larger by a factor of at least {1 / (2 * gain * 2.0**15):.1e}"
        )
    return fitting[0], impulse


def _scales() -> Iterator[Scale]:
    """All scales of a product, smallest first."""
    scales = [(m, e) for e in EXPONENT_RANGE for m in range(1, MANTISSA_MAX + 1)]
    return iter(sorted(scales, key=_value))


def _value(scale: Scale) -> float:
    return float(scale[0] * 2.0 ** scale[1])


def _tau(decay: int) -> float:
    return -1 / math.log(decay / DECAY_ONE) if decay else 0.0


def _largest_reward(network: Network, eligibility: Eligibility) -> int:
    """The largest magnitude of the signal that rewards: a modulator's is 1."""
    found = [c.largest for c in network.comparators if c.name == eligibility.reward]
    return found[0] if found else 1


def _reward_scale(
    projection: Projection, rule: SpikeTimingRule, eligibility: Eligibility, unit: float
) -> tuple[Scale, float]:
    """The scale of dw, and the real value of one unit of the tag: a tag holds PAIRS pairs."""
    largest = max(abs(term.coefficient) for term in rule.terms)
    fitting = [
        exponent
        for exponent in EXPONENT_RANGE
        if largest * eligibility.rate / (unit * 2.0**exponent) <= PAIRS
    ]
    if not fitting or not eligibility.rate > 0:
        raise InputError(
            f"projection {projection.name}: the rate {eligibility.rate:g} of its reward has no "
            "power of two for the engine: choose a smaller one above 0"
        )
    return (1, fitting[0]), unit * 2.0 ** fitting[0] / eligibility.rate


def _forgetting(
    projection: Projection, eligibility: Eligibility, due: str, notes: list[Note]
) -> tuple[Product, ...]:
    """- m * 2^e * u_k * t, which leaves `retention` of the tag."""
    lost = 1 - eligibility.retention
    if not 0 <= eligibility.retention <= 1:
        raise InputError(
            f"projection {projection.name}: {eligibility.retention:g} of an eligibility cannot be "
            "kept: give a retention from 0 to 1"
        )
    if lost == 0:
        return ()
    mantissa, exponent = min(_scales(), key=lambda s: abs(_value(s) - lost))
    error = abs(_value((mantissa, exponent)) / lost - 1)
    kept = 1 - _value((mantissa, exponent))
    text = f"eligibility keeps {kept:.4g} a fixation, for {eligibility.retention:g}"
    notes.append(Note("learning", projection.name, text, error))
    return (replace(Product(exponent, (due, "t"), sign=-1), mantissa=mantissa),)


def _free_register(projection: Projection, traces: tuple[Trace, ...]) -> str:
    used = {trace.name for trace in traces}
    free = [name for name in POST_TRACES if name not in used]
    if not free:
        raise InputError(f"projection {projection.name}: no register is left for its reward")
    return free[0]
