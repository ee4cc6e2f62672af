"""What a program may ask of Lava's fixed-point models; everything else is refused by name."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator

from clapp_neuro.errors import InputError
from compiler.backends.lava.wiring import folded, projections, signal_phase
from compiler.connectivity import fan_in
from compiler.dendrites import adds_spikes
from compiler.ir import PRE_QUANTITIES, Compartment, Connection, Quantity
from compiler.products import decimations, general, managed
from compiler.program import (
    MEMBRANE_MAX,
    TRACE_MAX,
    Gate,
    Program,
    ProgramPopulation,
    Relay,
    Synapses,
    Tally,
)
from compiler.terms import CHANNELWISE, COMPARTMENT_OF
from compiler.trace import Stimulus
from compiler.turns import in_turn

INTENSITY_MAX = 255
WEIGHT_MAX = 127  # a static weight is doubled, and must then fit 8 bits
TAG_MAX = 255
DECIMATION_MAX = 9  # Lava reads one digit of u_k
INT32_BITS = 31


def require_expressible(program: Program, stimulus: Stimulus, learn: bool) -> None:
    """Raises InputError that lists everything that keeps Lava from running the program."""
    if os.name != "posix":
        raise InputError("Lava's processes are started by fork: run Lava on Linux or macOS")
    problems = list(_problems(program, learn)) + list(_missing_input(program, stimulus, learn))
    if problems:
        raise InputError("Lava cannot run this program: " + "; ".join(problems))


def _problems(program: Program, learn: bool) -> Iterator[str]:
    if not any(p.soma is not None for p in program.populations):
        yield "it has no LIF population"
    if program.weight_max > WEIGHT_MAX:
        yield f"weights up to {program.weight_max}, at most {WEIGHT_MAX} fit"
    for population in program.populations:
        yield from _messages(program, population)
    for synapses in projections(program, learn):
        yield from _delivery(program, synapses)
        if learn and synapses.rule is not None:
            yield from _plasticity(program, synapses)
    if learn:
        yield from _period(program)
        for gate in program.gates:
            yield from _gate(program, gate)
        for population in program.populations:
            yield from _signals(program, population)


def _period(program: Program) -> Iterator[str]:
    timetable = program.timetable
    top = max(p.level for p in program.populations)
    needed = timetable.predict + 1 + top
    reads_late = program.plastic or program.gates
    if reads_late and timetable.period < needed:
        yield f"a period of {timetable.period} steps is too short for {top} levels, not {needed}"
    if any(timetable.predict < gate.decided(timetable.steps) for gate in program.gates):
        yield "the timetable has no step for the comparators"
    if program.plastic and program.tag_max > TAG_MAX:
        yield f"tags up to {program.tag_max}, at most {TAG_MAX} fit"


def _messages(program: Program, population: ProgramPopulation) -> Iterator[str]:
    steps = program.timetable.steps
    for message in population.messages:
        if population.spiking and message.step < steps:
            yield f"{population.name} sends a message at tau {message.step}, when it spikes"
        if message.quantity is Quantity.WINNER and not isinstance(population.soma, Relay):
            yield f"{population.name} sends who won, but is no relay"


def _delivery(program: Program, synapses: Synapses) -> Iterator[str]:
    source, target = program.population(synapses.source), program.population(synapses.target)
    if target.soma is None:
        yield f"{synapses.name} ends on the input {target.name}"
        return
    if synapses.paired:
        return
    if synapses.compartment is not Compartment.SOMA:
        yield from _collected(program, synapses, source)
    elif not source.spiking and not target.latched:
        yield f"{synapses.name} drives {target.name} by spikes, which {source.name} does not send"
    if synapses.connection in CHANNELWISE or synapses.connection is Connection.ALL_TO_ALL:
        return
    largest = INTENSITY_MAX if not source.spiking else max(1, source.sequence)
    sums = fan_in(synapses.connection, synapses.weights.shape) * program.weight_max * largest
    if folded(synapses) and sums > MEMBRANE_MAX:
        yield f"the sums of {synapses.name} may need more than the 24 bits of Lava's Conv"
    if not folded(synapses) and 2 * sums >= 1 << INT32_BITS:
        yield f"the sums of {synapses.name} may need more than the 32 bits of Lava's Sparse"


def _collected(program: Program, synapses: Synapses, source: ProgramPopulation) -> Iterator[str]:
    """What a compartment other than the soma hears: one message a fixation, from any level."""
    if adds_spikes(program, synapses):
        return
    if len(synapses.listens) != 1:
        yield f"{synapses.name} listens {len(synapses.listens)} times, a compartment once"
    for tau in synapses.listens:
        if all(message.step != tau for message in source.messages):
            yield f"{synapses.name} listens at tau {tau}, when {source.name} sends no message"
    if synapses.compartment is Compartment.INHIBITION and not isinstance(source.soma, Relay):
        yield f"{synapses.name} inhibits, but {source.name} are no relays"


def _plasticity(program: Program, synapses: Synapses) -> Iterator[str]:
    assert synapses.rule is not None
    source, target = program.population(synapses.source), program.population(synapses.target)
    for k in decimations(synapses.rule):
        if k > DECIMATION_MAX:
            yield f"{synapses.name} learns every 2^{k} steps, at most 2^{DECIMATION_MAX}"
    if managed(synapses):
        how = "from one position after the other" if in_turn(synapses) else "in its tag alone"
        yield (
            f"{synapses.name} learns {how}, which no process of Lava's does: compile with "
            "--kernels untied or tied-averaged, or run it on the simulator"
        )
        return
    if general(synapses):
        if synapses.connection is not Connection.ALL_TO_ALL:
            yield f"{synapses.name} learns from spike times, with synapses that are not all-to-all"
        yield from _overwritten(program, synapses, source)
        return
    sent = {m.step: m for m in source.messages if m.quantity in PRE_QUANTITIES}
    for slot in synapses.slots:
        message = sent.get(slot + target.level - source.level)
        if message is None:
            yield f"{synapses.name} learns at tau {slot}, when {source.name} sends no trace"
            continue
        largest = _largest_count(program, source)
        # Lava rounds payload / 2 half to even, so only even payloads mean what the program says.
        if message.lift < 1 or (largest >> message.drop) << (message.lift - 1) > TRACE_MAX:
            yield f"{source.name} sends a trace at tau {message.step} that is odd or beyond 7 bits"
    for value in target.post_values:
        if value.register == synapses.rule.register and value.step not in synapses.slots:
            yield (
                f"{target.name} writes {value.register} at tau {value.step}, when {synapses.name} "
                f"does not learn; in Lava it would"
            )


def _overwritten(program: Program, synapses: Synapses, source: ProgramPopulation) -> Iterator[str]:
    """Every graded message becomes x1, in eight bits, unless x1 is an exponential trace."""
    assert synapses.rule is not None
    if any(trace.name == "x1" for trace in synapses.rule.traces):
        return
    largest = _largest_count(program, source)
    for message in source.messages:
        if (largest >> message.drop) << message.lift > 2 * INTENSITY_MAX:
            yield f"{source.name} sends a trace at tau {message.step} that is beyond 8 bits"


def _gate(program: Program, gate: Gate) -> Iterator[str]:
    """Lava's Dense adds the score messages in 32 bits."""
    population = program.population(gate.population)
    if population.soma is None:
        yield f"gate {gate.name} compares the input {population.name}"
        return
    sums = [(gate.score, gate.score_shift)]
    if gate.norm is not None:
        sums.append(((gate.norm, gate.norm), 0))
    for factors, shift in sums:
        largest = math.prod(_largest(program, population.name, q) for q in factors)
        largest += 1 << gate.noise
        bound = population.size * (min(largest, MEMBRANE_MAX) >> shift)
        if bound >= 1 << INT32_BITS:
            yield (
                f"a score of {gate.name} may need {bound.bit_length() + 1} bits, Lava adds in 32"
            )


