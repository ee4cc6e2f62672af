"""A compiled program with another gate threshold, rate or interval: what a run may choose anew."""

from __future__ import annotations

import math
from dataclasses import replace

from clapp_neuro.errors import InputError
from compiler.products import decimation
from compiler.program import MEMBRANE_MAX, PostValue, Product, Program, SumOfProducts

SHIFT_MAX = 31  # of a post value


def with_margin(program: Program, factor: float) -> Program:
    """Every comparator's margin times `factor`: below 1 gates close sooner, so less is learned.

    Raises InputError for a factor that is not positive, or leaves nothing of a margin, and for
    programs that have none.
    """
    if not (math.isfinite(factor) and factor > 0):
        raise InputError(f"a margin {factor:g} times as large: give a number above 0")
    if factor != 1 and not program.gates:
        raise InputError("the program learns without a gate: there is no margin to change")
    gates = []
    for gate in program.gates:
        margins = [round(m * factor) for m in gate.margins]
        for before, after in zip(gate.margins, margins, strict=True):
            if (before != 0 and after == 0) or abs(after) > MEMBRANE_MAX:
                raise InputError(
                    f"{gate.name}: a margin of {before} times {factor:g} is not one of 24 bits"
                )
        left = None if gate.left is None else margins[1]
        gates.append(replace(gate, margin=margins[0], left=left))
    return replace(program, gates=tuple(gates))


def with_rate(program: Program, factor: float) -> Program:
    """The learning rate times `factor`: post values are shifted down by less or more.

    Those that tell when tags are carried stay as they are. At a higher rate more post values
    saturate; engines count them.

    Raises InputError for a factor that is no power of two, or beyond what the shift of a post value
    holds, and for rules without post values.
    """
    if not (math.isfinite(factor) and factor > 0 and math.frexp(factor)[0] == 0.5):
        raise InputError(f"a learning rate {factor:g} times as large: give a power of two")
    doublings = math.frexp(factor)[1] - 1
    shifts = [v.shift for p in program.populations for v in p.post_values if not v.carries]
    if doublings and not shifts:
        raise InputError("the program learns without post values: its rate cannot be changed here")
    if doublings and not max(shifts) - SHIFT_MAX <= doublings <= min(shifts):
        raise InputError(
            f"a learning rate {factor:g} times as large: give 2^{max(shifts) - SHIFT_MAX} to "
            f"2^{min(shifts)}"
        )
    populations = tuple(
        replace(p, post_values=tuple(_doubled(v, doublings) for v in p.post_values))
        for p in program.populations
    )
    return replace(program, populations=populations)


def _doubled(value: PostValue, doublings: int) -> PostValue:
    return value if value.carries else replace(value, shift=value.shift - doublings)


def with_interval(program: Program, fixations: int, longest: int) -> Program:
    """Tags, or the low synapses of pairs, are consolidated every so many fixations instead.

    longest: the largest k of a dependency u_k on the program's machine. Raises InputError for a
    number that is no power of two, or beyond it, and for rules that consolidate nothing. The
    management processor, which carries pairs, counts any number of fixations.
    """
    if program.low:
        return _with_processor(program, fixations)
    steps = fixations * program.timetable.period
    if fixations < 1 or steps & (steps - 1) or steps > 1 << longest:
        most = (1 << longest) // program.timetable.period
        raise InputError(
            f"consolidated every {fixations} fixations: give a power of two, at most {most}"
        )
    if not any(s.rule is not None and s.rule.dt for s in program.synapses):
        raise InputError("the program learns without tags: there is nothing to consolidate")
    if any(v.carries for p in program.populations for v in p.post_values):
        raise InputError(
            "the program learns from traces of spikes, in steps that its rules say themselves: its "
            "interval cannot be chosen anew"
        )
    due = f"u{steps.bit_length() - 1}"
    synapses = tuple(
        s if s.rule is None else replace(s, rule=_due(s.rule, due)) for s in program.synapses
    )
    return replace(program, synapses=synapses)


def _with_processor(program: Program, fixations: int) -> Program:
    if fixations < 1:
        raise InputError(f"carried every {fixations} fixations: give at least 1")
    synapses = tuple(replace(s, averaged=fixations) if s.averaged else s for s in program.synapses)
    return replace(program, synapses=synapses)


def _due(rule: SumOfProducts, due: str) -> SumOfProducts:
    def changed(products: tuple[Product, ...]) -> tuple[Product, ...]:
        return tuple(
            p if decimation(p.factors[0]) is None else replace(p, factors=(due, *p.factors[1:]))
            for p in products
        )

    return replace(rule, dw=changed(rule.dw), dt=changed(rule.dt))
