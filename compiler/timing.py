"""Whether everything in a program's fixation comes when it is needed: messages, gates, epochs."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.ir import Compartment
from compiler.products import carries
from compiler.program import Program, ProgramPopulation, Synapses


def untimely(program: Program) -> Iterator[str]:
    """What would be read before it is there, or sent when nobody can, in words."""
    timetable = program.timetable
    if program.plastic or program.gates:
        needed = timetable.predict + 1 + max(p.level for p in program.populations)
        if timetable.period < needed:
            yield f"a period of {timetable.period} steps is too short for its levels, not {needed}"
    for population in program.populations:
        yield from _of_messages(program, population)
        yield from _of_post_values(program, population)
    for gate in program.gates:
        if timetable.predict < gate.decided(timetable.steps):
            yield f"{gate.name} decides at tau {gate.decided(timetable.steps)}, after the last step"
    for s in program.synapses:
        yield from _of_synapses(program, s)


def _of_messages(program: Program, population: ProgramPopulation) -> Iterator[str]:
    """Counts are known once the presentation is over, and shifted after the step `predict`."""
    timetable = program.timetable
    first = 0 if population.soma is None else timetable.steps
    for message in population.messages:
        if not first <= message.step <= timetable.predict:
            yield f"{population.name} sends a message at tau {message.step}, when it has no count"


def _of_post_values(program: Program, population: ProgramPopulation) -> Iterator[str]:
    gates = {g.name: g for g in program.gates}
    steps = program.timetable.steps
    written = [(v.register, v.step) for v in population.post_values]
    if len({*written}) < len(written):
        yield f"{population.name} writes a register twice in one step"
    for value in population.post_values:
        gate = gates.get(value.gate or "")
        if gate is None:
            continue
        arrives = gate.decided(steps) + 1 + program.population(gate.population).level
        if value.step + population.level < arrives:
            yield (
                f"{population.name} reads {gate.name} at tau {value.step}, before it has arrived "
                f"at {arrives - population.level}"
            )


def _of_synapses(program: Program, s: Synapses) -> Iterator[str]:
    """Every message that a synapse needs is sent, and its post value written, when it learns."""
    source, target = program.population(s.source), program.population(s.target)
    soma, climbs = s.compartment is Compartment.SOMA, target.level - source.level
    if target.soma is None:
        yield f"{s.name} ends on the input {s.target}"
    if climbs != int(soma):
        yield f"{s.name} climbs {climbs} levels onto the {s.compartment.value}"
    if soma and target.latched and source.spiking:
        yield f"{s.name} sends spikes to {s.target}, which latches one message"
    sent = {m.step for m in source.messages}
    needed = {slot + climbs for slot in s.slots}
    spikes = source.spiking and soma
    if not spikes:
        needed |= set(s.listens)
    if not needed <= sent:
        yield f"{s.source} sends nothing at tau {min(needed - sent)}, where {s.name} needs it"
    if soma and s.listens != (tuple(range(program.timetable.steps)) if spikes else (0,)):
        yield f"{s.name} listens at tau {s.listens}, not when {s.source} presents itself"
    if not soma and len(s.listens) != 1:
        yield f"{s.name} listens {len(s.listens)} times, a compartment once a fixation"
    if s.rule is not None and carries(s.rule):
        register = s.rule.register
        written = {v.step for v in target.post_values if v.register == register}
        if written != {*s.slots}:
            steps = sorted(written ^ {*s.slots})
            yield f"{s.name} learns or {s.target} writes {register} at tau {steps}, not both"