def _largest_count(program: Program, population: ProgramPopulation) -> int:
    if population.soma is None:
        return INTENSITY_MAX
    most = population.soma.most if isinstance(population.soma, Tally) else 1
    return program.timetable.steps * most


def _largest(program: Program, population: str, quantity: Quantity) -> int:
    if quantity in (Quantity.COUNT, Quantity.PREVIOUS_COUNT, Quantity.CHANGE):
        return _largest_count(program, program.population(population))
    if quantity is Quantity.DEVIATION:
        return MEMBRANE_MAX
    if quantity in COMPARTMENT_OF:
        inputs = [
            s
            for s in program.synapses
            if s.target == population and s.compartment is COMPARTMENT_OF[quantity]
        ]
        if any(s.connection in CHANNELWISE for s in inputs):
            return MEMBRANE_MAX  # somebody else's prediction
        reached = sum(program.weight_max * INTENSITY_MAX * s.weights.shape[1] for s in inputs)
        return min(reached, MEMBRANE_MAX)
    return 1


def _signals(program: Program, population: ProgramPopulation) -> Iterator[str]:
    for value in population.post_values:
        if value.gate is None:
            continue
        known = value.gate in program.modulators or value.gate in {g.name for g in program.gates}
        if not known:
            yield f"{population.name} reads the gate '{value.gate}', which nothing sends"
        elif value.step + population.level < signal_phase(program, value.gate):
            yield (
                f"{population.name} reads {value.gate} at tau {value.step}, before it has arrived"
            )


def _missing_input(program: Program, stimulus: Stimulus, learn: bool) -> Iterator[str]:
    if stimulus.fixations == 0:
        yield "there are no fixations in the input"
    for population in program.populations:
        if population.soma is not None:
            continue
        given = stimulus.intensities.get(population.name)
        steps = (program.timetable.steps,) if population.sequence else ()
        if given is None or given.shape[1:] != (*steps, population.size):
            shape = "(" + ", ".join(["F", *map(str, steps), str(population.size)]) + ")"
            yield f"the input needs intensities of shape {shape} for {population.name}"
    for modulator in program.modulators if learn else ():
        labels = stimulus.signals.get(modulator)
        if labels is None or len(labels) < stimulus.fixations:
            yield f"the input needs one value of '{modulator}' a fixation"
