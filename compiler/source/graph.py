"""The graph: named nodes and edges, checked as a whole before anyone reads its shapes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from compiler.source.edges import Edge, ordered, reached
from compiler.source.nodes import Input, Node, Output, Shape
from compiler.source.parameters import unsound_parameters
from compiler.source.shapes import infer_shapes
from compiler.source.violations import Violation, refuse


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
        parameters = [
            v for name, node in self.nodes.items() for v in unsound_parameters(name, node)
        ]
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
