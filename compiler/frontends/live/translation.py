"""The calls of one time step of a watched network as nodes and edges of a source graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from torch import Tensor, nn

from clapp_neuro.errors import InputError
from compiler.frontends.live import torch_functions, torch_layers
from compiler.frontends.live.framework import Framework
from compiler.frontends.live.parts import Part
from compiler.frontends.live.recording import Call
from compiler.frontends.live.time_step import Rolled, Source, StepCall
from compiler.frontends.refusals import UnsupportedError
from compiler.source import Edge, Graph, Input, Neuron, Node, Output, Reset
from compiler.source.edges import reached
from compiler.source.fold import fold_scales
from compiler.source.violations import Violation, refuse

INPUT, OUTPUT = "input", "output"


class Translation:
    """Nodes, edges and what cannot be taken, as the calls of a step are gone through."""

    def __init__(
        self, rolled: Rolled, framework: Framework, is_neuron: Callable[[Call], bool]
    ) -> None:
        self.rolled, self.framework, self.is_neuron = rolled, framework, is_neuron
        self.nodes: dict[str, Node] = {}
        self.edges: list[Edge] = []
        self.notes: list[str] = list(rolled.notes)
        self.violations: list[Violation] = []
        self.parts: dict[int, tuple[str, Part]] = {}  # by call
        self.titles: set[str] = {INPUT, OUTPUT}

    def graph(self, net: nn.Module, sample: Tensor) -> Graph:
        """The whole graph; InputError with all violations."""
        where = f"{type(net).__name__} ({self.framework.name})"
        self.nodes[INPUT] = Input(tuple(sample.shape[self.rolled.leading :]))
        for number, step_call in self.rolled.calls.items():
            self._add(number, step_call)
        leaving = self._results()
        refuse(where, tuple(self.violations))
        self.nodes[OUTPUT] = Output()
        self.edges.append(Edge(leaving, OUTPUT))
        nodes, edges = _leading_to(self.nodes, self.edges, OUTPUT)
        return fold_scales(
            Graph(
                nodes,
                edges,
                tuple(self.notes),
                self.rolled.steps if self.rolled.steps > 1 else None,
                {"source": where},
            )
        )

    def _add(self, number: int, step_call: StepCall) -> None:
        call = step_call.call
        title = self._title(call)
        try:
            part = self._part(step_call)
        except UnsupportedError as error:
            self.violations.append(Violation(title, error.what, error.remedy))
            self.parts[number] = (title, Part({"": Output()}))  # whatever it is, it ends here
            return
        if not part.nodes:  # the identity, or a sum: what comes after takes what went in
            self.parts[number] = (title, part)
            return
        self.parts[number] = (title, part)
        for end, node in part.nodes.items():
            self.nodes[_join(title, end)] = node
        for e in part.edges:
            self.edges.append(
                replace(e, source=_join(title, e.source), target=_join(title, e.target))
            )
        sources = step_call.sources[:1] if self.is_neuron(call) else step_call.sources
        for source in sources:
            for name, delayed in self._names(source):
                self.edges.append(Edge(name, _join(title, part.entry), delayed))
        self.notes += [f"{title}: {note}" for note in part.notes]

    def _part(self, step_call: StepCall) -> Part:
        call, leading = step_call.call, step_call.leading
        if call.module is None:
            part = torch_functions.read_function(call, leading)
            if part is None:
                raise UnsupportedError(
                    f"the function {call.name} is not taken",
                    f"use one of {', '.join(sorted(torch_functions.FUNCTIONS))}",
                )
            return part
        module = call.module
        inner = self.framework.unwrap(module)
        if inner is not None:
            module = inner
            shape = (call.shape[0] * call.shape[1], *call.shape[2:])
            results = tuple((r[0] * r[1], *r[2:]) for r in call.results[:1])
            call, leading = replace(call, shape=shape, results=results, module=inner), 1
        if type(module) in self.framework.neurons:
            if not call.shape[leading:]:
                raise UnsupportedError("the sample has no batch axis", "give one in front")
            return self.framework.read(module, call, leading)
        if type(module) in torch_layers.MODULES:
            return torch_layers.read_module(module, call, leading)
        raise self._not_taken(type(module).__name__)

    def _not_taken(self, kind: str) -> UnsupportedError:
        for begins, (why, remedy) in self.framework.unsuited.items():
            if kind.startswith(begins):
                return UnsupportedError(f"{kind} is not taken: {why}", remedy)
        taken = [t.__name__ for t in (*self.framework.neurons, *torch_layers.MODULES)]
        return UnsupportedError(f"{kind} is not taken", f"use one of {', '.join(taken)}")

    def _names(self, source: Source, through: tuple[int, ...] = ()) -> Iterator[tuple[str, bool]]:
        """The nodes that a value comes from, through identities and sums."""
        if source.call is None:
            yield INPUT, False
            return
        title, part = self.parts[source.call] if source.call in self.parts else ("", Part())
        if part.nodes:
            if source.part and self.is_neuron(self.rolled.calls[source.call].call):
                self.violations.append(
                    Violation(
                        title,
                        "its state goes into another layer",
                        "use its spikes: a chip sends nothing else",
                    )
                )
            yield _join(title, part.leaves), source.delayed
            return
        if source.call in through:
            raise InputError(
                f"'{title}' adds up from step to step, and leads to a neuron: let the neurons "
                "alone carry states"
            )
        for before in self.rolled.calls[source.call].sources:
            for name, delayed in self._names(before, (*through, source.call)):
                yield name, delayed or source.delayed

    def _results(self) -> str:
        """The node that the network returns: the last layer's spikes, or a readout's potential."""
        results = self.rolled.results
        spikes = [
            r
            for r in results
            if r.call is None or not (r.part and self.is_neuron(self.rolled.calls[r.call].call))
        ]
        found = list(
            dict.fromkeys(name for r in (spikes or results)[:1] for name, _ in self._out(r))
        )
        if len(found) != 1:
            self.violations.append(
                Violation(
                    "forward",
                    "it returns nothing that comes from the sample by way of one layer",
                    "return the last layer's spikes",
                )
            )
            return INPUT
        if not spikes:
            self._read_out(results[0])
        return found[0]

    def _out(self, result: Source) -> list[tuple[str, bool]]:
        if result.call is not None and result.part:
            title, part = self.parts[result.call]
            if part.nodes and part.state is not None:
                return [(_join(title, part.state), False)]
        return list(self._names(replace(result, part=0)))

    def _read_out(self, result: Source) -> None:
        """The network returns a membrane potential: of a neuron that no spike resets, a readout."""
        assert result.call is not None
        title, part = self.parts[result.call]
        name = _join(title, part.state or "")
        node = self.nodes.get(name)
        if not isinstance(node, Neuron):
            return
        if node.reset is not Reset.NONE:
            self.violations.append(
                Violation(
                    title,
                    "the network returns its membrane potential, which spikes reset",
                    "return its spikes, or give it reset_mechanism='none' to make it a readout",
                )
            )
        self.nodes[name] = replace(node, threshold=None)

    def _title(self, call: Call) -> str:
        name, count = call.name.strip("_"), 1
        while name in self.titles:
            count += 1
            name = f"{call.name.strip('_')}_{count}"
        self.titles.add(name)
        return name


def _leading_to(
    nodes: dict[str, Node], edges: list[Edge], end: str
) -> tuple[dict[str, Node], tuple[Edge, ...]]:
    """What leads to the result; the rest is computed for nobody."""
    found = {end} | reached(end, ((e.target, e.source) for e in edges))
    kept = tuple(e for e in edges if e.source in found and e.target in found)
    return {n: node for n, node in nodes.items() if n in found}, kept


def _join(title: str, end: str) -> str:
    return f"{title}.{end}" if end else title
