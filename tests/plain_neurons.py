"""Presentations of any neurons in plain numpy: docstrings of `Soma`, `Reset`, `Synapses`, executed.

Nothing is shared with an engine: each time step of each population looks up what was sent to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from compiler.program import Program, ProgramPopulation, Soma, Synapses
from compiler.terms import Compartment, Connection, Reset, per_neuron
from compiler.trace import Stimulus

HIGHEST = 2**23 - 1


def matrix(program: Program, s: Synapses) -> np.ndarray:
    """The synapses as one matrix (targets, sources)."""
    w = s.weights.astype(np.int64)
    if s.connection is Connection.ONE_TO_ONE:
        return np.diag(w)
    if s.connection is Connection.ALL_TO_ALL:
        return w
    assert s.connection is Connection.CONVOLUTION
    channels, height, width = program.population(s.source).map
    out, _, kernel, _ = w.shape
    found = np.zeros((out, height, width, channels, height, width), np.int64)
    half = kernel // 2
    for y, x, dy, dx in product(range(height), range(width), range(kernel), range(kernel)):
        row, column = y + dy - half, x + dx - half
        if 0 <= row < height and 0 <= column < width:
            found[:, y, x, :, row, column] = w[:, :, dy, dx]
    return found.reshape(out * height * width, -1)


def leak(x: int, decay: int) -> int:
    left = abs(x) * decay // 4096
    return -left if x < 0 else left


class Cell:
    """One neuron; `step` gives (potential after the step, whether it spiked)."""

    def __init__(self, soma: Soma, shape: tuple[int, int, int], j: int) -> None:
        def own(values):
            return None if values is None else int(per_neuron(values, shape)[j])

        self.decay, self.threshold = own(soma.decay), own(soma.threshold)
        self.current_decay, self.bias = own(soma.current_decay), own(soma.bias or 0)
        self.reset, self.shift = Reset(soma.reset), soma.input_shift
        self.v, self.u, self.spiked = own(soma.start), 0, False
        self.wrapped = self.clipped = self.active = 0

    def step(self, arrived: int) -> tuple[int, bool]:
        coming = arrived << self.shift
        self.active += bool(self.v or self.u or coming + self.bias)
        total = coming
        if self.current_decay is not None:
            exact = leak(self.u, self.current_decay) + coming
            total = (exact + 2**23) % 2**24 - 2**23
            self.u = total
            self.wrapped += exact != total
        reset, h = self.reset, self.threshold
        above = h is not None and self.v > h
        kept = leak(self.v, self.decay)
        if reset is Reset.ZERO and self.spiked:
            kept = 0
        w = kept + total + self.bias
        if (reset is Reset.SUBTRACT and self.spiked) or (reset is Reset.SUBTRACT_ONCE and above):
            w -= h
        if reset is Reset.CLEAR and self.spiked:
            w = 0
        clipped = max(-HIGHEST, min(HIGHEST, w))
        spikes = h is not None and clipped > h
        v = clipped
        if reset is Reset.SUBTRACT_AT_ONCE and spikes:
            v -= h
        if reset is Reset.ZERO_AT_ONCE and spikes:
            v = 0
        if reset is Reset.SUBTRACT_ONCE:
            v += h * (int(above) - int(spikes)) if h is not None else 0
        self.v = max(-HIGHEST, min(HIGHEST, v))
        self.clipped += clipped != w or self.v != v
        self.spiked = spikes
        return self.v, spikes


def presentations(
    program: Program, stimulus: Stimulus
) -> Iterator[tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, list[Cell]]]]:
    """(spikes, potentials) by population, each (T, N), and the cells, fixation after fixation."""
    steps = program.timetable.steps
    dense = {s.name: matrix(program, s) for s in program.synapses}
    arriving: dict[str, list[Synapses]] = {p.name: [] for p in program.populations}
    for s in program.synapses:
        if s.compartment is Compartment.SOMA:
            arriving[s.target].append(s)
    order = sorted(program.populations, key=lambda p: (p.soma is not None, p.level))
    for f in range(stimulus.fixations):
        sent = {p.name: _sent(p, stimulus, f, steps) for p in order}
        seen = {p.name: np.zeros((steps, p.size), np.int64) for p in order}
        cells = {
            p.name: [Cell(p.soma, p.map, j) for j in range(p.size)]
            for p in order
            if isinstance(p.soma, Soma)
        }
        for tau, p in product(range(steps), order):
            if not isinstance(p.soma, Soma):
                continue
            arrived = np.zeros(p.size, np.int64)
            for s in arriving[p.name]:
                if not program.population(s.source).spiking:
                    arrived += dense[s.name] @ stimulus.intensities[s.source][f].astype(np.int64)
                elif tau >= s.delay:
                    arrived += dense[s.name] @ sent[s.source][tau - s.delay]
            for j, cell in enumerate(cells[p.name]):
                seen[p.name][tau, j], sent[p.name][tau, j] = cell.step(int(arrived[j]))
        neurons = [p.name for p in order if p.soma is not None]
        yield {n: sent[n] for n in neurons}, {n: seen[n] for n in neurons}, cells


def _sent(p: ProgramPopulation, stimulus: Stimulus, f: int, steps: int) -> np.ndarray:
    """What an input sends in each step; zeros of a neuron, to be filled in."""
    if p.sequence:
        return stimulus.intensities[p.name][f].astype(np.int64)
    sent = np.zeros((steps, p.size), np.int64)
    if p.spikes:
        i = stimulus.intensities[p.name][f].astype(np.int64)
        for t in range(steps):
            sent[t] = (i * (t + 1) + 128 >> 8) - (i * t + 128 >> 8)
    return sent
