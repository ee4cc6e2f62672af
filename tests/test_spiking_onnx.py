"""Spiking networks in ONNX: recognised by their equations and run as they run, or refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import norse.torch as norse
import numpy as np
import onnx
import pytest
import snntorch as snn
import torch
from damage import refusals
from hypothesis import given, settings
from hypothesis import strategies as st
from norse.torch.functional.lif import (
    LIFFeedForwardState,
    LIFParameters,
    lif_feed_forward_step,
)
from norse.torch.functional.lif_box import LIFBoxFeedForwardState, lif_box_feed_forward_step
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from test_cli import call
from torch import nn

import compiler
from clapp_neuro.errors import InputError
from compiler.exports.onnx import write_onnx
from compiler.frontends.onnx.graph import from_onnx
from compiler.source import Edge, Graph, Input, Linear, Neuron, Output, Reset, SynapticCurrent
from compiler.source.emulate import emulate

RESETS = [(r, d) for r in ("subtract", "zero", "none") for d in (True, False)]


def samples(graph: Graph, steps: int = 20) -> np.ndarray:
    shape = (steps, 2, *graph.shapes[graph.inputs[0]])
    return (np.random.default_rng(0).random(shape) * 3).astype(np.float32)


def require_unchanged(graph: Graph, folder: Path) -> Graph:
    """Written and read again it has the same nodes and edges, and sends the same."""
    write_onnx(folder / "a.onnx", graph)
    again = from_onnx(folder / "a.onnx")
    assert again.nodes.keys() == graph.nodes.keys()
    assert set(again.edges) == set(graph.edges)
    for name, node in graph.nodes.items():
        other = again.nodes[name]
        assert type(other) is type(node)
        if isinstance(node, Neuron):
            assert isinstance(other, Neuron)
            assert (other.reset, other.spiking) == (node.reset, node.spiking)
            assert (other.current is None) == (node.current is None)
    x = samples(graph)
    one, other = emulate(graph, x), emulate(again, x)
    assert np.allclose(one.output(graph), other.output(again), atol=1e-5)
    for name, potential in one.membrane.items():
        assert np.allclose(potential, other.membrane[name], atol=1e-5)
    write_onnx(folder / "b.onnx", again)
    once = from_onnx(folder / "b.onnx")
    for name, node in again.nodes.items():
        for key, array in node.arrays().items():
            assert np.array_equal(array, once.nodes[name].arrays()[key]), (name, key)
    return again


@pytest.mark.parametrize(("reset", "delay"), RESETS)
@pytest.mark.parametrize("kind", ["Leaky", "Synaptic", "RLeaky"])
def test_an_export_read_again_is_unchanged(
    kind: str, reset: str, delay: bool, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    own: dict[str, Any] = {"reset_mechanism": reset, "reset_delay": delay, "init_hidden": True}
    own |= {"Synaptic": {"alpha": 0.6}, "RLeaky": {"linear_features": 6}}.get(kind, {})
    net = nn.Sequential(
        nn.Linear(5, 6), getattr(snn, kind)(beta=torch.rand(6), **own), nn.Linear(6, 4),
        snn.Leaky(beta=0.7, init_hidden=True, graded_spikes_factor=2.0),
    )  # fmt: skip
    net[0].weight.data *= 3
    net[2].weight.data *= 3
    graph = compiler.from_snntorch(net, torch.rand(1, 5))
    assert emulate(graph, samples(graph)).output(graph).any()
    require_unchanged(graph, tmp_path)


def test_a_parallel_layer_and_norse_are_unchanged(tmp_path: Path) -> None:
    torch.manual_seed(0)
    parallel = nn.Sequential(snn.LeakyParallel(5, 6, beta=0.8))
    require_unchanged(compiler.from_snntorch(parallel, torch.rand(4, 1, 5)), tmp_path)
    box = norse.LIFBoxParameters(v_reset=torch.tensor(-0.2), v_leak=torch.tensor(0.1))
    net = norse.SequentialState(
        nn.Conv2d(1, 2, 3, padding=1), norse.LIFCell(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(18, 4), norse.LIFBoxCell(box), norse.LIFRecurrentCell(4, 3), nn.Linear(3, 2),
        norse.LICell(),
    )  # fmt: skip
    graph = compiler.from_norse(net, torch.rand(1, 1, 6, 6))
    again = require_unchanged(graph, tmp_path)
    assert not again.nodes["8"].spiking  # type: ignore[attr-defined]


def test_it_compiles_to_the_same_integers_and_begins_where_it_did(tmp_path: Path) -> None:
    torch.manual_seed(1)
    ann = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))
    images = np.random.default_rng(1).random((20, 5))
    graph = compiler.rate_coded(compiler.from_torch(ann, torch.rand(1, 5)), images, steps=16)
    write_onnx(tmp_path / "rates.onnx", graph)
    again = from_onnx(tmp_path / "rates.onnx")
    assert again.steps == 16
    programs = [
        compiler.compile_network(g, "loihi2-sim", inputs="intensities").program
        for g in (graph, again)
    ]
    for one, other in zip(programs[0].synapses, programs[1].synapses, strict=True):
        assert np.array_equal(one.weights, other.weights)
    for mine, its in zip(programs[0].populations, programs[1].populations, strict=True):
        assert mine.soma == its.soma
    code = call("compile", tmp_path / "rates.onnx", "--inputs", "intensities", "--out",
                tmp_path / "rates.clapp")  # fmt: skip
    assert code == 0
    assert call("check", tmp_path / "rates.onnx") == 0


class OneStep(nn.Module):
    """Two layers, states in and states out, as torch.onnx.export wants them."""

    def __init__(self, kind: str, own: dict[str, Any]) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 6), nn.Linear(6, 6)
        self.hidden, self.last = getattr(snn, kind)(beta=0.9, **own), snn.Leaky(beta=0.8)

    def forward(self, x: torch.Tensor, last: torch.Tensor, *states: torch.Tensor) -> Any:
        spikes, *states = self.hidden(self.first(x), *states)
        out, last = self.last(self.second(spikes), last)
        if isinstance(self.hidden, snn.RLeaky):
            states = [spikes, *states]
        return out, last, *states


@pytest.mark.parametrize(("reset", "delay"), RESETS)
@pytest.mark.parametrize("kind", ["Leaky", "Synaptic", "RLeaky"])
def test_what_torch_exports_of_snntorch(kind: str, reset: str, delay: bool, tmp_path: Path) -> None:
    """Six states of one shape, unnamed: each is found by what it decays into."""
    torch.manual_seed(0)
    own: dict[str, Any] = {"reset_mechanism": reset, "reset_delay": delay}
    own |= {"Synaptic": {"alpha": 0.6}, "RLeaky": {"linear_features": 6}}.get(kind, {})
    net = OneStep(kind, own).eval()
    states = [torch.zeros(1, 6)] * (2 if kind == "Leaky" else 3)
    ours, wanted = beside_torch(net, states, 20, 4, tmp_path / "a.onnx")
    assert np.array_equal(ours, wanted)


def beside_torch(
    net: nn.Module, states: list[torch.Tensor], steps: int, strength: float, path: Path
) -> tuple[np.ndarray, np.ndarray]:
    """Spikes (T, 1, N) of what torch exports of a step, by us, and of torch itself."""
    torch.onnx.export(net, (torch.rand(1, 4), *states), path, dynamo=False)
    graph = from_onnx(path)
    x, wanted = torch.rand(steps, 1, 4) * strength, []
    with torch.no_grad():
        for x_t in x:
            out, *states = net(x_t, *states)
            wanted.append(out.numpy())
    assert np.any(wanted)
    return emulate(graph, x.numpy()).output(graph), np.stack(wanted)


class NorseStep(nn.Module):
    """Norse's own steps, whose current jumps before it drives the potential and then decays."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 6), nn.Linear(6, 3)
        self.lif, self.box = LIFParameters(v_th=torch.tensor(0.3)), norse.LIFBoxParameters()

    def forward(self, x: torch.Tensor, v: torch.Tensor, i: torch.Tensor, w: torch.Tensor) -> Any:
        spikes, one = lif_feed_forward_step(self.first(x), LIFFeedForwardState(v, i), self.lif)
        box = LIFBoxFeedForwardState(w)
        out, other = lif_box_feed_forward_step(self.second(spikes) * 20, box, self.box)
        return out, one.v, one.i, other.v


