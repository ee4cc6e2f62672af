"""Which connections end where: on which neurons and compartments, and with which weights.

onto the soma           all to all, one to one, convolutions; a pool on relays, a sum on means
onto apical and retro   all to all, where nothing is a map; what a mean spreads over its map
onto the inhibition     an unpool, from the relays that pool the map
onto what is unread     all to all, the low synapses of a pair
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from compiler.connectivity import neighbour_bits, on_the_map, winner_shifts
from compiler.products import managed
from compiler.program import Program, ProgramPopulation, Relay, Soma, Synapses, Tally
from compiler.terms import (
    CENTRED,
    CHANNELWISE,
    COMPARTMENT_OF,
    Compartment,
    Connection,
    Quantity,
)
from compiler.turns import in_turn

DENDRITES = (Compartment.APICAL, Compartment.RETRO)
ENDS = {
    Connection.ALL_TO_ALL: (Compartment.SOMA, *DENDRITES, Compartment.UNREAD),
    Connection.CONVOLUTION: (Compartment.SOMA,),
    Connection.UNTIED: (Compartment.SOMA,),
    Connection.POOL: (Compartment.SOMA,),
    Connection.SUM: (Compartment.SOMA,),
    Connection.SPREAD: DENDRITES,
    Connection.GATHER: (),
    Connection.UNPOOL: (Compartment.INHIBITION,),
    Connection.ONE_TO_ONE: (Compartment.SOMA,),
}
FROM = {
    Connection.POOL: (Soma, Relay),
    Connection.SUM: (Soma, Relay),
    Connection.SPREAD: (Tally,),
    Connection.UNPOOL: (Relay,),
}
ONTO = {Connection.POOL: Relay, Connection.SUM: Tally}
LEARNING = (Connection.ALL_TO_ALL, Connection.UNTIED, Connection.CONVOLUTION)
SURROGATES = (Quantity.SURROGATE, Quantity.PREVIOUS_SURROGATE)


def misplaced(program: Program) -> Iterator[str]:
    """What ends where it cannot, in words; names and shapes must be right already."""
    for s in program.synapses:
        yield from _of_synapses(
            s,
            program.population(s.source),
            program.population(s.target),
            program.arriving[s.source],
        )
    for population in program.populations:
        yield from _of_population(population, program.arriving[population.name])
    for gate in program.gates:
        compared = program.population(gate.population)
        if _spread_out(compared) or isinstance(compared.soma, Relay):
            yield f"{gate.name} compares the positions of {gate.population}"
        for quantity in gate.score:
            if quantity in SURROGATES and isinstance(compared.soma, Tally):
                yield f"{gate.name} reads the {quantity.value} of the mean {gate.population}"


def _of_population(population: ProgramPopulation, arriving: Sequence[Synapses]) -> Iterator[str]:
    name, soma = population.name, population.soma
    if isinstance(soma, Relay):
        relayed = [s.connection for s in arriving] == [Connection.POOL]
        if not relayed or soma.neighbours != neighbour_bits().size:
            yield f"{name} does not relay one pool"
        if population.post_values:
            yield f"{name} relays, and writes post values"
    if isinstance(soma, Tally):
        driven = [s for s in arriving if s.compartment is Compartment.SOMA]
        if [s.connection for s in driven] != [Connection.SUM]:
            yield f"{name} does not add up one map"
        elif soma.most != driven[0].weights.size:
            yield f"{name} adds up {driven[0].weights.size} positions, not {soma.most}"
        for value in population.post_values:
            if {*value.factors} & {*SURROGATES}:
                yield f"{name} is a mean and has no surrogate, which a post value reads"
    if isinstance(soma, Soma) and soma.threshold is None:
        if population.messages:
            yield f"{name} never spikes, but is heard"
        if any({*value.factors} - {*COMPARTMENT_OF} for value in population.post_values):
            yield f"{name} never spikes, but learns from its count"
    for s in arriving:
        together = [other for other in arriving if other.compartment is s.compartment]
        alone = s.connection in (Connection.SPREAD, Connection.UNPOOL)
        if alone and len(together) > 1:
            yield f"{s.name} does not end on the {s.compartment.value} of {name} alone"
        onto = ONTO.get(s.connection)
        if onto is not None and not isinstance(soma, onto):
            kind = {Relay: "relay", Tally: "mean"}[onto]
            yield f"a {s.connection.value} ends on {name}, which is no {kind}"


def _of_synapses(
    s: Synapses, source: ProgramPopulation, target: ProgramPopulation, of_source: Sequence[Synapses]
) -> Iterator[str]:
    kind = s.connection.value
    if s.compartment not in ENDS[s.connection]:
        yield f"{s.name}, a {kind}, ends on the {s.compartment.value}"
    if s.connection in FROM and not isinstance(source.soma, FROM[s.connection]):
        yield f"{s.name}, a {kind}, comes from {s.source}, which does not send it"
    if s.connection in CHANNELWISE and not np.array_equal(s.weights, _fixed(s)):
        yield f"the weights of {s.name} are not those of its {kind}"
    if s.connection is Connection.UNPOOL:
        pooled = [other.source for other in of_source if other.connection is Connection.POOL]
        if pooled != [s.target]:
            yield f"{s.name} does not go back to the map that {s.source} pools"
    if s.connection is Connection.UNTIED:
        yield from _off_the_map(s, target)
    whole = _spread_out(source) or _spread_out(target)
    if s.connection is Connection.ALL_TO_ALL and s.compartment in DENDRITES and whole:
        yield f"{s.name} connects the dendrites of all of a map"
    if s.rule is not None and s.connection not in LEARNING:
        yield f"{s.name} has a rule, but the synapses of a {kind} do not learn"
    if s.rule is not None and s.geometry != CENTRED:
        yield f"{s.name} has a rule, but only kernels that keep a map's sides learn"
    if s.rule is not None and s.connection is Connection.ALL_TO_ALL and whole:
        yield f"no engine learns all synapses of a map, as {s.name} would"
    if in_turn(s) and not managed(s):
        yield f"{s.name} learns in turn, and the management processor carries nothing"
    copies = s.connection is Connection.UNTIED and s.rule is not None
    if s.rule is not None and s.averaged and not (copies or managed(s) or s.paired):
        yield f"{s.name} averages copies of kernels, but has none that learn"


def _fixed(s: Synapses) -> np.ndarray:
    """The weights that a connection within channels has."""
    if s.connection is Connection.POOL:
        return neighbour_bits()
    if s.connection is Connection.UNPOOL:
        return winner_shifts()
    return np.ones(s.weights.shape, np.int8)


def _off_the_map(s: Synapses, target: ProgramPopulation) -> Iterator[str]:
    """Entries that look off the map are no synapses: no engine may see anything there."""
    height, width = target.map[1:]
    inside = on_the_map(s.weights.shape, (height, width))[:, 0, 0]
    for row, column in np.ndindex(inside.shape[1:]):
        off = ~inside[:, row, column]
        for array in (s.weights, s.tags):
            if array is not None and array[off, :, :, row, column].any():
                yield f"{s.name} has synapses that look off the map"
                return


def _spread_out(population: ProgramPopulation) -> bool:
    """Whether it is a map of more than one position."""
    return population.map[1:] != (1, 1)
