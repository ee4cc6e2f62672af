"""Source graphs as ONNX: one time step, with every state as an explicit input and output.

ONNX has no time. The model takes the sample of one step and the states of all neurons, and gives
the result and the states of the next step; whoever runs it calls it once a step, first with the
states of `OnnxExport.states`, which the file notes as the property `initial` where they are not 0.
State `NAME.v` is a membrane potential, `NAME.i` a synaptic current and `NAME.last` what NAME sent
in the step before, for the edges that bring it back.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from clapp_neuro.errors import InputError
from clapp_neuro.files import write_whole
from compiler.source import (
    AveragePool,
    Convolution,
    Graph,
    Input,
    Linear,
    MaxPool,
    Neuron,
    Node,
    Output,
    Rectifier,
    Reset,
    Reshape,
    Scale,
    SumPool,
    Threshold,
)
from compiler.source.emulate import CROSSED_BEFORE, silent
from compiler.source.nodes import Pairs, Shape
from compiler.source.violations import Violation, refuse

OPSET, IR = 17, 8
INITIAL = "initial"  # the property that says where states begin, other than at 0


@dataclass(frozen=True)
class OnnxExport:
    """The model, and the states (1, *shape) to begin a sample with; broadcast them to a batch."""

    model: Any
    states: dict[str, np.ndarray]


def write_onnx(
    path: str | os.PathLike[str], graph: Graph, metadata: dict[str, str] | None = None
) -> OnnxExport:
    """Write one step of a graph as an .onnx file, whole or not at all; errors as `to_onnx`."""
    made = to_onnx(graph, metadata)
    content = made.model.SerializeToString()
    write_whole(Path(path), lambda file: file.write(content))
    return made


def to_onnx(graph: Graph, metadata: dict[str, str] | None = None) -> OnnxExport:
    """One step of a graph as an ONNX model; a graph without neurons is one without states.

    metadata: more to write into the model's properties, rules of learning for example.
    Raises InputError for what has no form here, with every node, parameter and remedy.
    """
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise InputError(f"{graph.name} has several inputs or outputs: export one of each")
    writing = _Writing(graph)
    refused = tuple(
        Violation(name, f"{type(node).__name__} has no form in one step", "leave it out")
        for name, node in graph.nodes.items()
        if not isinstance(node, KNOWN)
    )
    refuse(f"{graph.name} as ONNX", refused, graph.kinds)
    return writing.export(metadata or {})


KNOWN = (
    AveragePool,
    Convolution,
    Input,
    Linear,
    MaxPool,
    Neuron,
    Output,
    Rectifier,
    Reshape,
    Scale,
    SumPool,
    Threshold,
)


@dataclass
class _Writing:
    graph: Graph
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)
    states: dict[str, np.ndarray] = field(default_factory=dict)
    following: dict[str, str] = field(default_factory=dict)  # state to the value that follows it

    def export(self, metadata: dict[str, str]) -> OnnxExport:
        graph, sent = self.graph, dict[str, str]()
        for source, value in silent(graph, 1, np.float32).items():
            self.states[f"{source}.last"] = value
        for name in graph.order:
            node = graph.nodes[name]
            if isinstance(node, Input):
                sent[name] = name
                continue
            arriving = [
                f"{e.source}.last" if e.delayed else sent[e.source] for e in graph.arriving[name]
            ]
            x = arriving[0]
            for more in arriving[1:]:
                x = self._op("Add", x, more)
            sent[name] = self._node(name, node, x)
        for state in [s for s in self.states if s.endswith(".last")]:
            self.following[state] = sent[state.removesuffix(".last")]
        result = graph.outputs[0]
        self.nodes.append(helper.make_node("Identity", [sent[result]], [f"{result}.value"]))
        outputs = [self._info(f"{result}.value", graph.shapes[result])]
        for state, following in self.following.items():
            self.nodes.append(helper.make_node("Identity", [following], [f"{state}.next"]))
            outputs.append(self._info(f"{state}.next", self.states[state].shape[1:]))
        inputs = [self._info(graph.inputs[0], graph.shapes[graph.inputs[0]])]
        inputs += [self._info(s, a.shape[1:]) for s, a in self.states.items()]
        made = helper.make_model(
            helper.make_graph(self.nodes, "one_time_step", inputs, outputs, self.constants),
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR,
            producer_name="clapp-neuro",
            doc_string="One time step: give the states of the step before, take those that follow.",
        )
        described = {"states": json.dumps(sorted(self.states)), **metadata}
        begun = {s: _short(a[0]) for s, a in self.states.items() if a.any()}
        if begun:
            described[INITIAL] = json.dumps(begun)
        if graph.steps is not None:
            described["steps"] = str(graph.steps)
        helper.set_model_props(made, described)
        onnx.checker.check_model(made)
        return OnnxExport(made, self.states)

    def _info(self, name: str, shape: Shape) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])

    def _op(self, kind: str, *inputs: str, title: str = "", **attributes: Any) -> str:
        """An operator, by the name of its value; title: the graph's node that it stands for."""
        name = f"{kind}_{len(self.nodes)}"
        made = helper.make_node(kind, list(inputs), [name], name=title or name, **attributes)
        self.nodes.append(made)
        return name

    def _constant(self, array: np.ndarray, kind: type = np.float32) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array, kind), name))
        return name

    def _node(self, name: str, node: Node, x: str) -> str:
        if isinstance(node, Linear):
            return self._linear(name, node, x)
        if isinstance(node, Convolution):
            return self._convolution(name, node, x)
        if isinstance(node, MaxPool | SumPool | AveragePool):
            return self._pool(name, node, x)
        if isinstance(node, Reshape):
            shape = self._constant(np.array([0, *node.shape]), np.int64)
            return self._op("Reshape", x, shape, title=name)
        if isinstance(node, Scale):
            last = "" if node.offset.any() else name
            x = self._op("Mul", x, self._constant(node.scale), title=last)
            return x if last else self._op("Add", x, self._constant(node.offset), title=name)
        if isinstance(node, Threshold):
            return self._above(x, self._constant(node.threshold))
        if isinstance(node, Rectifier):
            if np.isinf(node.largest):
                return self._op("Relu", x, title=name)
            bounds = self._constant(np.zeros(())), self._constant(np.full((), node.largest))
            return self._op("Clip", x, *bounds, title=name)
        if isinstance(node, Neuron):
            return self._neuron(name, node, x)
        return x

    def _linear(self, name: str, node: Linear, x: str) -> str:
        """Gemm, which keeps the bias with its weights, where samples are vectors; else MatMul."""
        given = [] if node.bias is None else [self._constant(node.bias)]
        if len(self.graph.shape_of_input(name)) == 1:
            return self._op("Gemm", x, self._constant(node.weight), *given, title=name, transB=1)
        y = self._op("MatMul", x, self._constant(node.weight.T), title=name)
        return self._op("Add", y, *given) if given else y

    def _convolution(self, name: str, node: Convolution, x: str) -> str:
        given = [x, self._constant(node.weight)]
        if node.bias is not None:
            given.append(self._constant(node.bias))
        return self._op(
            "Conv",
            *given,
            title=name,
            strides=list(node.stride),
            pads=_pads(node.padding),
            dilations=list(node.dilation),
            group=node.groups,
        )

    def _pool(self, name: str, node: MaxPool | SumPool | AveragePool, x: str) -> str:
        windows: dict[str, Any] = {
            "kernel_shape": list(node.kernel),
            "strides": list(node.stride),
            "pads": _pads(node.padding),
            "title": name,
        }
        if isinstance(node, MaxPool):
            return self._op("MaxPool", x, **windows)
        counted = not isinstance(node, AveragePool) or node.counts_padding or bool(node.divisor)
        y = self._op("AveragePool", x, **windows, count_include_pad=int(counted))
        divisor = node.divisor if isinstance(node, AveragePool) else 1
        factor = prod(node.kernel) / divisor if divisor else 1
        return y if factor == 1 else self._op("Mul", y, self._constant(np.full((), factor)))

    def _neuron(self, name: str, node: Neuron, x: str) -> str:
        """The equations of `compiler.source.neuron`, in the order in which they are emulated."""
        shape, of = (
            self.graph.shapes[name],
            {k: self._constant(a) for k, a in node.arrays().items()},
        )
        v, one = f"{name}.v", self._constant(np.ones(()))
        self.states[v] = np.broadcast_to(node.initial, (1, *shape)).astype(np.float32)
        reset = node.reset if node.spiking else Reset.NONE
        crossed = self._above(v, of["threshold"]) if reset in CROSSED_BEFORE else ""
        if node.current is not None:
            i = f"{name}.i"
            self.states[i] = np.zeros((1, *shape), np.float32)
            kept = self._op("Mul", of["current.decay"], i)
            x = self._op("Add", kept, self._op("Mul", of["current.gain"], x))
            self.following[i] = x
        stays = self._op("Sub", one, crossed) if crossed else ""
        before = self._op("Mul", v, stays) if reset is Reset.ZERO else v
        u = self._op("Add", self._op("Mul", of["decay"], before), self._op("Mul", of["gain"], x))
        u = self._op("Add", u, of["leak"])
        if reset is Reset.CLEAR:
            u = self._op("Mul", u, stays)
        if reset in (Reset.SUBTRACT, Reset.SUBTRACT_ONCE):
            u = self._op("Sub", u, self._op("Mul", crossed, of["threshold"]))
        if node.rectified:
            u = self._op("Relu", u)
        self.following[v] = u
        if not node.spiking:
            return u
        spikes = self._above(u, of["threshold"])
        if reset is Reset.ZERO_AT_ONCE:
            above = self._op("Greater", u, of["threshold"])
            self.following[v] = self._op("Where", above, of["reset_value"], u)
        elif reset in (Reset.SUBTRACT_AT_ONCE, Reset.SUBTRACT_ONCE):
            paid = self._op("Sub", spikes, crossed) if crossed else spikes
            self.following[v] = self._op("Sub", u, self._op("Mul", paid, of["threshold"]))
        return spikes

    def _above(self, x: str, threshold: str) -> str:
        return self._op("Cast", self._op("Greater", x, threshold), to=TensorProto.FLOAT)


def _short(values: np.ndarray) -> Any:
    """One number where all are the same, else nested lists."""
    first = float(values.flat[0])
    return first if (values == first).all() else values.tolist()


def _pads(padding: Pairs) -> list[int]:
    return [before for before, _ in padding] + [after for _, after in padding]
