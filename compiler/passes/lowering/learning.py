"""Lowers learning rules to what a synapse and a soma of the chip compute.

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
from dataclasses import replace

import numpy as np

from clapp_neuro.errors import InputError
from compiler.ir import (
    PRE_QUANTITIES,
    Compartment,
    Connection,
    LearningRule,
    Projection,
    Quantity,
    Term,
)
from compiler.ir.spike_timing import SpikeTimingRule
from compiler.passes.lowering.averages import lower_averages
from compiler.passes.lowering.consolidation import CARRY, Consolidation
from compiler.passes.lowering.gate import lower_gate
from compiler.passes.lowering.learning_warnings import stalls, wanders
from compiler.passes.lowering.pair import pair_of
from compiler.passes.lowering.schedule import Plan, spread_at
from compiler.passes.lowering.schedule_traces import SERIAL_BITS, traced
from compiler.passes.lowering.spike_timing import lower_spike_timing
from compiler.passes.lowering.traces import lower_traces
from compiler.passes.lowering.units import (
    MULTIPLIER_BITS,
    assumed_peaks,
    expected_steps,
    post_scale,
    pre_unit,
    reward_worth,
    term_bound,
    term_peak,
    term_seen,
    term_unit,
    trace_lift,
)
from compiler.passes.quantizing.quantize import Quantized
from compiler.products import PAIR_EXPONENTS, accumulates
from compiler.program import (
    EXPONENTS,
    PRODUCT_SHIFT,
    REGISTERS,
    TAG_UNITS,
    TRACE_MAX,
    Message,
    PostValue,
    Product,
    Program,
    ProgramPopulation,
    SumOfProducts,
    Synapses,
)
from compiler.report import Note
from compiler.terms import CHANNELWISE
from compiler.turns import Turns, in_turn

PRODUCT_BITS = 62  # of a post value before it is shifted down
POST_STREAMS = 1 << 16  # random streams of post values; below it, streams of projections


def lower_learning(
    quantized: Quantized,
    plan: Plan,
    *,
    target: str,
    seed: int,
    weight_max: int,
    tag_max: int,
    averaged: int = 0,
    consolidation: Consolidation = CARRY,
) -> tuple[Program, tuple[Note, ...]]:
    """The integer program of a quantised network; static networks pass through without rules.

    averaged: after how many fixations the copies of untied kernels are averaged, 0 for never. Where
    kernels learn in turn: after how many the management processor carries all tags into weights.
    consolidation: of rules that learn once a fixation. Raises InputError where what learns in turn
    would never be carried.
    """
    network = quantized.network
    managed = any(in_turn(p) for p in network.projections)
    if managed and averaged < 1:
        raise InputError(f"weights carried every {averaged} fixations: give at least 1")
    notes = assumed_peaks(network)
    post_values: dict[str, list[PostValue]] = {p.name: [] for p in network.populations}
    synapses: list[Synapses] = []
    for index, projection in enumerate(network.projections):
        rule, fine = None, 0
        slots: tuple[int, ...] = ()
        if isinstance(projection.rule, SpikeTimingRule):
            rule, values = lower_spike_timing(quantized, plan, projection, notes)
            post_values[projection.target] += _streamed(values, post_values)
        elif traced(projection):
            taken = post_values[projection.target]
            rule, values = lower_traces(quantized, plan, projection, taken, notes)
            taken += _streamed(values, post_values)
        elif projection.rule is not None:
            slots = plan.slots[projection.name]
            register = _free_register(projection, post_values[projection.target])
            rule, values, fine = _lower_rule(
                quantized, plan, projection, notes, consolidation, register
            )
            post_values[projection.target] += _streamed(values, post_values)
        lowered = _synapses(quantized, plan, projection, index, rule, slots, fine)
        if projection.connection is Connection.UNTIED or (managed and rule is not None):
            lowered = replace(lowered, averaged=averaged)
        if consolidation.kind == "pair" and isinstance(projection.rule, LearningRule):
            low_index = len(network.projections) + index
            dropped = quantized.integers[projection.name].tags
            synapses += pair_of(lowered, dropped, consolidation, low_index, notes)
        else:
            synapses.append(lowered)
    populations = tuple(
        ProgramPopulation(
            name=p.name,
            size=p.size,
            level=p.level,
            soma=quantized.somas.get(p.name),
            messages=_messages(quantized, plan, p.name),
            post_values=tuple(sorted(post_values[p.name], key=lambda v: (v.step, v.register))),
            averages=lower_averages(p, network.schedule.steps, notes),
            shape=p.shape,
            spikes=p.spikes,
            sequence=p.sequence,
        )
        for p in sorted(network.populations, key=lambda p: (p.neuron is not None, p.level))
    )
    serial = SERIAL_BITS if plan.together else 0
    gates = tuple(
        lower_gate(quantized, c, plan.timetable, notes, serial) for c in network.comparators
    )
    program = Program(
        target=target,
        seed=seed,
        timetable=plan.timetable,
        populations=populations,
        synapses=tuple(synapses),
        gates=gates,
        modulators=tuple(m.name for m in network.modulators),
        weight_max=weight_max,
        tag_max=tag_max,
        provenance=network.provenance,
    )
    return program, tuple(notes)


def _streamed(values: list[PostValue], others: dict[str, list[PostValue]]) -> list[PostValue]:
    """The values with random numbers of their own."""
    taken = POST_STREAMS + sum(len(v) for v in others.values())
    return [replace(value, stream=taken + i) for i, value in enumerate(values)]


def _lower_rule(
    quantized: Quantized,
    plan: Plan,
    projection: Projection,
    notes: list[Note],
    consolidation: Consolidation,
    register: str,
) -> tuple[SumOfProducts, list[PostValue], int]:
    """The rule, the post values that it reads, and how fine it counts (`Synapses.fine`)."""
    assert isinstance(projection.rule, LearningRule)
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
    needed = max(abs(g) * peak for g, peak in zip(gains, seen, strict=True))
    excess = needed * 2 ** (PRODUCT_SHIFT - exponents[-1]) / TRACE_MAX
    if excess > 1:
        raise InputError(
            f"projection {projection.name}: the learning rate is too large for a learning step; "
            f"lower it by a factor of {excess:.1f}"
        )
    exponent = next(
        (e for e in exponents if largest * 2.0 ** (PRODUCT_SHIFT - e) <= TRACE_MAX), exponents[-1]
    )
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

    most: so fine at most, or the learner's weight has no room to learn in.

    Rounding in a tag is noise, as much of it as all positions bring, not as their sum.
    """
    largest = max(abs(g) * peak for g, peak in zip(gains, peaks, strict=True))
    room = TRACE_MAX * 2.0 ** (PAIR_EXPONENTS[-1] - PRODUCT_SHIFT)
    return next((f for f in range(most, 0, -1) if largest * 2**f <= room), 0)


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


