"""ONNX files: an ANN as a source graph. Protobuf is parsed, nothing in it is executed or followed.

Operators that are not taken, attributes that are not honoured and shapes that are not known are
refused by the node's name, all at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from clapp_neuro.errors import InputError
from compiler.frontends.onnx_operators import OPERATORS, Given
from compiler.frontends.refusals import UnsupportedError
from compiler.source import Edge, Graph, Input, Node, Output
from compiler.source.fold import fold_scales
from compiler.source.graph import Violation, infer_shapes, refuse
from compiler.source.nodes import Shape

LARGEST = 1 << 31  # bytes
DOMAINS = ("", "ai.onnx")
HOST = ("Softmax", "LogSoftmax")  # last in a network they change no order: left to the host


def from_onnx(path: str | os.PathLike[str]) -> Graph:
    """The source graph of an ONNX file; `rate_coded` makes it spike.

    Raises InputError for what is no ONNX file or not taken, with every node, parameter and remedy.
    """
    model = _parsed(Path(path))
    return _Reading(f"'{path}'", model).graph()


def _parsed(path: Path) -> Any:
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"'{path}' has more than {LARGEST:,} bytes, what protobuf can hold")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read '{path}': {error.strerror or error}") from error
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's decoder has errors of its own
        raise InputError(f"'{path}' is no ONNX file, or damaged: export it again") from error
    if not model.graph.node or not model.graph.output:
        raise InputError(
            f"'{path}' is no ONNX file, or damaged: it holds no graph; export it again"
        )
    if not all(isinstance(text, str) for text in _texts(model.graph)):
        raise InputError(f"'{path}' is damaged: a name in it is no text; export it again")
    return model


def _texts(graph: Any) -> Iterator[Any]:
    """All names; protobuf hands over bytes where they are no UTF-8."""
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (a.name for a in node.attribute)
    for value in (*graph.input, *graph.output, *graph.initializer):
        yield value.name


class _Reading:
    """One file: nodes by the name of the value that they make."""

    def __init__(self, where: str, model: Any) -> None:
        self.where, self.model, self.of = where, model, model.graph
        self.nodes: dict[str, Node] = {}
        self.edges: list[Edge] = []
        self.kinds: dict[str, str] = {}
        self.violations: list[Violation] = []
        self.constants: dict[str, np.ndarray] = {}
        self.made: dict[str, tuple[str, ...]] = {}  # nodes whose sum a value is; () is unknown
        self.shapes: dict[str, Shape] = {}
        self.notes: list[str] = []

    def graph(self) -> Graph:
        """The graph; InputError with everything that is not taken."""
        self._initializers()
        self._inputs()
        for number, node in enumerate(self.of.node):
            self._node(node, f"{node.op_type}_{number}" if not node.name else node.name)
        self._outputs()
        refuse(self.where, tuple(self.violations), self.kinds)
        provenance = {"source": self.where, "opset": str(self._opset())}
        return fold_scales(
            Graph(self.nodes, tuple(self.edges), tuple(self.notes), None, provenance)
        )

    def _opset(self) -> int:
        return next((i.version for i in self.model.opset_import if i.domain in DOMAINS), 0)

    def _initializers(self) -> None:
        for tensor in self.of.initializer:
            self._constant(tensor.name, tensor)
        for tensor in self.of.sparse_initializer:
            self._refuse(tensor.values.name, "it is a sparse tensor", "write it as a dense one")

    def _constant(self, name: str, tensor: Any) -> None:
        if tensor.external_data or tensor.data_location == onnx.TensorProto.EXTERNAL:
            self._refuse(name, "its data are in another file", "save the model as one file")
            return
        try:
            self.constants[name] = np.asarray(numpy_helper.to_array(tensor))
        except Exception as error:  # sizes that do not fit the data, types that are none
            what = f"its data do not fill it ({type(error).__name__})"
            self._refuse(name, what, "export it again")

    def _inputs(self) -> None:
        real = [i for i in self.of.input if i.name not in self.constants]
        if len(real) != 1:
            listed = ", ".join(i.name for i in real) or "none"
            remedy = "export a network with one input"
            self._refuse("graph", f"its inputs are {listed}", remedy)
        for given in real:
            dims = [d.dim_value for d in given.type.tensor_type.shape.dim][1:]
            if not dims or min(dims) < 1 or np.prod([float(d) for d in dims]) > 1 << 28:
                remedy = "export with a sample, and with only the batch left open"
                self._refuse(given.name, f"its shape without the batch axis is {dims}", remedy)
                self.made[given.name] = ()
                continue
            self._add(given.name, Input(tuple(dims)), (), "Input")
            self.made[given.name] = (given.name,)

    def _node(self, node: Any, name: str) -> None:
        name = self._free(name)
        self.kinds[name] = node.op_type
        sources = [i for i in node.input if i]
        if node.op_type == "Constant" and node.domain in DOMAINS:
            values = [a for a in node.attribute if a.name == "value"]
            if len(values) == 1:
                self._constant(node.output[0], values[0].t)
                return
        last = [o.name for o in self.of.output]
        if node.op_type in HOST and list(node.output) == last[:1]:
            self.notes.append(f"{name}: {node.op_type} of the result is left to the host")
            self.made[node.output[0]] = self.made.get(sources[0], ()) if sources else ()
            return
        operator = OPERATORS.get(node.op_type) if node.domain in DOMAINS else None
        if operator is None:
            known = ", ".join(sorted(OPERATORS))
            self._refuse(name, f"the operator {node.op_type} is not taken", f"use one of {known}")
            self._unknown(node)
            return
        unknown = [a.name for a in node.attribute if a.name not in operator.attributes]
        if unknown:
            what = f"{node.op_type} has the attribute {', '.join(unknown)}"
            self._refuse(name, what, "leave it out: it is not honoured here")
        followed = [i for i in sources if i in self.made]
        if any(not self.made[i] for i in followed) or (
            not followed or any(i not in self.made and i not in self.constants for i in sources)
        ):
            if all(i in self.constants for i in sources):
                what = "it computes with constants alone"
                self._refuse(name, what, "simplify the model first (onnxsim)")
            elif not any(i in self.made and not self.made[i] for i in sources):
                self._refuse(name, "it takes what nothing makes", "export it again")
            self._unknown(node)
            return
        try:
            arriving = self._arriving(followed)
            made = operator.read(
                Given(
                    {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute},
                    tuple(None if i in self.made else self.constants.get(i) for i in node.input),
                    arriving,
                )
            )
        except UnsupportedError as error:
            self._refuse(name, error.what, error.remedy)
            self._unknown(node)
            return
        except (ValueError, TypeError, IndexError, ArithmeticError) as error:
            self._refuse(name, f"its attributes do not fit ({error})", "export it again")
            self._unknown(node)
            return
        before = tuple(n for i in followed for n in self.made[i])
        for end, part in enumerate(made):
            title = name if end == len(made) - 1 else f"{name}.{end}"
            self._add(title, part, before, node.op_type)
            before = (title,)
        for output in node.output[:1]:
            self.made[output] = before

    def _arriving(self, followed: list[str]) -> Shape:
        """The shape of what arrives; UnsupportedError where several values differ in it."""
        names = {n for i in followed for n in self.made[i]}
        shapes = {self.shapes[n] for n in names if n in self.shapes}
        if len(shapes) != 1 or len(names) != sum(n in self.shapes for n in names):
            raise UnsupportedError(
                f"shapes {sorted(shapes)} arrive", "bring the same shape along all"
            )
        return shapes.pop()

    def _outputs(self) -> None:
        if len(self.of.output) != 1:
            what = f"it has {len(self.of.output)} outputs"
            self._refuse("graph", what, "export a network with one output")
        made = self.made.get(self.of.output[0].name)
        if made is None:
            self._refuse("graph", "its output is made by nothing", "export it again")
        elif made:
            self._add(self._free("output"), Output(), made, "Output")

    def _add(self, name: str, node: Node, before: tuple[str, ...], kind: str) -> None:
        self.nodes[name] = node
        self.kinds[name] = kind
        self.edges += [Edge(b, name) for b in before]
        shapes, violations = infer_shapes(
            {**{b: Input(self.shapes[b]) for b in before if b in self.shapes}, name: node},
            tuple(Edge(b, name) for b in before if b in self.shapes),
        )
        self.violations += [v for v in violations if v not in self.violations]
        if name in shapes:
            self.shapes[name] = shapes[name]

    def _unknown(self, node: Any) -> None:
        self.made.update(dict.fromkeys(node.output, ()))

    def _refuse(self, node: str, what: str, remedy: str) -> None:
        self.violations.append(Violation(node, what, remedy))

    def _free(self, name: str) -> str:
        found, count = name, 1
        while found in self.nodes or found in self.kinds:
            count += 1
            found = f"{name}_{count}"
        return found
