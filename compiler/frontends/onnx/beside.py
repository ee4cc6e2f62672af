"""One time step of an ONNX file and the graph that was read from it, run side by side from rest."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx.reference import ReferenceEvaluator

from clapp_neuro.errors import InputError
from compiler.frontends.agreement import agrees, differing
from compiler.frontends.onnx.states import Loop
from compiler.source import Graph
from compiler.source.emulate import emulate

STEPS = 8
TOLERANCE = 1e-5  # relative to the largest value
STRENGTHS = (0.3, 3.0, 30.0)  # of random samples: a network that is silent on one may answer more


def require_same(
    where: str,
    model: Any,
    loop: Loop,
    begun: dict[str, np.ndarray],
    graph: Graph,
    neurons: dict[str, str],
) -> None:
    """InputError where result or potentials differ in any of `STEPS` steps on random samples.

    neurons: the graph's name of each potential among the states.
    """
    random = np.random.default_rng(1)
    batch = _batch(model, loop.sample)
    for strength in STRENGTHS:
        shape = (STEPS, batch, *graph.shapes[loop.sample])
        samples = (random.uniform(-1, 1, shape) * strength).astype(np.float32)
        wanted = _ran(where, model, loop, begun, samples)
        ran = emulate(graph, samples)
        pairs = [(loop.result, ran.output(graph))]
        pairs += [(loop.following[s], ran.membrane[n]) for s, n in neurons.items()]
        for name, found in pairs:
            if found.shape != wanted[name].shape or not agrees(found, wanted[name], TOLERANCE):
                place, has, gives = differing(found, wanted[name], TOLERANCE)
                raise InputError(
                    f"{where}: it does something that its neurons alone do not do: '{name}' is "
                    f"{has:.6g} at {place} where they give {gives:.6g}; let states be decayed, "
                    "added to and reset, and begin at 0"
                )


def _batch(model: Any, sample: str) -> int:
    """As many samples as the file takes at once."""
    dims = next(i for i in model.graph.input if i.name == sample).type.tensor_type.shape.dim
    return int(dims[0].dim_value) or 2


def _ran(
    where: str, model: Any, loop: Loop, begun: dict[str, np.ndarray], samples: np.ndarray
) -> dict[str, np.ndarray]:
    """What the file itself gives in each step, its states fed back."""
    shapes = {i.name: i.type.tensor_type.shape.dim[1:] for i in model.graph.input}
    states = {
        s: np.broadcast_to(a, (samples.shape[1], *(d.dim_value for d in shapes[s]))).astype(
            np.float32
        )
        for s, a in begun.items()
    }
    names = [o.name for o in model.graph.output]
    taken: list[dict[str, np.ndarray]] = []
    try:
        evaluator = ReferenceEvaluator(model)
        for sample in samples:
            found = evaluator.run(None, {loop.sample: sample, **states})
            taken.append(dict(zip(names, (np.asarray(f) for f in found), strict=True)))
            states = {s: taken[-1][o] for s, o in loop.following.items()}
    except Exception as error:  # whatever numpy says of shapes and types that do not fit
        text = (str(error).splitlines() or ["no reason given"])[0][:200]
        shape = samples.shape[1:]
        raise InputError(
            f"{where} itself fails on a sample of {shape}: {text}; export it again"
        ) from error
    return {name: np.stack([t[name] for t in taken]) for name in names}
