"""Whether the numbers of a program fit the words that engines hold them in.

Payloads of counts have 8 bits, so that their half, the trace x1, has 7; what a mean spreads and who
has won is sent whole, in the 24 bits in which it is held. What arrives at a soma or dendrite is
summed in 32 bits and then clipped to 24; a post value is a product in 64 bits and then clipped to
8. Beyond that engines would wrap, each in its own way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import prod

from compiler.connectivity import fan_in
from compiler.dendrites import adds_spikes
from compiler.ir import PRE_QUANTITIES, Compartment, Quantity
from compiler.program import (
    MEMBRANE_MAX,
    NORM_BITS,
    RECIPROCAL_BITS,
    Gate,
    Message,
    PostValue,
    Program,
    ProgramPopulation,
    Relay,
    Soma,
    Synapses,
    Tally,
)
from compiler.terms import CHANNELWISE, COMPARTMENT_OF

INTENSITY_MAX = 255
PAYLOAD_MAX = 255
SUM_MAX = (1 << 31) - 1
PRODUCT_MAX = (1 << 63) - 1
WHOLE = (Quantity.APICAL, Quantity.RETRO, Quantity.WINNER)  # sent as they are


def overflowing(program: Program) -> Iterator[str]:
    """What may not fit, whatever the network does, in words."""
    for population in program.populations:
        if largest_count(program, population) > MEMBRANE_MAX:
            most = largest_count(program, population)
            yield f"{population.name} counts up to {most}, more than 24 bits"
        for message in population.messages:
            yield from _of_message(program, population, message)
    for population in program.populations:
        ending = program.arriving[population.name]
        for compartment in Compartment:
            largest = largest_sum(program, ending, compartment)
            if compartment is Compartment.SOMA and isinstance(population.soma, Soma):
                # beside potential, synaptic current and threshold, which are added to the current
                constant = max((abs(b) for b in population.soma.bias), default=0)
                largest = (largest << population.soma.input_shift) + constant
                largest += (2 if population.soma.current_decay is None else 3) * MEMBRANE_MAX
            if largest > SUM_MAX:
                yield f"what arrives at {population.name}.{compartment.value} may exceed 32 bits"
        for value in population.post_values:
            if _largest_product(program, population, value, ending) > PRODUCT_MAX:
                yield f"a post value of {population.name} at tau {value.step} may exceed 64 bits"
    for gate in program.gates:
        yield from _of_scores(program, gate, program.arriving[gate.population])
    for s in program.synapses:
        if s.compartment is Compartment.SOMA and s.delivery_shift != 0:
            yield f"{s.name} shifts what it delivers to the soma, which shifts currents itself"
        elif adds_spikes(program, s) and s.delivery_shift != 0:
            yield f"{s.name} shifts what it delivers to a dendrite that adds up spikes"


def _of_message(program: Program, population: ProgramPopulation, message: Message) -> Iterator[str]:
    name, what, most = population.name, message.quantity.value, None
    if message.quantity in PRE_QUANTITIES:
        most = largest_payload(program, population, message)
    elif message.quantity not in WHOLE:
        yield f"{name} sends {what}, which is no count"
    elif message.drop or message.lift:
        yield f"{name} shifts its {what}, which is sent whole"
    if most is not None and most > PAYLOAD_MAX:
        yield f"{name} sends up to {most} at tau {message.step}, not 8 bits"


def _of_scores(program: Program, gate: Gate, arriving: Iterable[Synapses]) -> Iterator[str]:
    population = program.population(gate.population)
    for quantities in (gate.score, () if gate.norm is None else (gate.norm, gate.norm)):
        product = prod(_largest(program, population, q, arriving) for q in quantities)
        if (product + (1 << gate.noise)) * population.size > PRODUCT_MAX:
            yield f"the scores of {gate.name} may exceed 64 bits"


def largest_count(program: Program, population: ProgramPopulation) -> int:
    """Spikes that a neuron can count in a fixation; a mean counts those of all positions."""
    each = population.soma.most if isinstance(population.soma, Tally) else 1
    return program.timetable.steps * each


def largest_payload(program: Program, population: ProgramPopulation, message: Message) -> int:
    """The largest magnitude of the payload of a message."""
    if message.quantity is Quantity.WINNER:
        assert isinstance(population.soma, Relay), "only relays know who has won"
        most = 1 << (population.soma.neighbours - 1)
    elif message.quantity not in PRE_QUANTITIES:
        most = MEMBRANE_MAX
    else:
        counted = population.soma is not None
        most = largest_count(program, population) if counted else INTENSITY_MAX
    return (most >> message.drop) << message.lift


def largest_sum(program: Program, arriving: Iterable[Synapses], compartment: Compartment) -> int:
    """Of all that arrives at a compartment at one time."""
    return sum(
        fan_in(s.connection, s.weights.shape) * _largest_weight(program, s) * _heard(program, s)
        for s in arriving
        if s.compartment is compartment
    )


def _largest_weight(program: Program, s: Synapses) -> int:
    fixed = s.connection in CHANNELWISE
    return int(s.weights.max()) if fixed else program.weight_max


def _heard(program: Program, s: Synapses) -> int:
    """The largest message that drives a projection's target."""
    source = program.population(s.source)
    if s.compartment is Compartment.SOMA and source.spiking:
        return max(1, source.sequence)
    if adds_spikes(program, s):
        return largest_count(program, source)
    heard = [m for m in source.messages if m.step in s.listens]
    return max((largest_payload(program, source, m) for m in heard), default=0)


def _largest_product(
    program: Program,
    population: ProgramPopulation,
    value: PostValue,
    arriving: Iterable[Synapses],
) -> int:
    product = 1
    for quantity in value.factors:
        product *= _largest(program, population, quantity, arriving)
    product = (product + value.reward) * abs(value.multiplier)
    gate = next((g for g in program.gates if g.name == value.gate), None)
    if gate is not None:
        product *= gate.largest
    if gate is not None and gate.norm is not None:
        product <<= RECIPROCAL_BITS - NORM_BITS  # a norm that is not 0 is at least 1 ...
        if gate.population == population.name and gate.norm in value.factors:
            # ... and a neuron's own share of it at most 1
            product //= largest_count(program, population)
    return product + (1 << value.shift)  # the random number that rounds it


def _largest(
    program: Program,
    population: ProgramPopulation,
    quantity: Quantity,
    arriving: Iterable[Synapses],
) -> int:
    if quantity in (*PRE_QUANTITIES, Quantity.CHANGE):
        return largest_count(program, population)
    if quantity in COMPARTMENT_OF:
        return min(MEMBRANE_MAX, largest_sum(program, arriving, COMPARTMENT_OF[quantity]))
    return MEMBRANE_MAX if quantity is Quantity.DEVIATION else 1
