"""The presentation of a fixation, all time steps at once: what drives somata, and who spikes."""

from __future__ import annotations

import torch
from torch import Tensor

from compiler.backends.tensor import maps, somata
from compiler.backends.tensor.exact import summed
from compiler.backends.tensor.machine import Machine
from compiler.connectivity import window
from compiler.program import ProgramPopulation, Relay, Synapses, Tally
from compiler.terms import CHANNELWISE, Compartment, Connection


def present(m: Machine, population: ProgramPopulation) -> None:
    """All steps of a population from rest: spikes, potentials, counts."""
    soma, state = population.soma, m.state[population.name]
    if soma is None:
        show(m, population)
        return
    current = _arriving(m, population)
    if isinstance(soma, Tally):
        _count_positions(m, population, current)
        return
    log = m.membrane.setdefault(population.name, []) if m.logs else None
    if isinstance(soma, Relay):
        spikes, state["winner"], updates = somata.relay(current, log)
    else:
        drive = (current << soma.input_shift) + m.bias[population.name]
        spikes, updates = somata.integrate(soma, drive, m.steps, log)
    m.spikes[population.name] = spikes
    m.counters.update(population, *updates)
    conclude(m, population)


def show(m: Machine, population: ProgramPopulation) -> None:
    """An input sends its intensities, and spikes if it is one that does."""
    intensity = m.state[population.name]["count"]
    m.counters.present(population, intensity)
    if population.spikes:
        m.spikes[population.name] = somata.encode(intensity, m.steps)
        m.counters.add(population, "SPIKES", m.spikes[population.name].sum((1, 2)))


def conclude(m: Machine, population: ProgramPopulation) -> None:
    """The counts of a population that has spiked at every step."""
    count = m.spikes[population.name].sum(1, dtype=torch.int32)
    m.state[population.name]["count"] = count
    m.counters.conclude(population, count, m.steps)


def _count_positions(m: Machine, population: ProgramPopulation, current: Tensor) -> None:
    """Means add up what they receive, (R, T, N), and never spike."""
    count = current.sum(1, dtype=torch.int32)
    m.state[population.name]["count"] = count
    m.counters.add(population, "ACTIVE_UPDATES", (current != 0).sum((1, 2)))
    m.counters.add(population, "SILENT", (count == 0).sum(1))
    m.counters.add(population, "COUNT_MESSAGES", (count != 0).sum(1))


def _arriving(m: Machine, population: ProgramPopulation) -> Tensor:
    """What arrives at the soma, int32 (R, T, N); T = 1 where all of it is held."""
    current = m.zeros(1, population.size)
    for s in m.program.arriving[population.name]:
        if s.compartment is Compartment.SOMA:
            current = current + _brought(m, s, population)
    return current


def _brought(m: Machine, s: Synapses, population: ProgramPopulation) -> Tensor:
    """What one projection brings, int32 (R, T, N)."""
    source = m.program.population(s.source)
    sent = m.spikes[s.source] if source.spiking else m.sent(s.source, source.message(0))[:, None]
    along = window(s.connection, s.weights.shape[-1])
    if along is None:
        return summed(sent, m.numbers[s.name])
    channels = 1 if s.connection in CHANNELWISE else population.map[0]
    operations = maps.reached(sent, along, source.map, population.map, channels)
    m.counters.operations(s, operations)
    if s.connection is Connection.POOL:
        return maps.neighbours(sent, m.weights[s.name][0], source.map)
    if s.connection is Connection.SUM:
        return maps.summed_up(sent, source.map)
    if s.connection is Connection.UNTIED:
        return maps.convolve_untied(sent, m.numbers[s.name], source.map, along.width)
    return maps.convolve(sent, m.numbers[s.name], source.map)
