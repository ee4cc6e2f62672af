"""Design rules: every limit of a target that a network or program breaks, all at once.

Nothing here raises: `check` returns what does not fit, by how much, and what would make it fit;
`refuse` turns that into the error that a command shows.
"""

from __future__ import annotations

from collections.abc import Iterator

from clapp_neuro.errors import InputError
from compiler.connectivity import axon_fan_in
from compiler.ir import Compartment, LearningRule, Network
from compiler.passes.place import place_what_fits
from compiler.passes.placement import Placement
from compiler.passes.usage import (
    AXONS_IN,
    AXONS_OUT,
    FAN_IN,
    FORMATS,
    INDEX,
    KINDS,
    MEMORY,
    NEURONS,
    SMALLER_SOURCES,
    STATE,
    THRESHOLDS,
    Misfit,
    key_of,
)
from compiler.products import decimations, has_tag, in_slots, post_registers
from compiler.program import TRACE_MAX, Program, Relay, Soma, Synapses, Tally
from compiler.recurrence import drives, held_back
from compiler.somata_limits import check_somata
from compiler.spike_timing import SpikeTimingRule
from compiler.targets import (
    Limits,
    NeuromorphicMachine,
    Target,
    load_machine,
    machine_names,
)
from compiler.terms import CHANNELWISE, COMPARTMENT_OF, Reset
from compiler.turns import in_turn, turns_of
from compiler.violation import Violation, farthest_first, over
from compiler.widths import largest_payload, largest_sum

# What neurons of a fixed kind do; a reset to zero at once has the spikes of one that is delayed.
FIXED_RESETS = (Reset.SUBTRACT, Reset.ZERO, Reset.ZERO_AT_ONCE)
LONGEST_DELAY = 62  # time steps: Loihi's synapses have 6 bits for it, and no target states less
LEARNING_EPOCH = 1  # time steps: every program learns where a message arrived, at once
SCORE_BITS = 24  # scores are clipped to 24 bits
# What one neuron or row exceeds, as placing names it: the words of a refusal and the unit.
CORE_LIMITS = {
    NEURONS: ("neurons", "neurons"),
    MEMORY: ("synaptic memory of {}", "bytes"),
    STATE: ("state of {}", "bytes"),
    AXONS_IN: ("axons into its core", "axons"),
    AXONS_OUT: ("axons out of {}", "axons"),
    FAN_IN: ("fan-in", "synapses"),
    INDEX: ("index of a synapse", "bits"),
    KINDS: ("kinds of neuron", "entries"),
    THRESHOLDS: ("thresholds", "entries"),
    FORMATS: ("formats of synapses on {}", "entries"),
}


def check(
    subject: Program | Network,
    target: Target | NeuromorphicMachine,
    placed: tuple[Placement, tuple[Misfit, ...]] | None = None,
) -> tuple[Violation, ...]:
    """All violations, those farthest beyond their limit first; empty where it fits.

    A `Network` is checked for what is known before lowering (capabilities, registers, fan-in,
    length of a fixation); a `Program` for everything.
    """
    machine = target.machine if isinstance(target, Target) else target
    if isinstance(subject, Network):
        return farthest_first(_check_network(subject, machine))
    found = list(check_capabilities(subject, machine))
    found += _check_widths(subject, machine)
    found += _check_learning(subject, machine.limits)
    found += _check_accumulators(subject, machine.limits)
    found += check_somata(subject, machine.limits)
    sizes = list(_check_cores(machine, *(placed or place_what_fits(subject, machine))))
    return farthest_first([*found, *sizes])


class LimitError(InputError):
    """A network that a target cannot hold: all `violations`, and what `also` is wrong.

    `suggested` are sentences about what was assumed and what would fit.
    """

    def __init__(
        self,
        text: str,
        violations: tuple[Violation, ...],
        also: str,
        suggested: tuple[str, ...],
    ) -> None:
        super().__init__(text)
        self.violations, self.also, self.suggested = violations, also, suggested


