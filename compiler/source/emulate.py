"""The float emulation: a source graph step by step, as its framework would run it.

In float32 it rounds as the frameworks do, sums of products apart, whose order is the library's.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from clapp_neuro.errors import InputError
from compiler.source.graph import Graph
from compiler.source.neuron import Neuron
from compiler.source.nodes import Delay, Input
from compiler.source.operations import apply
from compiler.terms import Reset

CROSSED_BEFORE = (Reset.SUBTRACT, Reset.ZERO, Reset.CLEAR, Reset.SUBTRACT_ONCE)


@dataclass(frozen=True)
class Emulation:
    """What each node sent, (T, B, *shape), and the membrane potentials after each step."""

    sent: dict[str, np.ndarray]
    membrane: dict[str, np.ndarray]

    def output(self, graph: Graph) -> np.ndarray:
        """What left at the graph's only output; InputError where there are several."""
        if len(graph.outputs) != 1:
            raise InputError(f"the graph has outputs {', '.join(graph.outputs)}: name one of them")
        return self.sent[graph.outputs[0]]


def emulate(
    graph: Graph, samples: np.ndarray, steps: int | None = None, dtype: type = np.float32
) -> Emulation:
    """Run the graph from rest.

    samples: (T, B, *shape), what enters in each step; with `steps` T (B, *shape), the same in each.
    Raises InputError where their shape is not that of the input.
    """
    if len(graph.inputs) != 1:
        raise InputError(f"the graph has inputs {', '.join(graph.inputs)}: use run")
    name = graph.inputs[0]
    if steps is not None:
        samples = np.broadcast_to(samples, (steps, *samples.shape))
    return run(graph, {name: samples}, dtype)


def run(graph: Graph, samples: dict[str, np.ndarray], dtype: type = np.float32) -> Emulation:
    """Run a graph from rest; samples (T, B, *shape) by input. InputError for a wrong shape."""
    for name in graph.inputs:
        given = samples[name].shape if name in samples else ()
        if given[2:] != graph.shapes[name]:
            raise InputError(
                f"samples of {name} have shape {given}: give (steps, samples, "
                f"{', '.join(str(n) for n in graph.shapes[name])})"
            )
    steps, batch = next(iter(samples.values())).shape[:2]
    machine = _Machine(graph, batch, dtype)
    taken = [machine.step({n: samples[n][t].astype(dtype) for n in samples}) for t in range(steps)]
    sent = {n: np.stack([s[0][n] for s in taken]) for n in graph.nodes}
    membrane = {n: np.stack([s[1][n] for s in taken]) for n in machine.neurons}
    return Emulation(sent, membrane)


def silent(graph: Graph, batch: int, dtype: type) -> dict[str, np.ndarray]:
    """What delayed edges bring in the first step, by source: what it sends if no neuron spiked."""

    def answer(name: str, asking: tuple[str, ...]) -> np.ndarray:
        node, shape = graph.nodes[name], (batch, *graph.shapes[name])
        if name in asking or isinstance(node, Input | Neuron | Delay):
            return np.zeros(shape, dtype)
        before = [answer(e.source, (*asking, name)) for e in graph.arriving[name]]
        return apply(node, _sum(before))

    return {e.source: answer(e.source, ()) for e in graph.edges if e.delayed}


class _Machine:
    """The state of a graph: membranes, currents, what delayed edges and delays still hold."""

    def __init__(self, graph: Graph, batch: int, dtype: type) -> None:
        self.graph, self.batch, self.dtype = graph, batch, dtype
        self.neurons = {
            name: _Layer(node, (batch, *graph.shapes[name]), dtype)
            for name, node in graph.nodes.items()
            if isinstance(node, Neuron)
        }
        self.held = {
            name: deque(
                np.zeros((int(node.steps.max(initial=0)) + 1, batch, *graph.shapes[name]), dtype)
            )
            for name, node in graph.nodes.items()
            if isinstance(node, Delay)
        }
        self.last = silent(graph, batch, dtype)

    def step(
        self, entering: dict[str, np.ndarray]
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """One time step: what each node sent, and the membrane potentials after it."""
        sent: dict[str, np.ndarray] = {}
        for name in self.graph.order:
            node = self.graph.nodes[name]
            if isinstance(node, Input):
                sent[name] = entering[name]
                continue
            x = _sum(
                [
                    self.last[e.source] if e.delayed else sent[e.source]
                    for e in self.graph.arriving[name]
                ]
            )
            if isinstance(node, Neuron):
                sent[name] = self.neurons[name].step(x)
            elif isinstance(node, Delay):
                sent[name] = self._delayed(name, node, x)
            else:
                sent[name] = apply(node, x)
        self.last = {source: sent[source] for source in self.last}
        return sent, {name: layer.v.copy() for name, layer in self.neurons.items()}

    def _delayed(self, name: str, node: Delay, x: np.ndarray) -> np.ndarray:
        held = self.held[name]
        held.appendleft(x)
        held.pop()
        steps = np.broadcast_to(node.steps.astype(int), x.shape)
        found: np.ndarray = np.take_along_axis(np.stack(held), steps[None], axis=0)[0]
        return found


class _Layer:
    """The neurons of one node, stepped as `compiler.source.neuron` says."""

    def __init__(self, node: Neuron, shape: tuple[int, ...], dtype: type) -> None:
        self.node = node
        self.of: dict[str, np.ndarray] = {
            name: array.astype(dtype) for name, array in node.arrays().items()
        }
        self.v: np.ndarray = np.broadcast_to(self.of["initial"], shape).astype(dtype)
        self.i: np.ndarray = np.zeros(shape, dtype)

    def step(self, x: np.ndarray) -> np.ndarray:
        """y for one step."""
        node, of, reset = self.node, self.of, self.node.reset
        crossed = np.zeros_like(self.v)
        if node.threshold is not None and reset in CROSSED_BEFORE:
            crossed = (self.v > of["threshold"]).astype(self.v.dtype)
        if node.current is not None:
            self.i = of["current.decay"] * self.i + of["current.gain"] * x
            x = self.i
        v = self.v * (1 - crossed) if reset is Reset.ZERO else self.v
        u = of["decay"] * v + of["gain"] * x + of["leak"]
        if reset is Reset.CLEAR:
            u = u * (1 - crossed)
        if reset in (Reset.SUBTRACT, Reset.SUBTRACT_ONCE):
            u = u - crossed * of["threshold"]
        if node.rectified:
            u = np.maximum(u, 0)
        self.v = u
        if node.threshold is None:
            return u
        spikes = (u > of["threshold"]).astype(u.dtype)
        if reset is Reset.ZERO_AT_ONCE:
            self.v = np.where(spikes > 0, of["reset_value"], u)
        elif reset is Reset.SUBTRACT_AT_ONCE:
            self.v = u - spikes * of["threshold"]
        elif reset is Reset.SUBTRACT_ONCE:
            self.v = u - (spikes - crossed) * of["threshold"]
        return spikes


def _sum(arriving: list[np.ndarray]) -> np.ndarray:
    total = arriving[0]
    for more in arriving[1:]:
        total = total + more
    return total