def _free_register(projection: Projection, values: list[PostValue]) -> str:
    used = {v.register for v in values}
    free = [r for r in REGISTERS if r not in used]
    if not free:
        raise InputError(
            f"population {projection.target} has more than {len(REGISTERS)} plastic projections; "
            f"a synapse sees the post registers {', '.join(REGISTERS)} only: make some static"
        )
    return free[0]


def _synapses(
    quantized: Quantized,
    plan: Plan,
    projection: Projection,
    index: int,
    rule: SumOfProducts | None,
    slots: tuple[int, ...],
    fine: int,
) -> Synapses:
    integers = quantized.integers[projection.name]
    tags = integers.tags
    carried = rule is not None and (
        accumulates(rule) or any("sgn(t)" in p.factors or p.factors[1:] == ("t",) for p in rule.dw)
    )
    if rule is not None and not carried:
        tags = np.zeros(integers.weights.shape, np.int16)  # unused, or an eligibility
    if tags is not None:
        tags = tags << fine
    listens, shift = _listens(quantized, plan, projection)
    return Synapses(
        name=projection.name,
        index=index,
        source=projection.source,
        target=projection.target,
        compartment=projection.compartment,
        weights=integers.weights,
        tags=tags if rule is not None else None,
        unit=integers.unit,
        listens=listens,
        delivery_shift=shift,
        rule=rule,
        slots=slots,
        connection=projection.connection,
        fine=fine,
        delay=projection.delay,
        geometry=projection.geometry,
    )


def _listens(
    quantized: Quantized, plan: Plan, projection: Projection
) -> tuple[tuple[int, ...], int]:
    """The source's tau whose message is for the target, and what its payload was lifted by."""
    timetable = plan.timetable
    if projection.compartment is Compartment.SOMA:
        graded = quantized.network.population(projection.source).graded
        return (0,) if graded else tuple(range(timetable.steps)), 0
    if projection.carries not in PRE_QUANTITIES:
        return (spread_at(timetable.steps, plan.feedback)[projection.carries],), 0
    apical = projection.compartment is Compartment.APICAL
    if apical and plan.together:
        return tuple(range(timetable.steps)), 0
    _, lift = trace_lift(quantized.network, projection.source)
    return (timetable.predict if apical else timetable.retro,), lift + 1  # 2 * (count << lift)


def _messages(quantized: Quantized, plan: Plan, population: str) -> tuple[Message, ...]:
    """The graded messages that some target of the population needs, by step."""
    network = quantized.network
    drop, lift = trace_lift(network, population) if plan.slots else (0, 0)
    level = {p.name: p.level for p in network.populations}
    sent: dict[int, Message] = {}
    for p in network.projections:
        if p.source != population:
            continue
        climbs = level[p.target] - level[p.source]
        if p.compartment is Compartment.SOMA:
            if network.population(population).graded:
                sent[0] = Message(0, Quantity.COUNT, 0, 0)
        elif p.carries not in PRE_QUANTITIES:
            (step,), _ = _listens(quantized, plan, p)
            sent[step] = Message(step, p.carries, 0, 0)
        elif plan.slots:
            (step,), _ = _listens(quantized, plan, p)
            sent[step] = Message(step, Quantity.COUNT, drop, lift + 1)
        terms = p.rule.terms if isinstance(p.rule, LearningRule) and p.rule.traces is None else ()
        turns = Turns(*network.population(p.target).map[1:], p.weights.shape[-1])
        for term, tau in zip(terms, plan.slots.get(p.name, ()), strict=True):
            step = turns.sent(tau, climbs) if in_turn(p) else tau + climbs
            stride = turns.stride if in_turn(p) else 0
            sent[step] = Message(step, term.pre, drop, lift + 1, stride)
    return tuple(sent[step] for step in sorted(sent))
