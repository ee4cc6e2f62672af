"""Messages that change what a neuron learns, not what it does: dendrites, and who won a pooling."""

from __future__ import annotations

from torch import Tensor

from compiler.backends.tensor import maps, somata
from compiler.backends.tensor.exact import summed
from compiler.backends.tensor.machine import Machine
from compiler.connectivity import NEIGHBOURS
from compiler.dendrites import adds_spikes
from compiler.program import ProgramPopulation, Relay, Synapses
from compiler.terms import Compartment, Connection


def deliver(
    m: Machine, population: ProgramPopulation, compartment: Compartment, arriving: list[Synapses]
) -> None:
    """All that arrives at a dendritic compartment, each part shifted down once it is summed up."""
    total = m.zeros(population.size)
    for s in arriving:
        if adds_spikes(m.program, s):
            sent = m.state[s.source]["count"]
        else:
            sent = m.sent(s.source, m.program.population(s.source).message(s.listens[0]))
        total = total + (_brought(m, s, sent) >> s.delivery_shift)
    kept, clipped = somata.clip_24_bits(total)
    m.state[population.name][compartment.value] = kept
    m.counters.add(population, "ACCUMULATOR_CLIPPED", clipped.sum(1))


def inhibit(m: Machine, population: ProgramPopulation, s: Synapses) -> None:
    """Who does not hear that it has won forgets its count."""
    source = m.program.population(s.source)
    assert isinstance(source.soma, Relay), "only relays know who has won"
    sent = m.sent(s.source, source.message(s.listens[0]))
    heard = maps.hear_winners(sent, m.weights[s.name][0], source.map, population.map)
    won = (heard & (1 << (source.soma.neighbours - 1))) != 0
    state = m.state[population.name]
    state["count"] = state["count"] * won
    m.counters.bring(s, (sent != 0).sum(1), NEIGHBOURS**2)


def _brought(m: Machine, s: Synapses, sent: Tensor) -> Tensor:
    """What one projection brings of a message (R, n_pre), int32 (R, N)."""
    if s.connection is not Connection.SPREAD:
        return summed(sent[:, None], m.numbers[s.name])[:, 0]
    everywhere = m.weights[s.name].flatten(1)
    m.counters.bring(s, (sent != 0).sum(1), everywhere.shape[1])
    return (sent[:, :, None] * everywhere[:, None]).flatten(1)
