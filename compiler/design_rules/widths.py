"""Bits: of weights, tags, traces, messages and sums, and how long a spike is held back."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.design_rules.violation import Violation, over
from compiler.ir import Compartment
from compiler.passes.placing.usage import SMALLER_SOURCES
from compiler.products import has_tag
from compiler.program import TRACE_MAX, Program, Synapses
from compiler.recurrence import drives, held_back
from compiler.soundness.widths import largest_payload, largest_sum
from compiler.targets import NeuromorphicMachine
from compiler.targets.limits import Limits
from compiler.terms import CHANNELWISE, COMPARTMENT_OF
from compiler.turns import in_turn, turns_of

SCORE_BITS = 24  # scores are clipped to 24 bits


def check_widths(program: Program, machine: NeuromorphicMachine) -> Iterator[Violation]:
    limits = machine.limits
    graded = machine.capabilities.graded_spikes.value  # without them no payload has any width
    weight_bits = program.weight_max.bit_length() + 1
    tag_bits = program.tag_max.bit_length() + 1
    traces = {(s.source, slot) for s in program.synapses for slot in _trace_steps(program, s)}
    for p in program.populations:
        sent = {m.step: largest_payload(program, p, m) for m in p.messages}
        learned = [payload >> 1 for step, payload in sent.items() if (p.name, step) in traces]
        remedy = "show a fixation for fewer time steps"
        if graded and sent:
            signed = any(m.quantity in COMPARTMENT_OF for m in p.messages)
            bits = max(sent.values()).bit_length() + int(signed)
            yield from over(p.name, "payload", bits, limits, "payload_bits", "bits", remedy)
        if graded and p.sequence > 1:
            bits, smaller = p.sequence.bit_length() + 1, "scale what it is given to smaller values"
            yield from over(p.name, "payload", bits, limits, "payload_bits", "bits", smaller)
        if learned:
            bits = max(learned).bit_length()
            remedy = "counts fill 7 bits: use a machine with such traces, or leave learning out"
            yield from over(p.name, "trace x1", bits, limits, "trace_bits", "bits", remedy)
    for g in program.gates if graded else ():
        if g.serial:
            continue
        remedy = "use a machine with wider payloads, or a larger score shift"
        yield from over(g.name, "score message", SCORE_BITS, limits, "payload_bits", "bits", remedy)
    for s in program.synapses:
        if drives(program, s):
            held, remedy = held_back(program, s), "shorten it, or put populations in between"
            yield from over(s.name, "delay", held, limits, "longest_delay", "steps", remedy)
        remedy = f"quantise to weights of at most {2 ** int(limits.weight_bits.value - 1) - 1}"
        yield from over(s.name, "weight", weight_bits, limits, "weight_bits", "bits", remedy)
        if s.connection in CHANNELWISE:
            largest, remedy = int(s.weights.max()), "use a machine with wider weights"
            if largest > program.weight_max:
                most = program.weight_max
                yield Violation(s.name, "a neighbour's bit", largest, most, "units", remedy)
        if s.rule is not None and has_tag(s.rule):
            remedy = "use a machine with wider tags, or compile without learning (--static)"
            yield from over(s.name, "tag", tag_bits, limits, "tag_bits", "bits", remedy)
        for trace in s.rule.traces if s.rule is not None else ():
            bits = TRACE_MAX.bit_length()
            remedy = "use a machine with wider traces, or compile without learning (--static)"
            yield from over(
                s.name, f"trace {trace.name}", bits, limits, "trace_bits", "bits", remedy
            )


def check_accumulators(program: Program, limits: Limits) -> Iterator[Violation]:
    """Sums must be exact in the machine's accumulator whatever the activity; v is clipped later."""
    bound = 2.0 ** (limits.accumulator_bits.value - 1) - 1
    for p in program.populations:
        for compartment in Compartment:
            total = largest_sum(program, program.arriving[p.name], compartment)
            node = f"{p.name}.{compartment.value}"
            remedy = f"{SMALLER_SOURCES}, or show a fixation for fewer time steps"
            yield from over(
                node,
                "largest possible sum",
                total,
                limits,
                "accumulator_bits",
                "units of weight x payload",
                remedy,
                most=bound,
                needs=total.bit_length() + 1,
            )


def _trace_steps(program: Program, s: Synapses) -> set[int]:
    """The source's steps whose message becomes the trace x1 of the projection."""
    climbs = program.population(s.target).level - program.population(s.source).level
    if in_turn(s):
        return {turns_of(program, s).sent(slot, climbs) for slot in s.slots}
    return {slot + climbs for slot in s.slots}
