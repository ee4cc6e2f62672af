"""Neurons in ONNX: recognised by their equation, however it is written, or refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from graph_samples import samples
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from clapp_neuro.errors import InputError
from compiler.exports.onnx import write_onnx
from compiler.frontends.onnx.graph import from_onnx
from compiler.source import Edge, Graph, Input, Linear, Neuron, Output, Reset, SynapticCurrent
from compiler.source.emulate import emulate

Op = Callable[..., str]


def step(
    folder: Path, write: Callable[[Op], dict[str, str]], states: dict[str, int], size: int = 3
) -> Path:
    """A file of one step: `write(op)` adds operators and gives the output of each state and "y"."""
    nodes: list[Any] = []
    constants: list[Any] = []

    def op(kind: str, *given: str | float | np.ndarray, **attributes: Any) -> str:
        names = []
        for value in given:
            if isinstance(value, str):
                names.append(value)
                continue
            names.append(f"c{len(constants)}")
            constants.append(numpy_helper.from_array(np.asarray(value, np.float32), names[-1]))
        nodes.append(helper.make_node(kind, names, [f"{kind}_{len(nodes)}"], **attributes))
        return str(nodes[-1].output[0])

    following = write(op)
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "step",
        [value("x", TensorProto.FLOAT, ["batch", size])]
        + [value(s, TensorProto.FLOAT, ["batch", n]) for s, n in states.items()],
        [value(following[s], TensorProto.FLOAT, None) for s in ("y", *states)],
        constants,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(made, folder / "step.onnx")
    return folder / "step.onnx"


WEIGHT = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)


def cast(op: Op, flag: str) -> str:
    return op("Cast", flag, to=TensorProto.FLOAT)


def where_reset(op: Op) -> dict[str, str]:
    u = op("Add", op("Mul", "v", 0.9), op("MatMul", "x", WEIGHT))
    s = op("Greater", u, 0.5)
    return {"y": cast(op, s), "v": op("Where", s, 0.1, u)}


def by_what_is_not(op: Op) -> dict[str, str]:
    u = op("Sub", op("MatMul", "x", WEIGHT), op("Mul", "v", -0.8))
    kept = op("LessOrEqual", u, 0.5)
    return {"y": cast(op, op("Not", kept)), "v": op("Mul", u, cast(op, kept))}


def at_the_threshold(op: Op) -> dict[str, str]:
    u = op("Add", "v", op("Div", op("Sub", op("MatMul", "x", WEIGHT), "v"), 2.0))
    s = cast(op, op("GreaterOrEqual", op("Sub", u, 0.5), 0.0))
    return {"y": s, "v": op("Sub", u, op("Mul", s, 0.5))}


def euler(op: Op) -> dict[str, str]:
    """Norse's LIF: the current jumps, drives the potential, and only then decays."""
    jumped = op("Add", "i", op("MatMul", "x", WEIGHT))
    u = op("Add", "v", op("Mul", op("Add", op("Sub", 0.2, "v"), jumped), 0.1))
    s = cast(op, op("Greater", u, 0.5))
    v = op("Add", op("Mul", op("Sub", 1.0, s), u), op("Mul", s, -0.1))
    return {"y": s, "v": v, "i": op("Mul", jumped, 0.8)}


def scaled_potential(op: Op) -> dict[str, str]:
    u = op("Add", op("Mul", 0.9, "v"), op("Mul", op("Gemm", "x", WEIGHT, np.ones(4)), 0.5))
    s = cast(op, op("Greater", op("Mul", u, 4.0), 2.0))
    return {"y": op("Mul", s, 3.0), "v": op("Sub", u, op("Mul", 0.5, s))}


def fed_back(op: Op) -> dict[str, str]:
    """Spikes of the step before, through weights and one by one."""
    again = op("Add", op("MatMul", "last", np.eye(4)[::-1] * 0.3), op("Mul", "last", -0.2))
    u = op("Add", op("Add", op("Mul", "v", 0.9), op("MatMul", "x", WEIGHT)), again)
    s = cast(op, op("Greater", u, 0.5))
    return {"y": s, "last": op("Identity", s), "v": op("Sub", u, op("Mul", s, 0.5))}


def memoryless(op: Op) -> dict[str, str]:
    """A step function, then a leaky integrator that is read out."""
    s = cast(op, op("Less", -0.2, op("MatMul", "x", WEIGHT)))
    v = op("Add", op("Mul", "v", 0.9), op("MatMul", s, np.eye(4)))
    return {"y": v, "v": op("Identity", v)}


@pytest.mark.parametrize(
    ("write", "reset"),
    [
        (where_reset, Reset.ZERO_AT_ONCE),
        (by_what_is_not, Reset.ZERO_AT_ONCE),
        (at_the_threshold, Reset.SUBTRACT_AT_ONCE),
        (euler, Reset.ZERO_AT_ONCE),
        (scaled_potential, Reset.SUBTRACT_AT_ONCE),
        (fed_back, Reset.SUBTRACT_AT_ONCE),
        (memoryless, Reset.NONE),
    ],
)
def test_ways_to_write_a_neuron(write: Any, reset: Reset, tmp_path: Path) -> None:
    states = {"euler": {"v": 4, "i": 4}, "fed_back": {"v": 4, "last": 4}}.get(write.__name__)
    path = step(tmp_path, write, states or {"v": 4})
    graph = from_onnx(path)
    neuron = graph.nodes["v"]
    assert isinstance(neuron, Neuron)
    assert neuron.reset is reset
    x = samples(graph) - 1
    held = {s: np.zeros((2, n), np.float32) for s, n in (states or {"v": 4}).items()}
    evaluator, wanted = ReferenceEvaluator(str(path)), []
    for x_t in x:
        result, *following = evaluator.run(None, {"x": x_t, **held})
        held = dict(zip(held, following, strict=True))
        wanted.append(result)
    assert np.any(wanted)
    assert np.allclose(emulate(graph, x).output(graph), np.stack(wanted), atol=1e-5)