def refuse(
    violations: tuple[Violation, ...],
    target: str,
    also: str = "",
    suggested: tuple[str, ...] = (),
) -> None:
    """LimitError that lists all violations, `also` and `suggested`; returns where none is."""
    if not violations:
        return
    missing = len({v.limit for v in violations if v.unit == "capability"})
    exceeded = sum(v.unit != "capability" for v in violations)
    counts = []
    if missing:
        counts.append(f"{missing} {'capability' if missing == 1 else 'capabilities'} missing")
    if exceeded:
        counts.append(f"{exceeded} {'limit' if exceeded == 1 else 'limits'} exceeded")
    lines = [f"the network does not fit {target}, {' and '.join(counts)}:"]
    lines += [f"  {v}" for v in violations]
    lines += [f"  {line}" for line in (also, *suggested) if line]
    raise LimitError("\n".join(lines), violations, also, suggested)


def _capability(node: str, limit: str, machine: NeuromorphicMachine, key: str) -> Violation | None:
    if getattr(machine.capabilities, key).value:
        return None
    able = []
    for name in machine_names():
        other = load_machine(name)
        if not isinstance(other, NeuromorphicMachine):
            continue
        # without lists of synapses a machine takes no program with inputs, whatever else it can do
        if getattr(other.capabilities, key).value and other.capabilities.axon_lists.value:
            able += [f"{name}-{backend}" for backend in other.backends]
    where = f"compile for {' or '.join(able)}" if able else "no target that ships has it"
    return Violation(node, limit, 1, 0, "capability", where)


def check_capabilities(program: Program, machine: NeuromorphicMachine) -> list[Violation]:
    """What the program needs that the machine cannot do."""
    needs = []
    for p in program.populations:
        if p.messages:
            needs.append(
                (p.name, "graded spikes (counts or intensities as payload)", "graded_spikes")
            )
        if p.soma is None:
            needs.append((p.name, "axons that lead to lists of synapses", "axon_lists"))
        if p.post_values:
            needs.append((p.name, "a soma that writes post values", "programmable_soma"))
        if p.averages is not None:
            needs.append((p.name, "a soma that averages and divides", "programmable_soma"))
        if any(v.gate is not None for v in p.post_values):
            needs.append((p.name, "a third factor sent by another neuron", "third_factor"))
        if isinstance(p.soma, Relay):
            needs.append((p.name, "a soma that remembers its first spike", "programmable_soma"))
        if isinstance(p.soma, Tally):
            needs.append((p.name, "a soma that adds up a map", "programmable_soma"))
        reset = _reset(p.soma)
        if reset is not None and reset not in FIXED_RESETS:
            needs.append((p.name, f"a soma that resets by '{reset.value}'", "programmable_soma"))
        if p.sequence > 1:
            needs.append((p.name, "graded spikes (values given step by step)", "graded_spikes"))
    for g in program.gates:
        needs.append((g.name, "a soma that compares its sum", "programmable_soma"))
        if not g.serial:
            needs.append((g.name, "graded spikes (scores as payload)", "graded_spikes"))
        if g.norm is not None:
            needs.append((g.name, "a soma that takes a root and divides", "programmable_soma"))
    needs += [
        (s.target, "a soma that forgets its count", "programmable_soma")
        for s in program.synapses
        if s.compartment is Compartment.INHIBITION
    ]
    needs += [
        (s.name, "somata that pass on what they heard some steps ago", "programmable_soma")
        for s in program.synapses
        if in_turn(s)
    ]
    needs += [
        (s.name, "plastic synapses", "learning") for s in program.synapses if s.rule is not None
    ]
    lacking = (_capability(node, limit, machine, key) for node, limit, key in needs)
    return [missing for missing in lacking if missing is not None]


def _reset(soma: Soma | Relay | Tally | None) -> Reset | None:
    """What a spike does to a neuron; None for what does not spike by a potential."""
    if not isinstance(soma, Soma) or soma.threshold is None:
        return None
    return Reset(soma.reset)


def _check_widths(program: Program, machine: NeuromorphicMachine) -> Iterator[Violation]:
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
            yield from over(p.name, "trace x1", bits, limits, "trace_bits", "bits", remedy)
    for g in program.gates if graded else ():
        if g.serial:
            continue
        remedy = "use a machine with wider payloads, or a larger score shift"
        yield from over(g.name, "score message", SCORE_BITS, limits, "payload_bits", "bits", remedy)
    for s in program.synapses:
        if drives(program, s):
            held, remedy = held_back(program, s), "shorten it, or put populations in between"
            if held > LONGEST_DELAY:
                yield Violation(s.name, "delay", held, LONGEST_DELAY, "steps", remedy)
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


