"""What is learned once a fixation: scores and gates, post values, learning epochs, carries."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from compiler.backends.tensor import maps, rounding, somata, synapses
from compiler.backends.tensor.machine import Machine, on_device
from compiler.connectivity import on_the_map, synapse_count
from compiler.ir import Quantity
from compiler.products import direct, transfers
from compiler.program import Gate, ProgramPopulation, Synapses
from compiler.terms import Connection


def average(m: Machine, population: ProgramPopulation) -> None:
    """Running averages take up what the neurons did."""
    assert population.averages is not None
    signal = m.signals[population.averages.signal]
    clipped = somata.average(m.state[population.name], population.averages, signal)
    m.counters.add(population, "ACCUMULATOR_CLIPPED", clipped.sum(1))


def decide(m: Machine, gate: Gate, population: ProgramPopulation, sent: int) -> None:
    """The comparator or critic sums the score messages and opens the gate, or not.

    sent: the time step of the messages.
    """
    label = m.signals[gate.modulator]
    noise: Tensor | int = 0
    if gate.noise:
        noise = somata.noise(gate, rounding.words(m.key(gate.stream, sent), population.size))
    messages = _messages(m, population, gate, gate.score, gate.score_shift, noise=noise)
    if gate.classes:
        score, opened, beyond, named = somata.reward(gate, label, messages)
        m.named[gate.name] = named
    else:
        sums = [messages.sum(1)]
        if gate.norm is not None:
            sums.append(_messages(m, population, gate, (gate.norm, gate.norm), 0, turn=1).sum(1))
        score, opened, beyond = somata.decide(gate, label, sums)
    m.scores[gate.name], m.signals[gate.name] = score, opened
    m.counters.decide(gate, opened, beyond)


def _messages(
    m: Machine,
    population: ProgramPopulation,
    gate: Gate,
    factors: tuple[Quantity, ...],
    shift: int,
    *,
    turn: int = 0,
    noise: Tensor | int = 0,
) -> Tensor:
    """What each neuron tells the comparator, int64 (R, N); `turn` messages went before it."""
    state, most = m.state[population.name], gate.largest_message
    whole, clipped = somata.coincidences(state, factors, shift, m.steps, noise)
    messages = whole.clip(-most - 1, most)
    m.counters.add(population, "ACCUMULATOR_CLIPPED", (clipped | (messages != whole)).sum(1))
    sent = [(messages != 0).sum(1)]
    if gate.serial:
        sent = [((messages >> bit) & 1).sum(1) for bit in reversed(range(gate.serial))]
    m.counters.tell(population, gate, sent, turn * max(1, gate.serial))
    return messages


def write(m: Machine, population: ProgramPopulation, part: int, time_step: int) -> None:
    """The somata write one of their post values."""
    value = population.post_values[part]
    drawn = rounding.words(m.key(value.stream, time_step), population.size)
    state, signal = m.state[population.name], m.told(value.gate, population.size)
    y, written, clipped = somata.post_value(state, value, signal, drawn, m.steps)
    m.post[population.name, value.register] = y
    m.counters.write(population, part, written.sum(1), clipped.sum(1))


def learn(
    m: Machine, s: Synapses, population: ProgramPopulation, slot: int, time_step: int
) -> None:
    """One learning epoch; copies of kernels learn where their position has a post value."""
    assert s.rule is not None
    source = m.program.population(s.source)
    message = source.message(slot + population.level - source.level)
    x1 = m.sent(s.source, message) >> 1
    y = m.post[population.name, s.rule.register]
    if s.connection is Connection.UNTIED:
        x1 = maps.windows(x1[:, None], source.map, s.weights.shape[-1])[:, :, 0]
        y = maps.by_position(y, population.map)
    else:
        x1, y = x1[:, None], y[:, None]  # a single copy
    learning = (y != 0).any(2)
    rows = ((x1 != 0).sum(2) * learning).sum(1)
    program, straight = m.program, direct(s.rule)
    held = m.weights[s.name] if straight else m.tags[s.name]
    most = program.weight_max if straight else program.tag_max
    key = m.key(s.index, time_step)
    moved, clipped = synapses.learn(held.view(*x1.shape, -1), x1, y, s.rule.exponent, key, most)
    if straight:
        m.weigh(s, moved.view_as(held))
    else:
        m.tags[s.name] = moved.view_as(held)
    clips = "WEIGHT_CLIPPED" if straight else "TAG_CLIPPED"
    m.counters.learn(s, slot, rows, learning.any(1), {clips: clipped})


def carry(m: Machine, s: Synapses, time_step: int) -> None:
    """Whole weight units move from the tags into the weights, or all that is in the tags."""
    assert s.rule is not None
    weights, tags, most = m.weights[s.name], m.tags[s.name], m.program.weight_max
    if transfers(s.rule):
        key = m.key(s.index, time_step)
        weights, tags, moved, clipped = synapses.transfer(weights, tags, key, most)
    else:
        weights, tags, moved, clipped = synapses.carry(weights, tags, most)
    m.weigh(s, weights)
    m.tags[s.name] = tags
    m.counters.carry(s, _real(m, s), moved, clipped)


def average_copies(m: Machine, s: Synapses) -> None:
    """The management processor averages the copies of a kernel."""
    target, pre = m.program.population(s.target), s.weights.shape[2]
    inside = on_the_map(s.weights.shape, target.map[1:])  # (h * w, 1, 1, k, k)
    rows = np.repeat(inside.reshape(len(inside), -1, 1), pre, axis=1)
    real = on_device(rows, m.device)
    largest = m.program.weight_max, m.program.tag_max
    weights, tags, *clipped = synapses.average(m.weights[s.name], m.tags[s.name], real, *largest)
    m.weigh(s, weights)
    m.tags[s.name] = tags
    m.counters.average_copies(s, _real(m, s), *clipped)


def _real(m: Machine, s: Synapses) -> int:
    """Synapses of a projection, without what looks off the map."""
    source, target = (m.program.population(name).map for name in (s.source, s.target))
    return synapse_count(s.connection, s.weights.shape, source, target, s.geometry)


def end(m: Machine, population: ProgramPopulation) -> None:
    """Counts become previous counts."""
    state = m.state[population.name]
    m.counters.end(population, state["previous"])
    state["previous"] = state["count"]
