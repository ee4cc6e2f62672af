"""An ONNX file as protobuf: parsed and looked over, nothing in it executed or followed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from clapp_neuro.errors import InputError
from compiler.frontends.refusals import UnsupportedError
from compiler.source.nodes import Shape

LARGEST = 1 << 31  # bytes
DOMAINS = ("", "ai.onnx")


def parsed(path: Path) -> Any:
    """The model of a file; InputError where it is none, or damaged."""
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
    if not all(isinstance(text, str) for text in _texts(model)):
        raise InputError(f"'{path}' is damaged: a name in it is no text; export it again")
    return model


def _texts(model: Any) -> Iterator[Any]:
    """All names; protobuf hands over bytes where they are no UTF-8."""
    graph = model.graph
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (a.name for a in node.attribute)
    for value in (*graph.input, *graph.output, *graph.initializer):
        yield value.name
    for entry in model.metadata_props:
        yield from (entry.key, entry.value)


def opset(model: Any) -> int:
    """The version of ONNX's own operators that it is written with."""
    return next((i.version for i in model.opset_import if i.domain in DOMAINS), 0)


def numbers(tensor: Any) -> np.ndarray:
    """A tensor of the file; UnsupportedError where it holds none, or leads to another file."""
    if tensor.external_data or tensor.data_location == onnx.TensorProto.EXTERNAL:
        raise UnsupportedError("its data are in another file", "save the model as one file")
    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except Exception as error:  # sizes that do not fit the data, types that are none
        raise UnsupportedError(
            f"its data do not fill it ({type(error).__name__})", "export it again"
        ) from error


def constant(node: Any) -> np.ndarray:
    """What a Constant node holds; UnsupportedError where it is no tensor or number."""
    for attribute in node.attribute:
        if attribute.name == "value":
            return numbers(attribute.t)
        if attribute.name in ("value_float", "value_floats", "value_int", "value_ints"):
            return np.asarray(onnx.helper.get_attribute_value(attribute))
    raise UnsupportedError("it is a constant without numbers", "give it a tensor as value")


def sample_shape(given: Any) -> Shape:
    """The shape of a graph's input without its batch axis; UnsupportedError where it is open."""
    dims = [d.dim_value for d in given.type.tensor_type.shape.dim][1:]
    if not dims or min(dims) < 1 or np.prod([float(d) for d in dims]) > 1 << 28:
        raise UnsupportedError(
            f"its shape without the batch axis is {dims}",
            "export with a sample, and with only the batch left open",
        )
    return tuple(dims)
