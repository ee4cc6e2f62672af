"""Lowers a rule that learns once a fixation: a learning slot and a post value for each term.

A term coefficient * gate * prod(post) * pre becomes one learning slot: the presynaptic soma sends
its trace x1, the postsynaptic soma writes Y = round(gate * prod(post) * multiplier / 2^shift) into
the projection's register, and the learning engine adds 2^exponent * x1 * Y to the tag. In real
numbers the tag must change by

    coefficient * prod(post) * pre / (unit / 64)  =  kappa * P * x1,       P the integer post value

and the engine adds x1 * Y * 2^(exponent - 3) (it drops the lowest three bits of the product), so
Y = P * kappa * 2^(3 - exponent). Y is kept a multiple of what makes x1 * Y divisible by 8, so that
nothing is dropped; what that rounds away, the soma rounds stochastically. That rounding is one
error for all synapses of the neuron, so traces are multiples of 8 and Y can be finer.
"""

from __future__ import annotations

import math

from clapp_neuro.errors import InputError
from compiler.ir import PRE_QUANTITIES, Connection, LearningRule, Projection, Term
from compiler.passes.lowering.consolidation import Consolidation
from compiler.passes.lowering.learning_warnings import stalls, wanders
from compiler.passes.lowering.scales import MULTIPLIER_BITS, post_scale, product_exponent
from compiler.passes.lowering.schedule import Plan
from compiler.passes.lowering.units import (
    expected_steps,
    pre_unit,
    reward_worth,
    term_bound,
    term_peak,
    term_seen,
    term_unit,
    trace_lift,
)
from compiler.passes.quantizing.quantize import Quantized
from compiler.products import PAIR_EXPONENTS
from compiler.program import (
    EXPONENTS,
    PRODUCT_SHIFT,
    REGISTERS,
    TAG_UNITS,
    TRACE_MAX,
    PostValue,
    Product,
    SumOfProducts,
)
from compiler.report import Note
from compiler.terms import CHANNELWISE
from compiler.turns import in_turn

PRODUCT_BITS = 62  # of a post value before it is shifted down


def lower_fixation_rule(
    quantized: Quantized,
    plan: Plan,
    projection: Projection,
    notes: list[Note],
    consolidation: Consolidation,
    register: str,
) -> tuple[SumOfProducts, list[PostValue], int]:
    """The rule, the post values that it reads, and how fine it counts (`Synapses.fine`).

    Raises InputError for synapses that cannot learn, for a term that has no product, and for a
    learning rate beyond what a learning step holds.
    """
    assert isinstance(projection.rule, LearningRule)
    _require_plastic(projection, consolidation)
    drop, lift = trace_lift(quantized.network, projection.source)
    unit = quantized.integers[projection.name].unit
    exponents = PAIR_EXPONENTS if in_turn(projection) else EXPONENTS
    granularity = max(1, 2**PRODUCT_SHIFT >> lift)
    terms = projection.rule.terms
    gains, peaks, seen = [], [], []
    for term in terms:
        _require_known(term, projection)
        pre = pre_unit(quantized, projection.source) * 2.0**drop / 2.0**lift
        post = term_unit(quantized, projection.target, term)
        gains.append(term.coefficient * pre * post * consolidation.units / unit)
        peaks.append(term_peak(quantized, projection.target, term))
        seen.append(term_seen(quantized, projection.target, term))
        _require_room(term_bound(quantized, projection.target, term), projection)
    fine = 0
    if in_turn(projection):
        fine = _finest(gains, peaks, consolidation.fine)
        gains = [gain * 2**fine for gain in gains]
    largest = max(abs(g) * peak for g, peak in zip(gains, peaks, strict=True))
    measured = max(abs(g) * peak for g, peak in zip(gains, seen, strict=True))
    exponent = product_exponent(exponents, largest, measured, projection)
    values = []
    for term, tau, gain in zip(terms, plan.slots[projection.name], gains, strict=True):
        exact = gain * 2.0 ** (PRODUCT_SHIFT - exponent) / granularity
        multiplier, shift = post_scale(exact, term, projection)
        values.append(
            PostValue(
                tau,
                register,
                term.post,
                term.gate,
                multiplier,
                shift,
                granularity,
                stream=0,
                rectified=term.rectified,
                reward=reward_worth(quantized, projection.target, term),
            )
        )
        error = abs(multiplier / 2**shift / exact - 1) if exact else 0.0
        smallest = granularity * 2.0 ** (exponent - PRODUCT_SHIFT + lift)
        smallest /= consolidation.units << fine
        steps = expected_steps(quantized, projection.target, term, exact)
        trace = f"pre.{term.pre.value}" if drop == 0 else f"(pre.{term.pre.value} >> {drop})"
        text = (
            f"at tau {tau}: x1 = {trace} << {lift}, y = {granularity}·"
            f"round(post·{multiplier}/2^{shift}); learning rate within {error:.2%}, "
            f"smallest step {smallest:.2g} of a weight unit, largest expected y "
            f"{steps * granularity:.3g} of {TRACE_MAX}"
        )
        notes.append(Note("learning", projection.name, text, error))
        notes += stalls(projection.name, str(term), steps, granularity)
    notes += wanders(projection.name, quantized.integers[projection.name].weights, consolidation)
    if any(in_turn(p) for p in quantized.network.projections):
        return _carried_elsewhere(exponent, register, in_turn(projection)), values, fine
    return consolidation.rule(exponent, register, plan.carry_exponent), values, fine


