"""A source graph as a network of the compiler: nodes with a membrane become populations.

What lies between two of them, without memory, becomes the synapses. What only looks linear is made
of neurons that compute it exactly: a step function is a neuron that forgets at once, a pool of the
largest spike one that spikes where any of its window does, a bias of a synaptic current a neuron
that spikes in every step, a result without spikes a readout that forgets at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from clapp_neuro.errors import InputError, unknown
from compiler.frontends.kernels import plane
from compiler.frontends.levels import levelled
from compiler.frontends.linear_maps import LARGEST, LinearMap, TooLargeError, linear_map
from compiler.frontends.paths import Path, paths, sends
from compiler.ir import Compartment, Network, Population, Projection, Schedule
from compiler.ir import Neuron as Soma
from compiler.source import (
    Delay,
    Graph,
    Input,
    MaxPool,
    Neuron,
    Output,
    Rectifier,
    Reset,
    Reshape,
    Scale,
    SumPool,
    Threshold,
)
from compiler.source.nodes import Shape
from compiler.source.violations import Violation, refuse

INPUTS = {
    "intensities": "numbers from 0 to 1, the same in every step, in 8 bits",
    "spikes": "0 or 1 in each step",
    "graded": "numbers from -1 to 1 in each step, in 8 bits and sign",
}
FULL = 255  # what an intensity or graded input of 1 is sent as
STEPS = 32  # where neither the source nor the user says how many
ZERO = np.zeros(())


def lower(graph: Graph, steps: int | None = None, inputs: str = "spikes") -> Network:
    """The network of a graph, shown `steps` time steps a sample (default: as the source says).

    inputs: what a sample is, one of `INPUTS`.
    Raises InputError for what no network can say, with every node, parameter and remedy.
    """
    network, violations = lowered(graph, steps, inputs)
    refuse(graph.name, violations, graph.kinds)
    assert network is not None
    return network


def lowered(
    graph: Graph, steps: int | None = None, inputs: str = "spikes"
) -> tuple[Network | None, tuple[Violation, ...]]:
    """The network, or None and all that stands in its way. InputError for wrong settings."""
    if inputs not in INPUTS:
        raise unknown("kind of inputs", inputs, INPUTS)
    shown = steps or graph.steps or STEPS
    if shown < 1:
        raise InputError(f"{shown} time steps: give at least 1")
    lowering = _Lowering(graph, shown, inputs)
    network = lowering.network()
    return (None if lowering.violations else network), tuple(lowering.violations)


@dataclass
class _Lowering:
    graph: Graph
    steps: int
    inputs: str
    violations: list[Violation] = field(default_factory=list)
    populations: dict[str, Population] = field(default_factory=dict)
    projections: list[Projection] = field(default_factory=list)
    always: set[str] = field(default_factory=set)  # neurons that spike in every step

    def network(self) -> Network:
        """The network; with violations, as far as it goes."""
        graph = self.graph
        for name in graph.order:
            node = graph.nodes[name]
            if isinstance(node, Input):
                self._input(name)
            elif isinstance(node, Rectifier):
                self._refuse(
                    name,
                    "it sends numbers, not spikes",
                    "make the network spike: rate_coded, or --calibration IMAGES",
                )
        for name, node in self._receivers():
            self._receiver(name, node)
        self.populations = levelled(self.populations, self.projections, self.always, self._refuse)
        return Network(
            tuple(self.populations.values()),
            tuple(self.projections),
            Schedule(self.steps),
            provenance={**graph.provenance, "inputs": self.inputs, "output": self._output()},
        )

    def _output(self) -> str:
        """The population whose spikes or potential are the result; the first, if there are more."""
        name = self.graph.outputs[0]
        return self.graph.arriving[name][0].source if self._read_directly(name) else name

    def _refuse(self, node: str, what: str, remedy: str) -> None:
        violation = Violation(node, what, remedy)
        if violation not in self.violations:
            self.violations.append(violation)

    def _input(self, name: str) -> None:
        shape = self.graph.shapes[name]
        sequence = {"intensities": 0, "spikes": 1, "graded": FULL}[self.inputs]
        scale = 1.0 if self.inputs == "spikes" else 1 / FULL
        self.populations[name] = Population(
            name, prod(shape), 0, scale=scale, shape=_map(shape), sequence=sequence
        )

    def _receivers(self) -> Iterator[tuple[str, Neuron]]:
        """All nodes that become neurons, each as the neuron that it is."""
        for name in self.graph.order:
            node = self.graph.nodes[name]
            if isinstance(node, Neuron):
                yield name, node
            elif isinstance(node, Threshold):
                yield name, Neuron(ZERO, np.ones(()), ZERO, node.threshold, Reset.ZERO)
            elif isinstance(node, MaxPool):
                yield name, Neuron(ZERO, np.ones(()), ZERO, np.full((), 0.5), Reset.ZERO)
            elif isinstance(node, Output) and not self._read_directly(name):
                yield name, Neuron(ZERO, np.ones(()), ZERO, None)

    def _read_directly(self, name: str) -> bool:
        before = self.graph.arriving[name]
        return len(before) == 1 and not before[0].delayed and sends(self.graph, before[0].source)

    def _receiver(self, name: str, node: Neuron) -> None:
        shape = self.graph.shape_of_input(name)
        if isinstance(self.graph.nodes[name], MaxPool):
            shape = self.graph.shapes[name]
        if node.rectified:
            self._refuse(
                name,
                "its membrane potential is kept from falling below 0, which no soma here does",
                "use a neuron without it (snnTorch: Leaky)",
            )
        if node.threshold is not None and (_threshold(node) < 0).any():
            self._refuse(
                name,
                "its threshold is below the potential that it is reset to",
                "give a threshold above it",
            )
        drive = node.gain * (1 if node.current is None else node.current.gain)
        bias = np.zeros(prod(shape))
        for path in paths(self.graph, name, self._refuse):
            found = self._synapses(name, path, drive, shape)
            if found is not None:
                bias += found.bias
                self._connect(name, path, found)
        self.populations[name] = self._population(name, node, shape, bias)

    def _population(self, name: str, node: Neuron, shape: Shape, bias: np.ndarray) -> Population:
        rest = node.reset_value if node.reset is Reset.ZERO_AT_ONCE else ZERO
        constant = np.broadcast_to(node.leak - (1 - node.decay) * rest, shape).ravel()
        if node.current is not None and bias.any():
            self._always(name, bias)
        else:
            constant = constant + bias
        return Population(
            name,
            prod(shape),
            1,
            Soma(
                decay=_values(node.decay, shape),
                threshold=None if node.threshold is None else _values(_threshold(node), shape),
                reset=Reset.NONE if node.threshold is None else node.reset,
                current_decay=None if node.current is None else _values(node.current.decay, shape),
                start=_values(node.initial - rest, shape),
            ),
            shape=_map(shape),
            bias=tuple(constant.tolist()) if constant.any() else (),
        )

    def _always(self, name: str, bias: np.ndarray) -> None:
        """A bias that goes through a synaptic current: a neuron that spikes in every step."""
        source = f"{name}.always"
        self.always.add(source)
        soma = Soma(0.0, 0.5, Reset.ZERO)
        self.populations[source] = Population(source, 1, 1, soma, bias=(1.0,))
        self.projections.append(
            Projection(f"{name}.bias", source, name, Compartment.SOMA, bias[:, None].astype(float))
        )

    def _connect(self, name: str, path: Path, found: LinearMap) -> None:
        title = f"{path.source} to {name}"
        count = sum(p.name.split(",")[0] == title for p in self.projections)
        self.projections.append(
            Projection(
                f"{title}, {count + 1}" if count else title,
                path.source,
                name,
                Compartment.SOMA,
                found.weights,
                connection=found.connection,
                delay=path.delay,
                geometry=found.geometry,
            )
        )

    def _synapses(self, name: str, path: Path, drive: np.ndarray, shape: Shape) -> LinearMap | None:
        """What a path becomes, with the gain of the neurons that it ends on; None: refused."""
        source, chain = self.graph.shapes[path.source], path.chain
        node = self.graph.nodes[name]
        if isinstance(node, MaxPool):
            self._require_spikes(name, path)
            chain = (*chain, SumPool(node.kernel, node.stride, node.padding))
        if any(isinstance(n, Rectifier) for n in chain):
            return None  # said already
        try:
            found = linear_map((*chain, Scale(drive, ZERO)), source, shape)
        except TooLargeError:
            self._refuse(
                path.nodes[-1] if path.nodes else name,
                f"it connects {prod(source):,} with {prod(shape):,} neurons, which has to be "
                f"written out pair by pair, more than {LARGEST:,} of them",
                "let convolutions and pools alone lie between two maps, or make the maps smaller",
            )
            return None
        if path.delay and found.bias.any() and self._held(path):
            self._refuse(
                name,
                "a bias comes through a delay, so it is missing in the first steps",
                "put the bias after the delay",
            )
        return found

    def _held(self, path: Path) -> bool:
        return any(isinstance(self.graph.nodes[n], Delay) for n in path.nodes)

    def _require_spikes(self, name: str, path: Path) -> None:
        """A pool of the largest is a neuron only where what it pools is spikes."""
        numbers = isinstance(self.graph.nodes[path.source], Input) and self.inputs != "spikes"
        if numbers or not all(isinstance(n, Reshape) for n in path.chain):
            self._refuse(
                name,
                "it takes the largest of what is no spike",
                "pool spikes (after the neuron), or take the mean (AvgPool)",
            )


def _threshold(node: Neuron) -> np.ndarray:
    """Counted from the potential that a spike resets to."""
    assert node.threshold is not None
    value = node.reset_value if node.reset is Reset.ZERO_AT_ONCE else ZERO
    return np.asarray(node.threshold - value)


def _map(shape: Shape) -> tuple[int, int, int] | None:
    return plane(shape) if len(shape) in (2, 3) else None


def _values(array: np.ndarray, shape: Shape) -> Any:
    """One number for all, one a channel, or one a neuron."""
    every = np.broadcast_to(array, shape)
    if (every == every.flat[0]).all():
        return float(every.flat[0])
    if _map(shape) is not None:
        channels = every.reshape(shape[0], -1)
        if (channels == channels[:, :1]).all():
            return tuple(channels[:, 0].tolist())
    return tuple(every.ravel().tolist())
