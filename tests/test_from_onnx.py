"""ONNX files: what onnxruntime computes, as a graph, then as spikes; or refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from damage import refusals
from onnx import TensorProto, helper, numpy_helper

from clapp_neuro.errors import InputError
from compiler.frontends.onnx.graph import from_onnx
from compiler.frontends.rate_coding import is_rate_coded, rate_coded
from compiler.source import Graph, Linear, Rectifier, Scale
from compiler.source.emulate import emulate

RANDOM = np.random.default_rng(0)


def weights(*shape: int) -> np.ndarray:
    return (RANDOM.normal(size=shape) / np.sqrt(np.prod(shape[1:]) or 1)).astype(np.float32)


def write(
    path: Path, nodes: list[Any], shape: tuple[int, ...], constants: dict[str, np.ndarray]
) -> Path:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "net",
        [value("x", TensorProto.FLOAT, ["batch", *shape])],
        [value("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(a, n) for n, a in constants.items()],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


def runs(path: Path, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found: np.ndarray = session.run(None, {"x": x.astype(np.float32)})[0]
    return found


def convolutional(path: Path, pool: str = "AveragePool") -> Path:
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w1", "b1"], ["a"], pads=[1, 0, 1, 0], strides=[1, 2], dilations=[1, 1]),
        node("BatchNormalization", ["a", "s", "t", "m", "v"], ["b"], epsilon=1e-3),
        node("Relu", ["b"], ["c"]),
        node(pool, ["c"], ["d"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", ["d", "w2"], ["e"], group=2, auto_pad="SAME_UPPER"),
        node("Add", ["e", "d"], ["f"]),
        node("Clip", ["f", "low", "high"], ["g"]),
        node("Flatten", ["g"], ["h"]),
        node("Dropout", ["h"], ["i"]),
        node("Gemm", ["i", "w3", "b3"], ["j"], transB=1, alpha=0.5, beta=2.0),
        node("Softmax", ["j"], ["y"]),
    ]
    constants = {
        "w1": weights(4, 2, 3, 2),
        "b1": weights(4),
        "s": 1 + weights(4),
        "t": weights(4),
        "m": weights(4),
        "v": np.full(4, 0.7, np.float32),
        "w2": weights(4, 2, 2, 3),
        "low": np.float32(0),
        "high": np.float32(2.5),
        "w3": weights(3, 4 * 4 * 2),
        "b3": weights(3),
    }
    return write(path, nodes, (2, 8, 9), constants)


def test_a_graph_does_what_onnxruntime_does(tmp_path: Path) -> None:
    path = convolutional(tmp_path / "c.onnx", "MaxPool")
    graph = from_onnx(path)
    x = RANDOM.random((6, 2, 8, 9))
    logits = emulate(graph, x, 1).output(graph)[0]
    soft = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert np.allclose(soft, runs(path, x), atol=1e-5)
    assert any("Softmax of the result is left to the host" in note for note in graph.notes)
    assert is_rate_coded(graph)


def test_all_that_is_elementwise_and_shapes(tmp_path: Path) -> None:
    node = helper.make_node
    nodes = [
        node("MatMul", ["x", "w"], ["a"]),
        node("Add", ["b", "a"], ["c"]),
        node("Mul", ["c", "two"], ["d"]),
        node("Sub", ["one", "d"], ["e"]),
        node("Div", ["e", "two"], ["f"]),
        node("Identity", ["f"], ["g"]),
        node("Reshape", ["g", "shape"], ["h"]),
        node("GlobalAveragePool", ["h"], ["i"]),
        node("Reshape", ["i", "flat"], ["y"]),
    ]
    constants = {
        "w": weights(5, 12),
        "b": weights(12),
        "two": np.float32(2),
        "one": np.float32(1),
        "shape": np.array([0, 3, 2, -1]),
        "flat": np.array([0, -1]),
    }
    path = write(tmp_path / "e.onnx", nodes, (5,), constants)
    graph = from_onnx(path)
    x = RANDOM.random((4, 5))
    assert np.allclose(emulate(graph, x, 1).output(graph)[0], runs(path, x), atol=1e-5)
    assert not any(isinstance(n, Scale) for n in graph.nodes.values())


def test_rates_stand_for_activations(tmp_path: Path) -> None:
    path = convolutional(tmp_path / "c.onnx")
    graph = from_onnx(path)
    images = RANDOM.random((40, 2, 8, 9))
    steps = 256
    spiking = rate_coded(graph, images, steps=steps)
    assert not any(isinstance(n, Rectifier) for n in spiking.nodes.values())
    logits = emulate(spiking, images, steps, np.float64).output(spiking)[-1] / steps
    wanted = emulate(graph, images, 1, np.float64).output(graph)[0]
    assert np.abs(logits - wanted).max() < 0.05 * np.abs(wanted).max()
    assert any("threshold" in note and "beyond it" in note for note in spiking.notes)
    assert any(f"after {steps} steps the largest result is that" in note for note in spiking.notes)


def test_what_rates_cannot_stand_for(tmp_path: Path) -> None:
    images = RANDOM.random((3, 2, 8, 9))
    graph = from_onnx(convolutional(tmp_path / "a.onnx"))
    with pytest.raises(InputError, match=r"Relu_2: it is silent on all 3 calibration images"):
        dead = {
            n: Linear(node.weight, node.bias) if isinstance(node, Linear) else node
            for n, node in graph.nodes.items()
        }
        first = next(iter(n for n in graph.nodes if n.startswith("Conv")))
        dead[first] = type(graph.nodes[first])(  # type: ignore[call-arg]
            **{**graph.nodes[first].__dict__, "bias": np.full(4, -99.0)}
        )
        rate_coded(type(graph)(dead, graph.edges), images)
    for shown, reason in ((images * 2, "give 0 to 1"), (images[:, :1], "give \\(images, 2, 8, 9")):
        with pytest.raises(InputError, match=reason):
            rate_coded(graph, shown)


def test_all_that_is_not_taken_is_named_at_once(tmp_path: Path) -> None:
    node = helper.make_node
    nodes = [
        node("Gemm", ["x", "w"], ["a"], name="first", transA=1),
        node("Sigmoid", ["x"], ["b"]),
        node("Relu", ["x"], ["c"], name="odd", domain="own.domain"),
        node("Add", ["a", "b"], ["y"]),
    ]
    path = write(tmp_path / "bad.onnx", nodes, (5,), {"w": np.full((5, 5), np.nan, np.float32)})
    with pytest.raises(InputError) as refused:
        from_onnx(path)
    for part in (
        "first: transA is set",
        "Sigmoid_1: the operator Sigmoid",
        "odd: the operator Relu",
    ):
        assert part in str(refused.value)
    nodes = [node("MatMul", ["x", "w"], ["y"], name="dense")]
    path = write(tmp_path / "nan.onnx", nodes, (5,), {"w": np.full((5, 5), np.nan, np.float32)})
    with pytest.raises(InputError, match=r"dense: weight\[0, 0\] is nan"):
        from_onnx(path)


def test_data_in_other_files_are_not_looked_at(tmp_path: Path) -> None:
    path = write(
        tmp_path / "e.onnx",
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        (50,),
        {"w": weights(50, 50)},
    )
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="w.bin", size_threshold=0)
    (tmp_path / "w.bin").unlink()
    with pytest.raises(InputError, match="w: its data are in another file; save the model as one"):
        from_onnx(path)


def test_damaged_files_are_refused_in_a_sentence(tmp_path: Path) -> None:
    def use(graph: Graph) -> None:
        emulate(graph, np.ones((1, *graph.shapes[graph.inputs[0]])), 1)

    assert refusals(convolutional(tmp_path / "w.onnx"), from_onnx, use) > 100
