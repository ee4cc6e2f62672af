"""The values of an ONNX graph, node by node: constants, or forms over signals and comparisons.

What is element by element is multiplied out (`onnx_algebra`); every other operator becomes a node
of the source graph, and what arrives there has to be a sum of signals.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import onnx

from compiler.frontends.onnx.algebra import Atom, Form, above, complement, signal
from compiler.frontends.onnx.elementwise import ATTRIBUTES, ELEMENTWISE, elementwise, folded
from compiler.frontends.onnx.file import DOMAINS, constant, numbers, opset, sample_shape
from compiler.frontends.onnx.operators import OPERATORS, Given
from compiler.frontends.refusals import UnsupportedError
from compiler.source import Node, Rectifier, Scale
from compiler.source.nodes import Shape, ShapeError
from compiler.source.violations import Violation

HOST = ("Softmax", "LogSoftmax")  # last in a network they change no order: left to the host
STEPPING = ("Gather", "GRU", "Loop", "LSTM", "RNN", "Scan", "Split")  # how files go through time
OVER_TIME = (
    "export one time step, its states as inputs and outputs: whoever runs it goes through time"
)
KNOWN = ", ".join(sorted({*OPERATORS, *ELEMENTWISE}))


@dataclass(frozen=True, eq=False)
class Comparison:
    """1 where the form is above 0, or with `strict` false 0 and more; node: what compares."""

    form: Form
    strict: bool
    node: str


@dataclass
class Reading:
    """What was read of a graph. values: None is what follows from something that is not taken.

    edges: (what brings, node). rectified: what arrives at each rectifier. inputs: the graph's, in
    order, by shape. turned: comparisons that are 1 less another one.
    """

    model: Any
    inputs: dict[str, Shape] = field(default_factory=dict)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    values: dict[str, Form | None] = field(default_factory=dict)
    makers: dict[str, str] = field(default_factory=dict)  # of each value, the node that made it
    nodes: dict[str, Node] = field(default_factory=dict)
    shapes: dict[Atom, Shape] = field(default_factory=dict)
    edges: list[tuple[Atom, str]] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    turned: dict[int, int] = field(default_factory=dict)
    rectified: dict[str, Form] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def read(self) -> Reading:
        """All of the graph, in the order of the file."""
        graph = self.model.graph
        for tensor in graph.initializer:
            self._constant(tensor.name, lambda tensor=tensor: numbers(tensor))
        for tensor in graph.sparse_initializer:
            self.refuse(tensor.values.name, "it is a sparse tensor", "write it as a dense one")
        for given in graph.input:
            if given.name not in self.constants:
                self._input(given)
        for number, node in enumerate(graph.node):
            self._node(node, self.free(node.name or f"{node.op_type}_{number}"))
        return self

    def refuse(self, node: str, what: str, remedy: str) -> None:
        """Note what is not taken."""
        violation = Violation(node, what, remedy)
        if violation not in self.violations:
            self.violations.append(violation)

    def free(self, name: str) -> str:
        """The name, or one like it that is not taken yet."""
        found, count = name, 1
        while found in self.nodes or found in self.kinds or found in self.inputs:
            count += 1
            found = f"{name}_{count}"
        return found

    def add(self, name: str, node: Node, kind: str, sources: tuple[Atom, ...]) -> None:
        """A node and what arrives at it, of one shape."""
        self.kinds[name] = kind
        self.edges += [(source, name) for source in sources]
        self.nodes[name] = node
        try:
            self.shapes[name] = node.output_shape(self.shapes[sources[0]])
        except ShapeError as error:
            what, _, remedy = str(error).partition(": ")
            raise UnsupportedError(what, remedy) from error

    def sources(self, value: Form, title: str) -> tuple[Atom, ...]:
        """What brings a value as a sum, scaled and offset where it has to be.

        Raises UnsupportedError where it is none: a product of signals, or nothing but a constant.
        """
        found: list[Atom] = []
        offset = value.constant
        for term, coefficient in value.signals.terms.items():
            if len(term) > 1:
                raise UnsupportedError(
                    "it takes a signal times a comparison of signals",
                    "let only the membrane potential of a neuron depend on a comparison",
                )
            (atom,) = term
            if self.shapes[atom] != value.shape:
                shapes = [self.shapes[atom], value.shape]
                raise UnsupportedError(f"shapes {shapes} arrive", "bring the same shape along all")
            if np.all(coefficient == 1) and not offset.any():
                found.append(atom)
                continue
            name = title if title not in self.nodes else self.free(title)
            self.add(name, Scale(coefficient, offset), "Scale", (atom,))
            found.append(name)
            offset = np.zeros(())
        if not found:
            raise UnsupportedError("nothing of the sample arrives", "leave it out")
        return tuple(found)

    def _constant(self, name: str, read: Any) -> None:
        try:
            self.constants[name] = read()
        except UnsupportedError as error:
            self.refuse(name, error.what, error.remedy)
            self.values[name] = None

    def _input(self, given: Any) -> None:
        self.inputs[given.name] = ()
        self.values[given.name] = None
        try:
            shape = sample_shape(given)
        except UnsupportedError as error:
            self.refuse(given.name, error.what, error.remedy)
            return
        self.inputs[given.name] = self.shapes[given.name] = shape
        self.values[given.name] = signal(given.name, shape)

    def _node(self, node: Any, name: str) -> None:
        self.kinds[name] = node.op_type
        self.makers |= dict.fromkeys(node.output, name)
        self.values |= dict.fromkeys(node.output)
        given = [i for i in node.input if i]
        own = node.domain in DOMAINS
        if any(self.values.get(i, 0) is None for i in given) and own and self._is_known(node):
            return  # what it takes was refused already
        try:
            if own and node.op_type == "Constant":
                self._is(node, constant(node))
            elif own and given and all(i in self.constants for i in given):
                made = folded(node, [self.constants[i] for i in given], opset(self.model))
                self._is(node, made)
            elif own and self._is_last(node) and given and given[0] in self.values:
                self.notes.append(f"{name}: {node.op_type} of the result is left to the host")
                self.values[node.output[0]] = self.values[given[0]]
            else:
                self.values[node.output[0]] = self._made(node, name, given)
        except UnsupportedError as error:
            self.refuse(name, error.what, error.remedy)
        except (ValueError, TypeError, IndexError, ArithmeticError) as error:
            self.refuse(name, f"its attributes do not fit ({error})", "export it again")

    def _is_known(self, node: Any) -> bool:
        return node.op_type in OPERATORS or node.op_type in (*ELEMENTWISE, *HOST)

    def _is_last(self, node: Any) -> bool:
        """Whether it only rescales the result, so that its order stays."""
        return node.op_type in HOST and list(node.output) == [self.model.graph.output[0].name]

    def _is(self, node: Any, value: np.ndarray) -> None:
        self.constants[node.output[0]] = value
        del self.values[node.output[0]]

    def _made(self, node: Any, name: str, given: list[str]) -> Form:
        """The value of a node that takes signals."""
        kind = node.op_type
        if node.domain not in DOMAINS or kind not in (*OPERATORS, *ELEMENTWISE):
            what = f"the operator {kind} is not taken"
            raise UnsupportedError(what, OVER_TIME if kind in STEPPING else f"use one of {KNOWN}")
        if not given or any(i not in self.values and i not in self.constants for i in given):
            raise UnsupportedError("it takes what nothing makes", "export it again")
        honoured = ATTRIBUTES.get(kind, ()) if kind in ELEMENTWISE else OPERATORS[kind].attributes
        unknown = [a.name for a in node.attribute if a.name not in honoured]
        if unknown:
            raise UnsupportedError(
                f"{kind} has the attribute {', '.join(unknown)}",
                "leave it out: it is not honoured here",
            )
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        if kind in ELEMENTWISE:
            operands = [self._operand(i) for i in given]
            value = elementwise(kind, operands, attributes, lambda f, s: self._compared(f, s, name))
            if value is operands[0]:  # the same value, whoever made it
                self.makers[node.output[0]] = self.makers.get(given[0], name)
            return value
        followed = [self._operand(i) for i in given if i not in self.constants]
        sources = self.sources(followed[0], self.makers.get(given[0], name))
        if len(followed) > 1:
            raise UnsupportedError(f"{kind} takes two signals", "give a constant as the second")
        constants = tuple(self.constants.get(i) for i in node.input)
        shape = followed[0].shape
        for end, part in enumerate(
            made := OPERATORS[kind].read(Given(attributes, constants, shape))
        ):
            title = name if end == len(made) - 1 else f"{name}.{end}"
            if isinstance(part, Rectifier):
                self.rectified[title] = followed[0]
            self.add(title, part, kind, sources)
            sources = (title,)
        return signal(title, self.shapes[title])

    def _operand(self, name: str) -> Any:
        return self.constants[name] if name in self.constants else self.values[name]

    def _compared(self, value: Form, strict: bool, node: str) -> Form:
        """value > 0, or >= 0, as one atom for all that compare the same, either way round."""
        if not value.signals.terms:
            raise UnsupportedError("it compares constants", "simplify the model first (onnxsim)")
        leading = min(value.signals.terms, key=lambda term: (len(term), sorted(map(str, term))))
        if np.sum(value.of(leading)) < 0:
            return complement(self._compared(value * -1.0, not strict, node))
        for number, other in enumerate(self.comparisons):
            h = above(value, other.form) if strict == other.strict else None
            if h is not None and np.allclose(h, 0, atol=1e-7):
                return signal(number, value.shape)
        self.comparisons.append(Comparison(value, strict, node))
        self.shapes[len(self.comparisons) - 1] = value.shape
        return signal(len(self.comparisons) - 1, value.shape)

    def turn(self, number: int) -> None:
        """Count a comparison the other way round: [f > 0] as 1 - [-f >= 0], wherever it is."""
        other, compared = len(self.comparisons), self.comparisons[number]
        self.turned[number], self.shapes[other] = other, self.shapes[number]
        self.comparisons.append(
            Comparison(compared.form * -1.0, not compared.strict, compared.node)
        )
        flag = complement(signal(other, compared.form.shape))
        for name, value in self.values.items():
            self.values[name] = value and value.replaced(number, flag)
        for name, value in self.rectified.items():
            self.rectified[name] = value.replaced(number, flag)
        self.comparisons = [
            replace(c, form=c.form.replaced(number, flag)) for c in self.comparisons
        ]