def _carried_elsewhere(exponent: int, register: str, pair: bool) -> SumOfProducts:
    """Nothing reaches the weight that is used: that is left to the management processor.

    As a `pair`, the synapse adds up in a weight of its own, too (`products.pairs`).
    """
    learned = Product(exponent, ("x0", "x1", register))
    if not pair:
        return SumOfProducts(dw=(), dt=(learned,))
    bits = TAG_UNITS.bit_length() - 1
    return SumOfProducts(
        dw=(Product(0, ("x0", "sgn(t)")),),
        dt=(learned, Product(bits, ("x0", "sgn(t)"), sign=-1)),
    )


def _finest(gains: list[float], peaks: list[float], most: int) -> int:
    """How fine a learner's weight may count, so that no post value is clipped; see `Synapses`.

    most: what its weight has room for.

    Rounding in a tag is noise, as much of it as all positions bring, not as their sum.
    """
    largest = max(abs(g) * peak for g, peak in zip(gains, peaks, strict=True))
    room = TRACE_MAX * 2.0 ** (PAIR_EXPONENTS[-1] - PRODUCT_SHIFT)
    return next((f for f in range(most, 0, -1) if largest * 2**f <= room), 0)


def _require_plastic(projection: Projection, consolidation: Consolidation) -> None:
    kernels = projection.connection in (Connection.UNTIED, Connection.CONVOLUTION)
    if kernels and consolidation.kind != "carry":
        raise InputError(
            f"projection {projection.name}: kernels learn by a carry only, not by "
            f"consolidation '{consolidation.kind}': use a machine with tags of "
            f"{TAG_UNITS.bit_length() + 1} bits, or compile with learning left out (--static)"
        )
    if projection.connection in CHANNELWISE:
        raise InputError(
            f"projection {projection.name}: a {projection.connection.value} has no synapses of "
            "its own that could learn; compile with learning left out (--static)"
        )


def _require_known(term: Term, projection: Projection) -> None:
    if term.pre not in PRE_QUANTITIES:
        raise InputError(
            f"projection {projection.name}: '{term.pre.value}' is not something that a presynaptic "
            f"neuron sends; use one of {', '.join(q.value for q in PRE_QUANTITIES)}"
        )
    if len(term.post) > 3:
        raise InputError(f"projection {projection.name}: a post value has at most 3 factors")


def _require_room(largest: float, projection: Projection) -> None:
    """Post values are products in 64 bits, which must not wrap before they are clipped."""
    if largest * 2**MULTIPLIER_BITS >= 2.0**PRODUCT_BITS:
        bits = math.log2(largest) + MULTIPLIER_BITS
        raise InputError(
            f"projection {projection.name}: a product of its rule may need {bits:.0f} bits, more "
            f"than {PRODUCT_BITS}: use fewer factors, or smaller layers"
        )


def free_register(projection: Projection, values: list[PostValue]) -> str:
    """A register that none of the target's post values is written to; InputError without one."""
    used = {v.register for v in values}
    free = [r for r in REGISTERS if r not in used]
    if not free:
        raise InputError(
            f"population {projection.target} has more than {len(REGISTERS)} plastic projections; "
            f"a synapse sees the post registers {', '.join(REGISTERS)} only: make some static"
        )
    return free[0]
