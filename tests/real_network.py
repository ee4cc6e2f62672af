"""A network of the compiler in real numbers, straight from the docstrings of `compiler.ir`."""

from __future__ import annotations

import numpy as np
import torch

from compiler.ir import Network, Neuron, Population, Projection, Reset, per_neuron
from compiler.terms import Connection


def run(network: Network, sent: np.ndarray) -> dict[str, np.ndarray]:
    """Spikes of each population (T, N), of readouts their potential, for input (T, N) as sent."""
    steps = len(sent)
    somata = {p.name: RealSoma(p) for p in network.populations if p.neuron is not None}
    found = {p.name: np.zeros((steps, p.size)) for p in network.populations}
    source = next(p for p in network.populations if p.neuron is None)
    found[source.name][:] = sent * source.scale
    for p in sorted(network.populations, key=lambda p: p.level):
        for q in network.arriving[p.name]:
            climbs = p.level - network.population(q.source).level
            assert q.delay + climbs >= 1, q.name
    for t in range(steps):
        for p in sorted(network.populations, key=lambda p: p.level):
            if p.neuron is None:
                continue
            current = np.zeros(p.size)
            for q in network.arriving[p.name]:
                if t >= q.delay:
                    heard = found[q.source][t - q.delay]
                    current += through(q, heard, network.population(q.source), p)
            found[p.name][t] = somata[p.name].step(current)
    return found


def through(q: Projection, x: np.ndarray, source: Population, target: Population) -> np.ndarray:
    if q.connection is Connection.ALL_TO_ALL:
        return q.weights @ x
    if q.connection is Connection.ONE_TO_ONE:
        return q.weights * x
    assert q.connection is Connection.CONVOLUTION
    maps = torch.from_numpy(x.reshape(source.map))
    kernels, how = torch.from_numpy(np.ascontiguousarray(q.weights)), q.geometry
    top, left = how.padding or (side // 2 for side in kernels.shape[2:])
    behind = max(kernels.shape[2:]) * max(how.dilation) + max(target.map) * max(how.stride)
    framed = torch.nn.functional.pad(maps, (left, behind, top, behind))
    y = torch.nn.functional.conv2d(
        framed, kernels, stride=how.stride, dilation=how.dilation, groups=how.groups
    )[:, : target.map[1], : target.map[2]]
    assert y.shape == target.map
    return y.numpy().ravel()


class RealSoma:
    """Neurons of a population: `v` after a step, and `before` its reset, both (N,)."""

    def __init__(self, p: Population) -> None:
        assert isinstance(p.neuron, Neuron)
        self.neuron = n = p.neuron
        self.decay = per_neuron(n.decay, p.map)
        self.bias = per_neuron(p.bias, p.map) if p.bias else 0.0
        self.threshold = None if n.threshold is None else per_neuron(n.threshold, p.map)
        self.current_decay = None if n.current_decay is None else per_neuron(n.current_decay, p.map)
        self.u, self.v = np.zeros(p.size), per_neuron(n.start, p.map).astype(float)
        self.spiked, self.before = np.zeros(p.size, bool), self.v

    def step(self, arriving: np.ndarray) -> np.ndarray:
        reset, h = self.neuron.reset, self.threshold
        self.u = arriving if self.current_decay is None else self.current_decay * self.u + arriving
        w = self.decay * self.v + self.u + self.bias
        if h is None:
            self.v = self.before = w
            return w
        above = self.v > h
        if reset is Reset.SUBTRACT:
            w = w - h * self.spiked
        elif reset is Reset.ZERO:
            w = np.where(self.spiked, self.u + self.bias, w)
        elif reset is Reset.CLEAR:
            w = np.where(self.spiked, 0, w)
        elif reset is Reset.SUBTRACT_ONCE:
            w = w - h * above
        self.spiked = w > h
        self.v = self.before = w
        if reset is Reset.SUBTRACT_AT_ONCE:
            self.v = w - h * self.spiked
        elif reset is Reset.ZERO_AT_ONCE:
            self.v = np.where(self.spiked, 0, w)
        elif reset is Reset.SUBTRACT_ONCE:
            self.v = w - h * self.spiked + h * above
        return self.spiked.astype(float)