NUMBERS = st.floats(0, 1, width=32)


@settings(max_examples=40, deadline=None)
@given(
    reset=st.sampled_from([r for r in Reset if r is not Reset.NONE]),
    decay=st.lists(NUMBERS, min_size=4, max_size=4),
    filtered=st.none() | st.tuples(NUMBERS, st.floats(0.25, 2, width=32)),
    threshold=st.floats(0.25, 2, width=32),
    others=st.tuples(st.floats(-1, 1, width=32), st.floats(-1, 0.125, width=32), NUMBERS),
    recurs=st.booleans(),
)
def test_any_neuron_of_the_source_graph_is_recognised(
    reset: Reset,
    decay: list[float],
    filtered: tuple[float, float] | None,
    threshold: float,
    others: tuple[float, float, float],
    recurs: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    leak, value, start = (np.full((), v) for v in others)
    at = reset is Reset.ZERO_AT_ONCE
    current = None if filtered is None else SynapticCurrent(*(np.full((), f) for f in filtered))
    nodes = {
        "input": Input((3,)),
        "weights": Linear(WEIGHT.T.astype(float)),
        "neuron": Neuron(
            np.array(decay), np.full((), 0.5), leak, np.full((), threshold), reset,
            value if at else np.zeros(()), start, current,
        ),
        "output": Output(),
    }  # fmt: skip
    edges = [Edge("input", "weights"), Edge("weights", "neuron"), Edge("neuron", "output")]
    if recurs:
        nodes["again"] = Linear(np.eye(4)[::-1] * 0.5)
        edges += [Edge("neuron", "again", True), Edge("again", "neuron")]
    graph = Graph(nodes, tuple(edges))
    path = tmp_path_factory.mktemp("any") / "a.onnx"
    write_onnx(path, graph)
    again = from_onnx(path)
    x = samples(graph)
    one, other = emulate(graph, x).output(graph), emulate(again, x).output(again)
    assert (one != other).mean() <= 0.01  # a potential within rounding of its threshold


def times(op: Op) -> dict[str, str]:
    u = op("Mul", "v", op("MatMul", "x", WEIGHT))
    return {"y": cast(op, op("Greater", u, 0.5)), "v": u}


def adaptive(op: Op) -> dict[str, str]:
    u = op("Add", op("Mul", "v", 0.9), op("MatMul", "x", WEIGHT))
    s = cast(op, op("Greater", op("Sub", u, "b"), 0.5))
    return {"y": s, "v": op("Sub", u, s), "b": op("Add", op("Mul", "b", 0.9), s)}


def potential_goes_on(op: Op) -> dict[str, str]:
    u = op("Add", op("Mul", "v", 0.9), op("MatMul", "x", WEIGHT))
    s = cast(op, op("Greater", u, 0.5))
    return {"y": op("MatMul", "v", np.eye(4)), "v": op("Sub", u, op("Mul", s, 0.5))}


def reset_potential(op: Op) -> dict[str, str]:
    u = op("Add", op("Mul", "v", 0.9), op("MatMul", "x", WEIGHT))
    v = op("Sub", u, op("Mul", cast(op, op("Greater", u, 0.5)), 0.5))
    return {"y": v, "v": op("Identity", v)}


def late_bias(op: Op) -> dict[str, str]:
    """What comes a step later is no spike: it begins at 0, and weights with a bias do not."""
    weighted = op("Gemm", "x", WEIGHT, np.ones(4))
    u = op("Add", op("Mul", "v", 0.9), "last")
    s = cast(op, op("Greater", u, 0.5))
    return {"y": s, "v": op("Sub", u, op("Mul", s, 0.5)), "last": weighted}


@pytest.mark.parametrize(
    ("write", "states", "reason"),
    [
        (times, ("v",), "Mul_1: it multiplies two signals"),
        (
            adaptive,
            ("v", "b"),
            "Greater_4: its comparison of b, v with a threshold is no spike that is known",
        ),
        (potential_goes_on, ("v",), "the state v goes into another layer; use its spikes"),
        (reset_potential, ("v",), "the result is the potential v, which spikes reset"),
        (late_bias, ("v", "last"), "it does something that its neurons alone do not do"),
    ],
)
def test_what_is_refused(write: Any, states: Any, reason: str, tmp_path: Path) -> None:
    path = step(tmp_path, write, dict.fromkeys(states, 4))
    with pytest.raises(InputError, match=reason):
        from_onnx(path)


def test_states_that_cannot_be_told_apart_are_refused(tmp_path: Path) -> None:
    path = step(tmp_path, where_reset, {"v": 4})
    model = onnx.load(path)
    model.graph.output.append(model.graph.output[0])
    model.graph.output[-1].name = "Add_2"
    onnx.save(model, path)
    with pytest.raises(InputError, match=r"with an output STATE\.next for each input STATE"):
        from_onnx(path)
