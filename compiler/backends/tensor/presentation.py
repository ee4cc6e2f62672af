"""The presentation of a fixation, all time steps at once: what drives somata, and who spikes."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor
from torch.nn.functional import pad

from compiler.backends.tensor import maps, somata
from compiler.backends.tensor.exact import summed
from compiler.backends.tensor.machine import Machine
from compiler.backends.tensor.neurons import Neurons
from compiler.connectivity import kernel_of, windows
from compiler.program import ProgramPopulation, Relay, Soma, Synapses, Tally
from compiler.recurrence import drives, members
from compiler.terms import CHANNELWISE, Compartment, Connection


def present(m: Machine, population: ProgramPopulation) -> None:
    """All steps of a population from rest: spikes, potentials, counts."""
    soma, state = population.soma, m.state[population.name]
    if soma is None:
        show(m, population)
        return
    band = band_of(m, population)
    if band is not None or (isinstance(soma, Soma) and soma.plain is None):
        _in_step(m, [population] if band is None else list(members(m.program, band)))
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


def band_of(m: Machine, population: ProgramPopulation) -> range | None:
    """The band in which it is computed; None for those that wait for nobody, and for inputs."""
    if population.soma is None:
        return None
    return next((band for band in m.bands if population.level in band), None)


def first_of_its_band(m: Machine, population: ProgramPopulation) -> bool:
    """Whether its presentation is computed for itself and not with another's."""
    band = band_of(m, population)
    return band is None or population == next(members(m.program, band))


def _in_step(m: Machine, populations: list[ProgramPopulation]) -> None:
    """The presentation of neurons that may wait for one another in every step."""
    neurons, arrived = {}, {}
    for p in populations:
        assert isinstance(p.soma, Soma), "only neurons are recurrent"
        neurons[p.name] = Neurons(p.soma, p.map, m.bias[p.name], m.rows)
        m.spikes[p.name] = m.zeros(m.steps, p.size) != 0
    own = {p.name for p in populations}
    for p in populations:
        arrived[p.name] = _arriving(m, p, without=own).expand(-1, m.steps, -1).contiguous()
    waiting = {
        p.name: [s for s in m.program.arriving[p.name] if drives(m.program, s) and s.source in own]
        for p in populations
    }
    for tau in range(m.steps):
        for p in populations:
            current = arrived[p.name][:, tau]
            for s in waiting[p.name]:
                if tau >= s.delay:
                    sent = m.spikes[s.source][:, tau - s.delay, None]
                    current = current + _through(m, s, p, sent)[:, 0]
            m.spikes[p.name][:, tau] = neurons[p.name].step(current)
            if m.logs:
                m.membrane.setdefault(p.name, []).append(neurons[p.name].potential)
    for p in populations:
        these = neurons[p.name]
        m.counters.update(p, torch.stack(these.active, 1), these.clipped)
        m.counters.add(p, "CURRENT_WRAPPED", these.wrapped)
        conclude(m, p)


def show(m: Machine, population: ProgramPopulation) -> None:
    """An input sends its intensities, and spikes if it is one that does, or what it is given."""
    if population.sequence:
        m.counters.send(population, (m.spikes[population.name] != 0).sum(2))
        return
    intensity = m.state[population.name]["count"]
    m.counters.present(population, intensity)
    if population.spikes:
        m.spikes[population.name] = somata.encode(intensity, m.steps)
        m.counters.send(population, m.spikes[population.name].sum(2))


def conclude(m: Machine, population: ProgramPopulation) -> None:
    """The counts of a population that has spiked at every step."""
    count = m.spikes[population.name].sum(1, dtype=torch.int32)
    m.state[population.name]["count"] = count
    m.counters.send(population, m.spikes[population.name].sum(2))
    m.counters.conclude(population, count, m.steps)


def _count_positions(m: Machine, population: ProgramPopulation, current: Tensor) -> None:
    """Means add up what they receive, (R, T, N), and never spike."""
    count = current.sum(1, dtype=torch.int32)
    m.state[population.name]["count"] = count
    m.counters.receive(population, (current != 0).sum(2))
    m.counters.add(population, "SILENT", (count == 0).sum(1))
    m.counters.count(population, (count != 0).sum(1))


def _arriving(m: Machine, population: ProgramPopulation, without: Collection[str] = ()) -> Tensor:
    """What arrives at the soma, int32 (R, T, N); T = 1 where all of it is held.

    The spikes of the populations that `without` names are left out.
    """
    current = m.zeros(1, population.size)
    for s in m.program.arriving[population.name]:
        if s.compartment is Compartment.SOMA and not (s.source in without and drives(m.program, s)):
            current = current + _brought(m, s, population)
    return current


def _brought(m: Machine, s: Synapses, population: ProgramPopulation) -> Tensor:
    """What one projection brings, int32 (R, T, N)."""
    source = m.program.population(s.source)
    if not source.spiking:
        return _through(m, s, population, m.sent(s.source, source.message(0))[:, None])
    sent = m.spikes[s.source]
    if s.delay:
        sent = pad(sent, (0, 0, s.delay, 0))[:, : m.steps]
    return _through(m, s, population, sent)


def _through(m: Machine, s: Synapses, population: ProgramPopulation, sent: Tensor) -> Tensor:
    """What messages (R, T, n) bring through a projection, int32 (R, T, N)."""
    source = m.program.population(s.source)
    if s.connection is Connection.ONE_TO_ONE:
        return sent.to(torch.int32) * m.weights[s.name][:, None]
    along = windows(s.connection, kernel_of(s.weights.shape), s.geometry)
    if along is None:
        return summed(sent, m.numbers[s.name])
    channels = 1 if s.connection in CHANNELWISE else population.map[0] // s.geometry.groups
    operations = maps.reached(sent, along, source.map, population.map, channels)
    m.counters.operations(s, operations)
    if s.connection is Connection.POOL:
        return maps.neighbours(sent, m.weights[s.name][0], source.map)
    if s.connection is Connection.SUM:
        return maps.summed_up(sent, source.map)
    if s.connection is Connection.UNTIED:
        return maps.convolve_untied(sent, m.numbers[s.name], source.map, along[0].width)
    return maps.convolve(sent, m.numbers[s.name], along, source.map, population.map)