def test_what_torch_exports_of_norse(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = NorseStep().eval()
    states = [torch.zeros(1, 6), torch.zeros(1, 6), torch.zeros(1, 3)]
    ours, wanted = beside_torch(net, states, 30, 10, tmp_path / "a.onnx")
    assert np.mean(ours != wanted) <= 0.001


class Unrolled(nn.Module):
    """All steps in one file."""

    def __init__(self) -> None:
        super().__init__()
        self.weights, self.neuron = nn.Linear(4, 3), snn.Leaky(0.9)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mem, found = self.neuron.init_leaky(), []
        for x_t in x:
            spikes, mem = self.neuron(self.weights(x_t), mem)
            found.append(spikes)
        return torch.stack(found)


def test_steps_written_out_are_refused_with_what_would_be_right(tmp_path: Path) -> None:
    torch.onnx.export(Unrolled(), (torch.rand(3, 1, 4),), tmp_path / "a.onnx", dynamo=False)
    with pytest.raises(InputError, match="Split is not taken; export one time step, its states"):
        from_onnx(tmp_path / "a.onnx")


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


def test_damaged_spiking_files(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), snn.Leaky(beta=0.9, init_hidden=True))
    write_onnx(tmp_path / "w.onnx", compiler.from_snntorch(net, torch.rand(1, 3)))

    def use(graph: Graph) -> None:
        emulate(graph, np.ones((1, 1, *graph.shapes[graph.inputs[0]])))

    assert refusals(tmp_path / "w.onnx", from_onnx, use) > 100