def _check_learning(program: Program, limits: Limits) -> Iterator[Violation]:
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
            remedy = "learn more often" if s.rule.traces else "carry more often"
            limit = "exponent of u_k" if s.rule.traces else "exponent of the carry"
            yield from over(s.name, limit, k, limits, "decimation_exponent", "log2 steps", remedy)
            # A carry comes every 2^k steps and must fall on the same step of each fixation.
            if in_slots(s) and 2**k % period:
                remedy = "choose a period that is a power of two and at most 2^k"
                limit = f"2^{k} steps between carries modulo the period of a fixation,"
                yield Violation(s.name, limit, 2**k % period, 0, "steps", remedy)
        steps, remedy = LEARNING_EPOCH, "use a machine that learns"
        yield from over(s.name, "learning epoch", steps, limits, "learning_epoch", "steps", remedy)


def _check_accumulators(program: Program, limits: Limits) -> Iterator[Violation]:
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


def _check_cores(
    machine: NeuromorphicMachine, placement: Placement, misfits: tuple[Misfit, ...]
) -> Iterator[Violation]:
    for m in misfits:
        limit, unit = CORE_LIMITS[m.limit]
        yield from over(
            m.node, limit.format(m.part), m.actual, machine.limits, key_of(m.limit), unit, m.remedy
        )
    cores, figure = len(placement.cores), machine.limits.usable_cores_per_chip
    needs = "what does fit a core" if misfits else "it"
    remedy = (
        f"{needs} needs {cores:,} cores, a chip has {figure.value:,.0f}: "
        "use fewer or smaller layers"
    )
    yield from over("network", "chips", placement.chips, machine.limits, "chips", "chips", remedy)


def _check_network(network: Network, machine: NeuromorphicMachine) -> Iterator[Violation]:
    limits = machine.limits
    for p in network.populations:
        arriving = network.arriving[p.name]
        plastic = [q for q in arriving if q.rule is not None]
        counting = [q for q in plastic if isinstance(q.rule, LearningRule)]
        rewarded = [
            q for q in plastic if isinstance(q.rule, SpikeTimingRule) and q.rule.eligibility
        ]
        needs = [("plastic synapses", "learning")] if plastic else []
        if any(isinstance(q.rule, LearningRule) and q.rule.traces is None for q in counting):
            needs.append(("graded spikes (counts or intensities as payload)", "graded_spikes"))
        if counting or rewarded:
            needs.append(("a soma that writes post values", "programmable_soma"))
        if p.averages is not None:
            needs.append(("a soma that averages and divides", "programmable_soma"))
        gated = any(
            t.gate for q in counting if isinstance(q.rule, LearningRule) for t in q.rule.terms
        )
        if gated or rewarded:
            needs.append(("a third factor sent by another neuron", "third_factor"))
        for limit, key in needs:
            missing = _capability(p.name, limit, machine, key)
            if missing is not None:
                yield missing
        registers = len(counting)
        remedy = "make some of its projections static"
        yield from over(
            p.name, "post registers", registers, limits, "post_registers", "registers", remedy
        )
        shared = machine.capabilities.shared_kernels.value
        total = sum(
            axon_fan_in(q.connection, q.weights.shape, shared and q.rule is None) for q in arriving
        )
        remedy = SMALLER_SOURCES
        yield from over(p.name, "fan-in", total, limits, "fan_in_per_neuron", "synapses", remedy)
    if any(isinstance(q.rule, LearningRule) for q in network.projections):
        steps = network.schedule.steps
        remedy = "show a fixation for fewer time steps"
        most = 2.0**limits.trace_bits.value - 1
        yield from over(
            "schedule",
            "spike count in a trace",
            steps,
            limits,
            "trace_bits",
            "spikes",
            remedy,
            most=most,
            needs=steps.bit_length(),
        )


def _trace_steps(program: Program, s: Synapses) -> set[int]:
    """The source's steps whose message becomes the trace x1 of the projection."""
    climbs = program.population(s.target).level - program.population(s.source).level
    if in_turn(s):
        return {turns_of(program, s).sent(slot, climbs) for slot in s.slots}
    return {slot + climbs for slot in s.slots}
