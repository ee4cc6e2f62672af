"""What populations and comparators ask of cores: neurons, state, synaptic memory and axons.

Kernels that learn in turn are static; `compiler.passes.placing.demand_in_turn` says what lies
beside them.
"""

from __future__ import annotations

from compiler.connectivity import Windows, kernel_of, windows, within_channels
from compiler.ir import Compartment, Connection
from compiler.passes.placing.demand_in_turn import demands_in_turn
from compiler.passes.placing.needs import Demand, Incoming, Outgoing
from compiler.passes.placing.settings import Settings, kinds_of_neuron, thresholds
from compiler.products import has_tag
from compiler.program import Gate, Program, Soma, Synapses
from compiler.recurrence import drives, held_back
from compiler.terms import COMPARTMENT_OF
from compiler.turns import buffers_of, heard_in_turn, learners_of

ADDING_UP = (*COMPARTMENT_OF.values(), Compartment.UNREAD)
"""Compartments beside the soma that have a sum of their own."""


def demands(program: Program) -> tuple[Demand, ...]:
    """What the populations on the chip and the comparators ask for, in the program's order."""
    weight_bits = program.weight_max.bit_length() + 1
    kinds, rules = kinds_of_neuron(program), _rules(program)
    asked = []
    for p in program.populations:
        if p.soma is None:
            continue
        incoming = [_incoming(program, s, rules) for s in program.arriving[p.name]]
        own_gates = [g for g in program.gates if g.population == p.name]
        heard = dict.fromkeys([*(g.name for g in own_gates), *p.signals])
        incoming += [_signal(f"{name} broadcast", 1, weight_bits) for name in heard]
        asked.append(
            Demand(
                name=p.name,
                map=p.map,
                state_words=_state_words(program, p.name),
                incoming=tuple(incoming),
                outgoing=outgoing_of(program, p.name),
                kinds=kinds[p.name],
                thresholds=thresholds(p),
            )
        )
    for g in program.gates:
        size = program.population(g.population).size
        # Scores arrive from every neuron, the label from the modulator.
        scores = _signal(f"{g.name} scores", size + 1, weight_bits)
        words = max(1, g.classes) + g.sums  # its sums, and the label
        back = tuple(Outgoing(name, None, False) for name in listeners(program, g))
        own = kinds[g.name], Settings(None)
        asked.append(Demand(g.name, (1, 1, 1), words, (scores,), back, *own))
    for s in program.synapses:
        if s.in_turn:
            own = kinds[learners_of(s)], kinds[buffers_of(s)]
            asked += demands_in_turn(program, s, rules[repr(s.rule)], own)
    return tuple(asked)


def _incoming(program: Program, s: Synapses, rules: dict[str, int]) -> Incoming:
    soma = program.population(s.target).soma
    driving = s.compartment is Compartment.SOMA and isinstance(soma, Soma)
    plastic = s.rule is not None and not s.in_turn
    tagged = s.rule is not None and plastic and has_tag(s.rule)
    tag_bits = program.tag_max.bit_length() + 1
    return Incoming(
        name=s.name,
        source=program.population(s.source).map,
        connection=s.connection,
        along=_along(s),
        groups=s.geometry.groups,
        channels=program.population(s.target).map[0],
        synapse_bits=program.weight_max.bit_length() + 1 + (tag_bits if tagged else 0),
        plastic=plastic,
        rule=rules.get(repr(s.rule), 0) if plastic else 0,
        exponent=soma.input_shift if driving and isinstance(soma, Soma) else 0,
        delay=held_back(program, s) if drives(program, s) else 0,
    )


def _along(s: Synapses) -> Windows | None:
    return windows(s.connection, kernel_of(s.weights.shape), s.geometry)


def _signal(name: str, sources: int, weight_bits: int) -> Incoming:
    """Synapses of scores or of a broadcast, which bring a message from each source."""
    return Incoming(name, (sources, 1, 1), Connection.ALL_TO_ALL, None, weight_bits, False)


def _rules(program: Program) -> dict[str, int]:
    """The program's learning rules, numbered from 1; the same rule has one number."""
    found = dict.fromkeys(repr(s.rule) for s in program.synapses if s.rule is not None)
    return {rule: number for number, rule in enumerate(found, 1)}


def listeners(program: Program, gate: Gate) -> tuple[str, ...]:
    """The populations that a gate's broadcast reaches."""
    return tuple(
        p.name for p in program.populations if p.name == gate.population or gate.name in p.signals
    )


def outgoing_of(program: Program, population: str) -> tuple[Outgoing, ...]:
    """What a population sends to: projections, then buffers and learners, then comparators."""
    sent = [
        Outgoing(s.target, _along(s), within_channels(s.connection, source, target, s.geometry))
        for s in program.leaving[population]
        for source, target in [(program.population(s.source).map, program.population(s.target).map)]
    ]
    gates = [g.name for g in program.gates if g.population == population]
    return (
        *sent,
        *(Outgoing(name, None, True) for _, name in heard_in_turn(program, population)),
        *(Outgoing(name, None, False) for name in gates),
    )


def _state_words(program: Program, name: str) -> int:
    """32-bit words of state.

    Membrane, both counts in one, one for each dendrite and what nobody reads, post values, bias,
    synaptic current, both averages. A mean has no membrane, and its counts fill a word each.
    """
    population = program.population(name)
    compartments = {s.compartment for s in program.arriving[name] if s.compartment in ADDING_UP}
    soma = population.soma
    biased = isinstance(soma, Soma) and bool(soma.bias)
    current = isinstance(soma, Soma) and soma.current_decay is not None
    averages = 0 if population.averages is None else 2
    own = int(bool(population.post_values)) + int(biased) + int(current)
    return 2 + len(compartments) + own + averages
