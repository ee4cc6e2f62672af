"""What learning takes of a machine: post registers, epochs, and how often tags are carried."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.design_rules.violation import Violation, over
from compiler.products import decimations, in_slots, post_registers
from compiler.program import Program
from compiler.targets.limits import Limits

CARRY_MORE_OFTEN = "carry more often (--consolidate-every), or in pairs (--consolidation pair)"
LEARNING_EPOCH = 1  # time steps: every program learns where a message arrived, at once


def check_learning(program: Program, limits: Limits) -> Iterator[Violation]:
    plastic = [s for s in program.synapses if s.rule is not None]
    for p in program.populations:
        arriving = program.arriving[p.name]
        read = [post_registers(s.rule) for s in arriving if s.rule is not None]
        registers = set().union(*read)
        remedy = "make some of its projections static"
        count, unit = len(registers), "registers"
        yield from over(p.name, "post registers", count, limits, "post_registers", unit, remedy)
    for s in plastic:
        assert s.rule is not None
        period = program.timetable.period
        for k in decimations(s.rule):
            remedy = "learn more often" if s.rule.traces else CARRY_MORE_OFTEN
            limit = "exponent of u_k" if s.rule.traces else "exponent of the carry"
            yield from over(s.name, limit, k, limits, "decimation_exponent", "log2 steps", remedy)
            # A carry comes every 2^k steps and must fall on the same step of each fixation.
            if in_slots(s) and 2**k % period:
                remedy = "choose a period that is a power of two and at most 2^k"
                limit = f"2^{k} steps between carries modulo the period of a fixation,"
                yield Violation(s.name, limit, 2**k % period, 0, "steps", remedy)
        steps, remedy = LEARNING_EPOCH, "use a machine that learns"
        yield from over(s.name, "learning epoch", steps, limits, "learning_epoch", "steps", remedy)
