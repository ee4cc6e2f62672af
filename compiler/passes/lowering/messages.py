"""Graded messages: what a population sends in which step, and which of them a projection hears."""

from __future__ import annotations

from compiler.ir import PRE_QUANTITIES, Compartment, LearningRule, Projection, Quantity
from compiler.passes.lowering.schedule import Plan
from compiler.passes.lowering.slots import spread_at
from compiler.passes.lowering.units import trace_lift
from compiler.passes.quantizing.quantize import Quantized
from compiler.program import Message
from compiler.turns import Turns, in_turn


def messages_of(quantized: Quantized, plan: Plan, population: str) -> tuple[Message, ...]:
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
            (step,), _ = heard_by(quantized, plan, p)
            sent[step] = Message(step, p.carries, 0, 0)
        elif plan.slots:
            (step,), _ = heard_by(quantized, plan, p)
            sent[step] = Message(step, Quantity.COUNT, drop, lift + 1)
        terms = p.rule.terms if isinstance(p.rule, LearningRule) and p.rule.traces is None else ()
        turns = Turns(*network.population(p.target).map[1:], p.weights.shape[-1])
        for term, tau in zip(terms, plan.slots.get(p.name, ()), strict=True):
            step = turns.sent(tau, climbs) if in_turn(p) else tau + climbs
            stride = turns.stride if in_turn(p) else 0
            sent[step] = Message(step, term.pre, drop, lift + 1, stride)
    return tuple(sent[step] for step in sorted(sent))


def heard_by(
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
    if plan.together:
        return tuple(range(timetable.steps)), 0
    _, lift = trace_lift(quantized.network, projection.source)
    return (timetable.predict if apical else timetable.retro,), lift + 1  # 2 * (count << lift)
