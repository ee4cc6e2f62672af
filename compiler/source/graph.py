"""The graph: named nodes and edges, checked as a whole before anyone reads its shapes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from clapp_neuro.errors import InputError
from compiler.source.neuron import Neuron
from compiler.source.nodes import (
    Convolution,
    Delay,
    Input,
    Linear,
    Node,
    Output,
    Pool,
    Shape,
    ShapeError,
)


@dataclass(frozen=True)
class Edge:
    """What leaves `source` arrives at `target` in the same time step, or with `delayed` the next.

    Before the first step a delayed edge brings what its source would send if no neuron had spiked.
    """

    source: str
    target: str
    delayed: bool = False

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}" + (" (one step later)" if self.delayed else "")


@dataclass(frozen=True)
class Violation:
    """What of a source cannot be taken: the place, what is wrong there, and what would mend it."""

    node: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.node}: {self.what}; {self.remedy}"


@dataclass(frozen=True, eq=False)
class Graph:
    """A network as its framework computes it, in real numbers; several edges onto a node add up.

    notes: what the reader folded, left out or has to warn of. steps: time steps of a sample where
    the source says so. provenance: where it comes from.
    Raises InputError with all violations where it is not a sound graph.
    """

    nodes: Mapping[str, Node]
    edges: tuple[Edge, ...]
    notes: tuple[str, ...] = ()
    steps: int | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        refuse(self.name, tuple(self._violations()), self.kinds)

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.provenance.get("source", "the network")

    @property
    def kinds(self) -> dict[str, str]:
        """What each node is, by its name."""
        return {name: type(node).__name__ for name, node in self.nodes.items()}

    @cached_property
    def arriving(self) -> dict[str, tuple[Edge, ...]]:
        """The edges that end on each node."""
        return {n: tuple(e for e in self.edges if e.target == n) for n in self.nodes}

    @cached_property
    def leaving(self) -> dict[str, tuple[Edge, ...]]:
        """The edges that begin at each node."""
        return {n: tuple(e for e in self.edges if e.source == n) for n in self.nodes}

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The nodes so that what arrives in a step is there before it is needed."""
        return tuple(ordered(self.nodes, self.edges)[0])

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """The shape of what leaves each node."""
        return infer_shapes(self.nodes, self.edges)[0]

    def shape_of_input(self, name: str) -> Shape:
        """The shape of what arrives at a node."""
        node = self.nodes[name]
        return node.shape if isinstance(node, Input) else self.shapes[self.arriving[name][0].source]

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the nodes where samples enter."""
        return tuple(n for n, node in self.nodes.items() if isinstance(node, Input))

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the nodes where results leave."""
        return tuple(n for n, node in self.nodes.items() if isinstance(node, Output))

    def __str__(self) -> str:
        lines = []
        for name in self.order:
            shape = "x".join(str(n) for n in self.shapes[name])
            after = ", ".join(
                e.source + (" (delayed)" if e.delayed else "") for e in self.arriving[name]
            )
            kind = type(self.nodes[name]).__name__
            lines.append(f"{name}: {kind} {shape}" + (f" <- {after}" if after else ""))
        return "\n".join(lines)

    def _violations(self) -> Iterator[Violation]:
        loose = [e for e in self.edges if e.source not in self.nodes or e.target not in self.nodes]
        for edge in loose:
            missing = edge.source if edge.source not in self.nodes else edge.target
            yield Violation(str(edge), f"there is no node '{missing}'", "name a node of the graph")
        if not self.inputs or not self.outputs:
            lacks = "input" if not self.inputs else "output"
            yield Violation("graph", f"it has no {lacks}", f"give it an {lacks} node")
        parameters = [v for name, node in self.nodes.items() for v in _of_parameters(name, node)]
        yield from parameters
        if loose:
            return
        for name, node in self.nodes.items():
            if isinstance(node, Input) == bool(self.arriving[name]):
                what = "something arrives at an input" if self.arriving[name] else "nothing arrives"
                yield Violation(name, what, "connect the node, or leave it out")
        circle = ordered(self.nodes, self.edges)[1]
        if circle:
            yield Violation(
                circle[0],
                f"a loop without a delay: {' -> '.join(circle)}",
                "mark the edge that closes it as delayed",
            )
            return
        ahead = [(e.source, e.target) for e in self.edges]
        begun = [n for n in self.nodes if not self.arriving[n]]
        led_to = set(begun).union(*(reached(n, ahead) for n in begun))
        for name in self.nodes:
            if name not in led_to:
                what = "nothing leads to it but a loop, which no input ever enters"
                yield Violation(name, what, "connect the node, or leave it out")
        yield from infer_shapes(self.nodes, self.edges, frozenset(v.node for v in parameters))[1]


class SourceError(InputError):
    """What of a source cannot be taken, and what all its nodes are, by name."""

    def __init__(
        self, text: str, violations: tuple[Violation, ...], nodes: Mapping[str, str]
    ) -> None:
        super().__init__(text)
        self.violations, self.nodes = violations, nodes


def refuse(
    where: str, violations: tuple[Violation, ...], nodes: Mapping[str, str] | None = None
) -> None:
    """SourceError that lists all violations; returns where there is none.

    nodes: kinds of all nodes by name, where more are known than are at fault.
    """
    if violations:
        count = "1 thing" if len(violations) == 1 else f"{len(violations)} things"
        lines = [f"{where} cannot be taken, for {count}:", *(f"  {v}" for v in violations)]
        raise SourceError("\n".join(lines), violations, nodes or {})


