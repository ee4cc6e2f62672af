"""Random models: read as what they compute, or refused in a sentence; `check` says the same."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import onnx
import pytest
import snntorch as snn
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from torch import nn
from torch.nn import functional

import clapp_neuro
import compiler
from clapp_neuro.errors import InputError
from compiler.frontends.agreement import agrees
from compiler.frontends.onnx.graph import from_onnx
from compiler.source.emulate import emulate

UNARY = ("Relu", "Neg", "Identity", "Not", "Sigmoid", "Flatten", "Softmax", "Exp", "Cast", "Abs")
BINARY = ("Add", "Sub", "Mul", "Div", "Greater", "Less", "GreaterOrEqual", "Max", "And", "MatMul")
NUMBERS = st.sampled_from([0.0, 0.5, -0.25, 1.0, 2.0, 0.9])


@st.composite
def onnx_models(draw: st.DrawFn) -> Any:
    """Some operators on what was there before, constants and states; sound or not."""
    size = draw(st.integers(1, 3))
    states = [f"s{k}" for k in range(draw(st.integers(0, 2)))]
    values = ["x", *states]
    flags: list[str] = []
    nodes, constants = [], []

    def constant(shape: tuple[int, ...]) -> str:
        name = f"c{len(constants)}"
        numbers = draw(
            st.lists(NUMBERS, min_size=int(np.prod(shape)), max_size=int(np.prod(shape)))
        )
        array = np.array(numbers, np.float32).reshape(shape)
        constants.append(numpy_helper.from_array(array, name))
        return name

    for number in range(draw(st.integers(1, 9))):
        out = f"v{number}"
        kind = draw(st.sampled_from((*UNARY, *BINARY, "Where", "Gemm")))
        flag = kind in ("Not", "And") or (kind == "Cast" and flags and draw(st.booleans()))
        pool = flags if flag and flags else values
        one = draw(st.sampled_from(pool))
        own: dict[str, Any] = {"to": TensorProto.FLOAT} if kind == "Cast" else {}
        if kind in UNARY:
            given_ = [one]
        elif kind == "Gemm" or kind == "MatMul":
            given_ = [one, constant((size, size))]
        elif kind == "Where":
            given_ = [draw(st.sampled_from(flags or values)), one, draw(st.sampled_from(values))]
        else:
            shape = draw(st.sampled_from([(), (size,), (1, size)]))
            other = draw(st.sampled_from(pool)) if draw(st.booleans()) else constant(shape)
            given_ = [other, one] if draw(st.booleans()) else [one, other]
        nodes.append(helper.make_node(kind, given_, [out], **own))
        (flags if kind in (*BINARY[4:7], "Not", "And") else values).append(out)
    made = [n.output[0] for n in nodes]
    outputs = [made[-1], *(draw(st.sampled_from(made)) for _ in states)]
    if len(set(outputs)) < len(outputs):  # an output of each name
        for place, name in enumerate(outputs):
            nodes.append(helper.make_node("Identity", [name], [f"o{place}"]))
        outputs = [f"o{place}" for place in range(len(outputs))]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "any",
        [value(n, TensorProto.FLOAT, ["batch", size]) for n in ("x", *states)],
        [value(o, TensorProto.FLOAT, None) for o in outputs],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(model=onnx_models())
def test_any_onnx_graph(model: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("any") / "any.onnx"
    onnx.save(model, path)
    result = clapp_neuro.check(path)
    assert not any(f.kind == "unforeseen" for f in result.findings), result.findings
    try:
        graph = from_onnx(path)
    except InputError:
        assert not result.supported
        return
    told = any("left to the host" in note for note in graph.notes)
    if len(model.graph.input) == 1 and not told:  # with states it was run beside the file
        x = np.random.default_rng(0).normal(size=(3, 4, *graph.shapes["x"])).astype(np.float32)
        found = emulate(graph, x[:1]).output(graph)[0]
        wanted = ReferenceEvaluator(model).run(None, {"x": x[0]})[0]
        assert agrees(found, np.asarray(wanted, np.float32))


LAYERS: dict[str, Any] = {
    "linear": lambda: nn.Linear(6, 6),
    "bare": lambda: nn.Linear(6, 6, bias=False),
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "norm": lambda: nn.BatchNorm1d(6),
    "layer norm": lambda: nn.LayerNorm(6),
    "dropout": lambda: nn.Dropout(0.3),
    "softmax": lambda: nn.Softmax(-1),
    "flatten": nn.Flatten,
    "unflatten": lambda: nn.Unflatten(1, (2, 3)),
    "conv": lambda: nn.Conv1d(2, 2, 3, padding=1),
    "pool": lambda: nn.AvgPool1d(3, padding=1, stride=1),
    "max": lambda: nn.MaxPool1d(3, stride=1, padding=1),
    "leaky": lambda: snn.Leaky(0.9, init_hidden=True),
    "slow": lambda: snn.Synaptic(alpha=0.5, beta=0.9, init_hidden=True, reset_mechanism="zero"),
    "again": lambda: snn.RLeaky(0.9, linear_features=6, init_hidden=True),
}
STEPS: dict[str, Any] = {
    "twice": lambda y, x: y * 2,
    "skip": lambda y, x: y + x,
    "less": lambda y, x: y - 0.5,
    "square": lambda y, x: y * y,
    "absolute": lambda y, x: y.abs(),
    "relu": lambda y, x: functional.relu(y),
    "turned": lambda y, x: y.flip(-1),
    "part": lambda y, x: torch.cat([y[:, :3], y[:, 3:]], 1),
    "view": lambda y, x: y.view(y.shape[0], -1),
    "batch": lambda y, x: y - y.mean(0),
    "branch": lambda y, x: y if y.sum() > 0 else -y,
    "step": lambda y, x: (y > 0.2).float(),
    "masked": lambda y, x: torch.where(y > 0, y, torch.zeros_like(y)),
    "matrix": lambda y, x: y @ torch.eye(6),
}


class Forward(nn.Module):
    """Layers, each with something done to its result."""

    def __init__(self, layers: list[str], steps: list[str]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(LAYERS[name]() for name in layers)
        self.steps = steps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x
        for layer, step in zip(self.layers, self.steps, strict=True):
            y = layer(y)
            y = STEPS[step](y, x) if step else y
        return y


NAMES = st.lists(st.sampled_from(sorted(LAYERS)), min_size=1, max_size=5)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(layers=NAMES, data=st.data(), seed=st.integers(0, 9))
def test_any_forward_pass(layers: list[str], data: st.DataObject, seed: int) -> None:
    choices = st.sampled_from(["", "", "", *sorted(STEPS)])
    steps = [data.draw(choices) for _ in layers]
    torch.manual_seed(seed)
    net = Forward(layers, steps)
    sample = torch.randn(2, 6)
    spiking = any(isinstance(m, snn.SpikingNeuron) for m in net.modules())
    read = compiler.from_snntorch if spiking else compiler.from_torch
    with suppress(InputError):  # whatever is read was run beside the network
        compiler.compile_network(read(net, sample), "generic-sim", inputs="graded")
