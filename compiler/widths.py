"""Whether the numbers of a program fit the words that engines hold them in.

Payloads have 8 bits, so that their half, the trace x1, has 7. What arrives at a soma or dendrite is
summed in 32 bits and then clipped to 24; a post value is a product in 64 bits and then clipped to
8. Beyond that engines would wrap, each in its own way.
"""

from __future__ import annotations

from collections.abc import Iterator

from compiler.connectivity import fan_in
from compiler.ir import PRE_QUANTITIES, Compartment, Quantity
from compiler.program import (
    MEMBRANE_MAX,
    NORM_BITS,
    RECIPROCAL_BITS,
    Message,
    PostValue,
    Program,
    ProgramPopulation,
    Soma,
    Synapses,
)
from compiler.terms import COMPARTMENT_OF

INTENSITY_MAX = 255
PAYLOAD_MAX = 255
SUM_MAX = (1 << 31) - 1
PRODUCT_MAX = (1 << 63) - 1


def overflowing(program: Program) -> Iterator[str]:
    """What may not fit, whatever the network does, in words."""
    for population in program.populations:
        for message in population.messages:
            if message.quantity not in PRE_QUANTITIES:
                yield f"{population.name} sends {message.quantity.value}, which is no count"
            elif largest_payload(program, population, message) > PAYLOAD_MAX:
                most = largest_payload(program, population, message)
                yield f"{population.name} sends up to {most} at tau {message.step}, not 8 bits"
    for population in program.populations:
        for compartment in Compartment:
            largest = _largest_sum(program, population.name, compartment)
            if compartment is Compartment.SOMA and isinstance(population.soma, Soma):
                # beside the potential and the threshold, which are added to the current
                constant = max((abs(b) for b in population.soma.bias), default=0)
                largest = (largest << population.soma.input_shift) + constant + 2 * MEMBRANE_MAX
            if largest > SUM_MAX:
                yield f"what arrives at {population.name}.{compartment.value} may exceed 32 bits"
        for value in population.post_values:
            if _largest_product(program, population, value) > PRODUCT_MAX:
                yield f"a post value of {population.name} at tau {value.step} may exceed 64 bits"
    for s in program.synapses:
        if s.compartment is Compartment.SOMA and s.delivery_shift != 0:
            yield f"{s.name} shifts what it delivers to the soma, which shifts currents itself"


def largest_payload(program: Program, population: ProgramPopulation, message: Message) -> int:
    """The largest payload of a message that carries a count or an intensity."""
    most = INTENSITY_MAX if population.soma is None else program.timetable.steps
    return (most >> message.drop) << message.lift


def _largest_sum(program: Program, target: str, compartment: Compartment) -> int:
    """Of all that arrives at a compartment at one time."""
    return sum(
        fan_in(s.connection, s.weights.shape) * program.weight_max * _heard(program, s)
        for s in program.synapses
        if s.target == target and s.compartment is compartment
    )


def _heard(program: Program, s: Synapses) -> int:
    """The largest message that drives a projection's target."""
    source = program.population(s.source)
    if s.compartment is Compartment.SOMA and source.spiking:
        return 1
    heard = [m for m in source.messages if m.step in s.listens]
    return max((largest_payload(program, source, m) for m in heard), default=0)


def _largest_product(program: Program, population: ProgramPopulation, value: PostValue) -> int:
    product = abs(value.multiplier)
    for quantity in value.factors:
        product *= _largest(program, population.name, quantity)
    gate = next((g for g in program.gates if g.name == value.gate), None)
    if gate is not None:
        product *= max(1, gate.classes - 1)
    if gate is not None and gate.norm is not None:
        product <<= RECIPROCAL_BITS - NORM_BITS  # a norm that is not 0 is at least 1 ...
        if gate.population == population.name and gate.norm in value.factors:
            product //= program.timetable.steps  # ... and a neuron's own share of it at most 1
    return product + (1 << value.shift)  # the random number that rounds it


def _largest(program: Program, population: str, quantity: Quantity) -> int:
    if quantity in (*PRE_QUANTITIES, Quantity.CHANGE):
        return program.timetable.steps
    if quantity in COMPARTMENT_OF:
        return min(MEMBRANE_MAX, _largest_sum(program, population, COMPARTMENT_OF[quantity]))
    return MEMBRANE_MAX if quantity is Quantity.DEVIATION else 1