def ordered(nodes: Mapping[str, Node], edges: tuple[Edge, ...]) -> tuple[list[str], list[str]]:
    """Nodes in the order of a time step, and those of a loop without a delay, if there is one."""
    waiting = {n: sum(e.target == n and not e.delayed for e in edges) for n in nodes}
    following: dict[str, list[str]] = {n: [] for n in nodes}
    for e in edges:
        if not e.delayed:
            following[e.source].append(e.target)
    ready = [n for n, count in waiting.items() if count == 0]
    found: list[str] = []
    while ready:
        name = ready.pop(0)
        found.append(name)
        for target in following[name]:
            waiting[target] -= 1
            if waiting[target] == 0:
                ready.append(target)
    left = [n for n in nodes if n not in set(found)]
    if not left:
        return found, []
    walk = [left[0]]
    while True:  # backwards: each node that is left waits for another that is
        before = next(e.source for e in edges if e.target == walk[-1] and e.source in left)
        if before in walk:
            return found, [*walk[walk.index(before) :], before][::-1]
        walk.append(before)


def reached(start: str, steps: Iterable[tuple[str, str]]) -> set[str]:
    """Where steps, each from one node to another, lead; `start` itself only by a loop."""
    onward: dict[str, list[str]] = {}
    for here, there in steps:
        onward.setdefault(here, []).append(there)
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for name in onward.get(waiting.pop(), ()):
            if name not in found:
                found.add(name)
                waiting.append(name)
    return found


def infer_shapes(
    nodes: Mapping[str, Node], edges: tuple[Edge, ...], unsound: frozenset[str] = frozenset()
) -> tuple[dict[str, Shape], tuple[Violation, ...]]:
    """Shapes of what leaves each node, and where something that arrives does not fit.

    Nothing is said of `unsound` nodes, nor of what only they lead to.
    """
    shapes: dict[str, Shape] = {}
    found: list[Violation] = []
    before = {n: [e.source for e in edges if e.target == n] for n in nodes}
    waiting = [n for n in nodes if n not in unsound]
    while True:
        known = [n for n in waiting if not before[n] or any(s in shapes for s in before[n])]
        if not known:
            break
        for name in known:
            waiting.remove(name)
            first = next((s for s in before[name] if s in shapes), None)
            try:
                shapes[name] = nodes[name].output_shape(shapes[first] if first else ())
            except ShapeError as error:
                what, _, remedy = str(error).partition(": ")
                found.append(Violation(name, what, remedy))
    for name, sources in before.items():
        brought = {s: shapes[s] for s in sources if s in shapes}
        if len(set(brought.values())) > 1:
            what = ", ".join(f"{s} brings {shape}" for s, shape in brought.items())
            found.append(Violation(name, what, "bring the same shape along all edges"))
    return shapes, tuple(found)


def _of_parameters(name: str, node: Node) -> Iterator[Violation]:
    for parameter, array in node.arrays().items():
        bad = ~np.isfinite(array)
        if bad.any():
            index = [int(i) for i in np.argwhere(bad)[0]]
            value = array[tuple(index)]
            yield Violation(
                name,
                f"{parameter}{index if index else ''} is {value}",
                "give finite numbers: train again, perhaps with a lower learning rate",
            )
    if isinstance(node, Linear) and node.weight.ndim != 2:
        yield Violation(name, f"weight has {node.weight.ndim} axes", "give (out, in)")
    if isinstance(node, Convolution):
        yield from _of_convolution(name, node)
    if isinstance(node, Pool) and (min(node.kernel) < 1 or min(node.stride) < 1):
        yield Violation(name, "kernel or stride is below 1", "give at least 1")
    bias = node.bias if isinstance(node, Linear | Convolution) else None
    if bias is not None and bias.shape != node.weight.shape[:1]:  # type: ignore[attr-defined]
        yield Violation(name, f"bias has shape {bias.shape}", "give one value an output channel")
    if isinstance(node, Delay) and (node.steps < 0).any():
        yield Violation(name, "steps are negative", "give 0 or more")
    if isinstance(node, Neuron):
        currents = [node.current.decay] if node.current is not None else []
        for what, decay in zip(("decay", "current.decay"), [node.decay, *currents], strict=False):
            if (decay < 0).any() or (decay > 1).any():
                worst = float(decay.ravel()[np.abs(decay.ravel() - 0.5).argmax()])
                yield Violation(
                    name,
                    f"{what} is {worst:g}",
                    "give 0 to 1: a time constant of at least one time step (is dt right?)",
                )


def _of_convolution(name: str, node: Convolution) -> Iterator[Violation]:
    if node.axes not in (1, 2):
        yield Violation(name, f"weight has {node.weight.ndim} axes", "give Conv1d or Conv2d")
    if node.groups < 1 or node.weight.shape[0] % max(node.groups, 1):
        yield Violation(
            name,
            f"groups is {node.groups}, for {node.weight.shape[0]} output channels",
            "give a divisor of the channels",
        )
    if min((*node.stride, *node.dilation, *node.weight.shape), default=1) < 1:
        yield Violation(name, "stride, dilation or kernel is below 1", "give at least 1")
    if {len(node.stride), len(node.dilation), len(node.padding)} != {node.axes}:
        remedy = f"give {node.axes} numbers for each"
        yield Violation(name, "stride, padding or dilation has other axes than weight", remedy)
    if any(p < 0 for pair in node.padding for p in pair):
        yield Violation(name, "padding is negative", "give 0 or more")
