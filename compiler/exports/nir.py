"""Source graphs as NIR graphs (1.0), so that a reader of NIR's equations computes the same.

What NIR has no word for goes into metadata, under `clapp_neuro_…`: resets other than to a value at
once, a start other than at v_leak, the time step that the time constants belong to. Our own reader
honours them; others do not, and the notes say what they will compute otherwise.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any

import nir
import numpy as np

from clapp_neuro.errors import InputError
from clapp_neuro.files import write_whole
from compiler.frontends.loops import cut
from compiler.frontends.nir.graph import MARK
from compiler.frontends.refusals import UnsupportedError
from compiler.source import (
    AveragePool,
    Convolution,
    Delay,
    Edge,
    Graph,
    Input,
    Linear,
    Neuron,
    Node,
    Output,
    Reset,
    Reshape,
    Scale,
    SumPool,
    Threshold,
)
from compiler.source.nodes import Pairs, Shape
from compiler.source.violations import Violation, refuse

DT = 1e-4  # what snnTorch's reader takes for granted


@dataclass(frozen=True)
class NirExport:
    """The graph as the nir package has it, and what its readers have to know."""

    graph: Any
    notes: tuple[str, ...] = field(default=())


def write_nir(
    path: str | os.PathLike[str],
    graph: Graph,
    dt: float | None = None,
    metadata: dict[str, str] | None = None,
) -> NirExport:
    """Write a graph as a .nir file, whole or not at all; arguments and errors as of `to_nir`."""
    made = to_nir(graph, dt, metadata)
    content = BytesIO()
    nir.write(content, made.graph)
    write_whole(Path(path), lambda file: file.write(content.getbuffer()))
    return made


def to_nir(
    graph: Graph, dt: float | None = None, metadata: dict[str, str] | None = None
) -> NirExport:
    """The NIR graph of a source graph; dt: seconds of a time step (default: as read, or 1e-4).

    metadata: more to write into the graph's, rules of learning for example.
    Raises InputError for what NIR cannot say, with every node, parameter and remedy.
    """
    step = dt if dt is not None else float(graph.provenance.get("dt", DT))
    if not 0 < step < float("inf"):
        raise InputError(f"dt is {step}: give the seconds of a time step, more than 0")
    return _Writing(graph, step).export(metadata or {})


class _Writing:
    def __init__(self, graph: Graph, dt: float) -> None:
        self.graph, self.dt = graph, dt
        self.notes: list[str] = []

    def export(self, metadata: dict[str, str]) -> NirExport:
        nodes: dict[str, Any] = {}
        violations: list[Violation] = []
        for name, node in self.graph.nodes.items():
            try:
                nodes[name] = self._node(name, node)
            except UnsupportedError as error:
                violations.append(Violation(name, error.what, error.remedy))
        refuse(f"{self.graph.name} as NIR", tuple(violations), self.graph.kinds)
        edges = self._nested(nodes, list(self._edges(nodes)))
        own: dict[str, Any] = {
            f"{MARK}_dt": self.dt,
            **{f"{MARK}_{k}": v for k, v in metadata.items()},
        }
        if self.graph.steps is not None:
            own[f"{MARK}_steps"] = self.graph.steps
        made = nir.NIRGraph(nodes, edges, metadata=own, type_check=False)
        return NirExport(made, tuple(self.notes))

    def _edges(self, nodes: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """Edges, a delay in those that are late and that no reader would find out to be."""
        bare = tuple(Edge(e.source, e.target) for e in self.graph.edges)
        found = {(e.source, e.target) for e in cut(dict(self.graph.nodes), bare) if e.delayed}
        late = {(e.source, e.target) for e in self.graph.edges if e.delayed}
        wrong = sorted(found - late)
        if wrong:
            a, b = wrong[0]
            violation = Violation(
                b,
                f"readers of NIR delay the edge from {a}, the source does not",
                "cut another edge",
            )
            refuse(f"{self.graph.name} as NIR", (violation,))
        for e in self.graph.edges:
            if (e.source, e.target) in late - found:
                name = f"{e.source}_to_{e.target}_later"
                nodes[name] = nir.Delay(np.full(self.graph.shapes[e.source], self.dt))
                yield e.source, name
                yield name, e.target
            else:
                yield e.source, e.target

    def _nested(self, nodes: dict[str, Any], edges: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Recurrent layers as graphs inside the graph, which is how readers recognise them."""
        for name in [n for n in nodes if isinstance(nodes[n], nir.LIF | nir.CubaLIF)]:
            back = [
                b
                for a, b in edges
                if a == name
                and isinstance(nodes[b], nir.Linear | nir.Affine)
                and [e for e in edges if b in e] in ([(a, b), (b, a)], [(b, a), (a, b)])
            ]
            if len(back) != 1:
                continue
            ends = np.array(nodes[name].v_threshold.shape)
            inner = {
                "input": nir.Input({"input": ends}),
                "lif": nodes[name],
                "w_rec": nodes.pop(back[0]),
                "output": nir.Output({"output": ends}),
            }
            path = [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")]
            own = {f"{MARK}_recurrent": back[0]}
            nodes[name] = nir.NIRGraph(inner, path, metadata=own, type_check=False)
            edges = [e for e in edges if back[0] not in e]
        return edges

    def _node(self, name: str, node: Node) -> Any:
        shape = self.graph.shape_of_input(name)
        if isinstance(node, Input):
            return nir.Input({"input": np.array(node.shape)})
        if isinstance(node, Output):
            return nir.Output({"output": np.array(shape)})
        if isinstance(node, Linear):
            if len(shape) != 1:
                raise UnsupportedError(f"it acts on the last axis of {shape}", "flatten before it")
            if node.bias is None:
                return nir.Linear(node.weight)
            return nir.Affine(node.weight, node.bias)
        if isinstance(node, Convolution):
            return _convolution(node, shape)
        if isinstance(node, SumPool):
            return nir.SumPool2d(*_pool(node.kernel, node.stride, node.padding))
        if isinstance(node, AveragePool):
            if node.divisor is not None or (
                not node.counts_padding and any(map(any, node.padding))
            ):
                raise UnsupportedError(
                    "it divides by something else than the size of its window",
                    "use SumPool2d and a scale",
                )
            return nir.AvgPool2d(*_pool(node.kernel, node.stride, node.padding))
        if isinstance(node, Reshape):
            return _flatten(node, shape)
        if isinstance(node, Scale):
            if node.offset.any():
                raise UnsupportedError("it adds an offset", "put it into a bias")
            return nir.Scale(np.broadcast_to(node.scale, shape).copy())
        if isinstance(node, Delay):
            return nir.Delay(np.broadcast_to(node.steps * self.dt, shape).copy())
        if isinstance(node, Threshold):
            return nir.Threshold(np.broadcast_to(node.threshold, shape).copy())
        if isinstance(node, Neuron):
            return self._neuron(name, node, shape)
        raise UnsupportedError(f"NIR has no {type(node).__name__}", "write ONNX, or replace it")

    def _neuron(self, name: str, node: Neuron, shape: Shape) -> Any:
        """NIR's parameters, of which forward Euler gives the node's; see `frontends.nir`."""
        leaks = 1 - node.decay
        parameters: dict[str, np.ndarray] = {}
        if (leaks == 0).all() and node.current is None:
            if node.leak.any():
                raise UnsupportedError("it integrates a constant", "put it into a bias before it")
            kind, parameters["r"] = ("IF" if node.spiking else "I"), node.gain / self.dt
        else:
            if (leaks == 0).any():
                raise UnsupportedError(
                    "some of its neurons do not leak, which has no time constant",
                    "give all a decay below 1, or all 1 without a synaptic current",
                )
            kind = "LIF" if node.spiking else "LI"
            tau = self.dt / leaks
            rest = node.leak / leaks
            parameters = {"tau": tau, "r": node.gain / leaks, "v_leak": rest}
            if node.current is not None:
                slow = 1 - node.current.decay
                if (slow == 0).any():
                    raise UnsupportedError(
                        "its current does not decay, which has no time constant",
                        "give current.decay below 1",
                    )
                kind = f"Cuba{kind}"
                del parameters["tau"]
                parameters |= {"tau_mem": tau, "tau_syn": self.dt / slow}
                parameters["w_in"] = node.current.gain / slow
        if node.spiking:
            assert node.threshold is not None
            parameters |= {"v_threshold": node.threshold, "v_reset": node.reset_value}
        full = {k: np.array(np.broadcast_to(v, shape), np.float64) for k, v in parameters.items()}
        own = self._own(name, node, full.get("v_leak", np.zeros(())), shape)
        return getattr(nir, kind)(**full, metadata=own)

    def _own(self, name: str, node: Neuron, rest: np.ndarray, shape: Shape) -> dict[str, Any]:
        own: dict[str, Any] = {}
        if node.spiking and node.reset is not Reset.ZERO_AT_ONCE:
            own[f"{MARK}_reset"] = node.reset.value
            self.notes.append(
                f"{name}: its reset ('{node.reset.value}') is metadata, NIR knows only a reset to "
                "v_reset at once: other readers will count other spikes"
            )
        if (np.abs(node.initial - rest) > 1e-12).any():
            own[f"{MARK}_start"] = np.array(np.broadcast_to(node.initial, shape))
            self.notes.append(f"{name}: its start is metadata, others start it at v_leak or 0")
        if node.rectified:
            own[f"{MARK}_rectified"] = 1
            self.notes.append(f"{name}: that it does not fall below 0 is metadata")
        return own


def _convolution(node: Convolution, shape: Shape) -> Any:
    padding = _symmetric(node.padding)
    bias = np.zeros(node.weight.shape[0]) if node.bias is None else node.bias
    if node.axes == 1:
        return nir.Conv1d(
            shape[1], node.weight, node.stride[0], padding[0], node.dilation[0], node.groups, bias
        )
    return nir.Conv2d(
        tuple(shape[1:]), node.weight, node.stride, padding, node.dilation, node.groups, bias
    )


def _symmetric(padding: Pairs) -> Shape:
    if any(before != after for before, after in padding):
        raise UnsupportedError(f"its padding {padding} differs by side", "pad both sides alike")
    return tuple(before for before, _ in padding)


def _pool(kernel: Shape, stride: Shape, padding: Pairs) -> tuple[np.ndarray, ...]:
    if len(kernel) != 2:
        raise UnsupportedError("NIR pools over two axes", "pool over two")
    return np.array(kernel), np.array(stride), np.array(_symmetric(padding))


def _flatten(node: Reshape, shape: Shape) -> Any:
    for start in range(len(shape)):
        for end in range(start, len(shape)):
            if node.shape == (*shape[:start], prod(shape[start : end + 1]), *shape[end + 1 :]):
                return nir.Flatten({"input": np.array(shape)}, start, end)
    raise UnsupportedError(f"it makes {node.shape} of {shape}", "NIR only flattens")
