"""Small networks of convolutions and pools, and what they compute, restated in plain numpy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from plain_synapses import place_read

from compiler.connectivity import neighbour_bits
from compiler.ir import (
    Compartment,
    Connection,
    Network,
    Neuron,
    Population,
    Projection,
    Schedule,
    WinnerTakeAll,
)
from compiler.program import Program, Relay, Synapses


def conv_network(
    sides: tuple[int, int],
    channels: tuple[int, ...],
    pools: tuple[int, ...] = (),
    *,
    kernel: int = 3,
    steps: int = 6,
    seed: int = 0,
    gain: float = 3.0,
    reset: str = "subtract",
) -> Network:
    """`channels` of the input and of each convolution; `pools` are the layers that are pooled."""
    random = np.random.default_rng(seed)
    shape = (channels[0], *sides)
    populations = [Population("input", int(np.prod(shape)), 0, scale=1 / 255, shape=shape)]
    projections = []
    for layer, count in enumerate(channels[1:], 1):
        below, name = populations[-1], f"layer{layer}"
        shape = (count, *below.map[1:])
        spread = gain / np.sqrt(below.map[0] * kernel**2)
        weights = random.uniform(-0.7, 1.0, (count, below.map[0], kernel, kernel)) * spread
        bias = tuple(random.uniform(-0.2, 0.3, count))
        neuron = Neuron(0.9, 1.0, reset)
        size = int(np.prod(shape))
        populations.append(Population(name, size, below.level + 1, neuron, shape=shape, bias=bias))
        projections.append(
            Projection(
                f"{name}.forward",
                below.name,
                name,
                Compartment.SOMA,
                weights,
                connection=Connection.CONVOLUTION,
            )
        )
        if layer in pools:
            pooled = (count, shape[1] // 2, shape[2] // 2)
            level = populations[-1].level + 1
            relays = Population(
                f"{name}.pool", int(np.prod(pooled)), level, WinnerTakeAll(), shape=pooled
            )
            populations.append(relays)
            projections.append(
                Projection(
                    f"{name}.pool",
                    name,
                    relays.name,
                    Compartment.SOMA,
                    neighbour_bits().astype(float),
                    connection=Connection.POOL,
                )
            )
    return Network(tuple(populations), tuple(projections), Schedule(steps))


def dense_matrix(program: Program, s: Synapses) -> np.ndarray:
    """Any projection as a matrix (N_target, N_source), one synapse after the other."""
    if s.connection is Connection.ALL_TO_ALL:
        return s.weights.astype(np.int64)
    source, target = program.population(s.source).map, program.population(s.target).map
    full = np.zeros((*target, *source), np.int64)
    for c, y, x in np.ndindex(*target):
        if s.connection is Connection.POOL:
            for dy, dx in np.ndindex(2, 2):
                full[c, y, x, c, 2 * y + dy, 2 * x + dx] = s.weights[dy, dx]
            continue
        if s.connection is Connection.UNPOOL:
            if y // 2 < source[1] and x // 2 < source[2]:
                full[c, y, x, c, y // 2, x // 2] = s.weights[y % 2, x % 2]
            continue
        if s.connection is Connection.SUM:
            full[c, y, x, c] = s.weights
            continue
        if s.connection is Connection.SPREAD:
            full[c, y, x, c, 0, 0] = s.weights[y, x]
            continue
        kernels = s.weights
        if s.connection is Connection.UNTIED:
            kernels = s.weights[y * target[2] + x]
        for dy, dx in np.ndindex(*kernels.shape[2:]):
            first, row, column = place_read(s, c, (y, x), 0, (dy, dx), target[0])
            if 0 <= row < source[1] and 0 <= column < source[2]:
                channels = slice(first, first + kernels.shape[1])
                full[c, y, x, channels, row, column] = kernels[c, :, dy, dx]
    return full.reshape(int(np.prod(target)), int(np.prod(source)))


def dense_connected(program: Program, name: str) -> np.ndarray:
    """Which neurons are connected at all, (N_target, N_source)."""
    s = next(s for s in program.synapses if s.name == name)
    whole = replace(s, weights=np.ones_like(s.weights))
    return dense_matrix(program, whole) != 0


def plain_spikes(program: Program, intensities: np.ndarray) -> dict[str, np.ndarray]:
    """Spikes (T, N) of every population in one fixation, by the docstrings of the program."""
    steps = program.timetable.steps
    sent: dict[str, np.ndarray] = {}
    for p in sorted(program.populations, key=lambda p: p.level):
        if p.soma is None:
            sent[p.name] = intensities.astype(np.int64)[np.newaxis]
            continue
        arriving = [s for s in program.synapses if s.target == p.name]
        current = sum(sent[s.source] @ dense_matrix(program, s).T for s in arriving)
        current = np.broadcast_to(current, (steps, p.size))
        fired = np.zeros((steps, p.size), bool)
        if isinstance(p.soma, Relay):
            winner = np.zeros(p.size, np.int64)
            for t in range(steps):
                lowest = current[t] & -current[t]
                winner = np.where(winner == 0, lowest, winner)
                fired[t] = (current[t] & winner) != 0
            sent[p.name] = fired
            continue
        v, spiked = np.zeros(p.size, np.int64), np.zeros(p.size, bool)
        bias = np.repeat(p.soma.bias or np.zeros(p.map[0], int), p.map[1] * p.map[2])
        for t in range(steps):
            leaked = np.sign(v) * (np.abs(v) * p.soma.decay >> 12)
            fall = leaked if p.soma.reset == "zero" else p.soma.threshold
            v = leaked - spiked * fall + (current[t] << p.soma.input_shift) + bias
            v = np.clip(v, -(2**23 - 1), 2**23 - 1)
            fired[t] = spiked = v > p.soma.threshold
        sent[p.name] = fired
    return {name: spikes for name, spikes in sent.items() if len(spikes) == steps}
