"""Live PyTorch networks as source graphs: watched, rolled up to one step, translated, compared.

The last step is the guarantee: the graph and the network run side by side from rest, and a graph
that does not do what the network does is refused, whatever the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from clapp_neuro.errors import InputError
from compiler.frontends import torch_functions, torch_layers
from compiler.frontends.parts import Part
from compiler.frontends.recording import Call, record
from compiler.frontends.refusals import UnsupportedError
from compiler.frontends.rolling import Rolled, Source, StepCall, roll
from compiler.frontends.side_by_side import require_same
from compiler.source import Edge, Graph, Input, Neuron, Node, Output, Reset
from compiler.source.fold import fold_scales
from compiler.source.graph import Violation, refuse

INPUT, OUTPUT = "input", "output"


@dataclass(frozen=True)
class Framework:
    """What the front end has to know of a library of neurons.

    read: nodes of a neuron. neurons: its classes; sequences: those that take a whole time series.
    package: modules of it that are not in `neurons` are refused by name, as those of torch.nn are.
    clear: put the network's own states to rest. carries: each call returns (result, states) and
    takes the states back.
    """

    name: str
    package: str
    neurons: dict[type, Any]
    read: Callable[[nn.Module, Call, int], Part]
    sequences: tuple[type, ...] = ()
    clear: Callable[[nn.Module], None] = lambda _net: None
    carries: bool = False
    wrappers: tuple[type, ...] = ()  # modules that are looked through
    unwrap: Callable[[nn.Module], nn.Module | None] = lambda _module: None  # Lift


def read_network(net: nn.Module, sample: Any, framework: Framework) -> Graph:
    """The source graph of a live network; `sample` is what net(sample) takes, batch axis and all.

    The network is read in evaluation mode; its mode, states and parameters stay as they are.
    Raises InputError for what is not taken, with all places, and where the graph would not do what
    the network does.
    """
    if not isinstance(net, nn.Module):
        raise InputError(f"{type(net).__name__} is no torch.nn.Module: give a network")
    sample = torch.as_tensor(sample)
    if sample.ndim < 2:
        raise InputError(
            f"the sample has shape {tuple(sample.shape)}: give a batch axis in front, of 1 or more"
        )
    if not torch.isfinite(sample).all():
        raise InputError("the sample holds a NaN or infinity: give finite numbers")
    first = next(net.parameters(), torch.zeros(0))
    sample = sample.to(first.device, first.dtype if first.is_floating_point() else torch.float32)
    with _kept(net):
        framework.clear(net)
        graph, rolled = _translated(net, sample, framework)
        framework.clear(net)
        require_same(net, sample, graph, rolled, framework.clear, framework.carries)
    return graph


def _translated(net: nn.Module, sample: Tensor, framework: Framework) -> tuple[Graph, Rolled]:
    def is_neuron(call: Call) -> bool:
        module = call.module
        if module is not None:
            module = framework.unwrap(module) or module
        return type(module) in framework.neurons

    recording = record(lambda: net(sample), net, sample, lambda module: _is_node(module, framework))
    rolled = roll(
        recording,
        is_neuron,
        lambda call: (
            isinstance(call.module, framework.sequences)
            or (call.module is not None and framework.unwrap(call.module) is not None)
        ),
    )
    return _Translation(rolled, framework, is_neuron).graph(net, sample), rolled


class _Translation:
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
        nodes, edges = _reached(self.nodes, self.edges, OUTPUT)
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
        taken = [t.__name__ for t in (*self.framework.neurons, *torch_layers.MODULES)]
        raise UnsupportedError(
            f"{type(module).__name__} is not taken", f"use one of {', '.join(taken)}"
        )

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


def _reached(
    nodes: dict[str, Node], edges: list[Edge], end: str
) -> tuple[dict[str, Node], tuple[Edge, ...]]:
    """What leads to the result; the rest is computed for nobody."""
    found, waiting = {end}, [end]
    while waiting:
        name = waiting.pop()
        for e in edges:
            if e.target == name and e.source not in found:
                found.add(e.source)
                waiting.append(e.source)
    kept = tuple(e for e in edges if e.source in found and e.target in found)
    return {n: node for n, node in nodes.items() if n in found}, kept


def _is_node(module: nn.Module, framework: Framework) -> bool:
    """Whether a module is one to the front end: its own inside is not looked at."""
    kind = type(module)
    if kind in framework.wrappers:
        return False
    if kind in framework.neurons or kind in torch_layers.MODULES:
        return True
    home = kind.__module__
    if home.startswith("torch.nn.modules.container"):
        return False
    return home.startswith(("torch.nn.modules.", framework.package + "."))


def _join(title: str, end: str) -> str:
    return f"{title}.{end}" if end else title


@contextmanager
def _kept(net: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while; modes and buffers come back as they were."""
    modes = [(m, m.training) for m in net.modules()]
    buffers = [(m, n, b) for m in net.modules() for n, b in m.named_buffers(recurse=False)]
    held = [b.detach().clone() for _, _, b in buffers]
    net.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
        for (module, name, buffer), old in zip(buffers, held, strict=True):
            if buffer.shape == old.shape:
                buffer.data.copy_(old)
            setattr(module, name, buffer)
