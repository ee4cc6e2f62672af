"""An ANN as spikes: rates in place of activations, thresholds balanced layer by layer.

A rectifier becomes a neuron that integrates, is reduced by its threshold when it spikes, and starts
at half of it, so that its rate in T steps is its activation divided by the threshold, rounded to a
multiple of 1/T. The threshold is a percentile of the layer's activations over calibration images
(Diehl et al. 2015; Rueckauer et al. 2017), and what a spike stands for, so each spike weighs as
much in the next layer. A pool of the largest becomes rectifiers first (`frontends.largest`).
Results without a rectifier are integrated: their mean over time is the result.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from clapp_neuro.errors import InputError
from compiler.frontends.largest import without_largest
from compiler.source import Edge, Graph, Neuron, Node, Rectifier, Reset, Scale
from compiler.source.emulate import emulate
from compiler.source.fold import fold_scales
from compiler.source.violations import Violation, refuse

PERCENTILE = 99.9
STEPS = 32
RATE, READOUT = ".rate", "readout"
ONE, ZERO = np.ones(()), np.zeros(())


@dataclass(frozen=True)
class Balance:
    """A layer's threshold, the share of its activations beyond it, and its error as rates.

    error: mean difference of activations and what the spikes stand for, relative to the threshold.
    """

    layer: str
    threshold: float
    clipped: float
    error: float

    def __str__(self) -> str:
        return (
            f"{self.layer}: threshold {self.threshold:.4g}, {self.clipped:.2%} of activations "
            f"beyond it, mean error of the rates {self.error:.2%} of it"
        )


def is_rate_coded(graph: Graph) -> bool:
    """Whether it is an ANN, which has to become spikes first."""
    kinds = [type(n) for n in graph.nodes.values()]
    return Rectifier in kinds and Neuron not in kinds


def rate_coded(
    graph: Graph, images: Any, *, percentile: float = PERCENTILE, steps: int = STEPS
) -> Graph:
    """The spiking graph of an ANN, its balance and its agreement with the ANN among the notes.

    images: (B, *shape) from 0 to 1, shown as constant currents for `steps` steps.
    Raises InputError for images that do not fit, a layer that is silent on all of them, and nodes
    that rates cannot stand for.
    """
    shown = np.asarray(images, np.float64)
    _require_images(graph, shown)
    if not 0 < percentile <= 100:
        raise InputError(f"percentile {percentile:g}: give more than 0, up to 100")
    graph, differences, unpooled = without_largest(graph)
    violations = list(unpooled)
    activations = emulate(graph, shown, 1, np.float64).sent
    thresholds: dict[str, float] = {}
    for name, node in graph.nodes.items():
        if isinstance(node, Rectifier):
            found = float(np.percentile(activations[name], percentile))
            thresholds[name] = found or float(activations[name].max())
            if name in differences and not thresholds[name]:  # the last tap is always the largest
                thresholds[name] = float(np.abs(activations[f"{name}.difference"]).max()) or 1.0
            if thresholds[name] <= 0:
                violations.append(
                    Violation(
                        name,
                        f"it is silent on all {len(shown)} calibration images",
                        "give other images, scaled as in training, or train again",
                    )
                )
    refuse(graph.name, tuple(violations), graph.kinds)
    spiking = _replaced(graph, thresholds)
    balances, agreement = _compared(graph, spiking, thresholds, activations, shown, steps)
    notes = (*graph.notes, *(str(b) for b in balances), agreement)
    return fold_scales(replace(spiking, notes=notes, steps=steps))


def _require_images(graph: Graph, images: np.ndarray) -> None:
    shape = graph.shapes[graph.inputs[0]]
    if images.ndim != len(shape) + 1 or images.shape[1:] != shape or len(images) == 0:
        raise InputError(
            f"calibration images have shape {images.shape}: give (images, "
            f"{', '.join(str(n) for n in shape)}), one or more"
        )
    if not np.isfinite(images).all() or images.min() < 0 or images.max() > 1:
        raise InputError(
            f"calibration images go from {images.min():g} to {images.max():g}: give 0 to 1, and "
            "put any other scaling into the network's first layer"
        )


def _replaced(graph: Graph, thresholds: dict[str, float]) -> Graph:
    """Each rectifier a neuron and what its spike stands for; each bare result an integrator."""
    nodes: dict[str, Node] = {}
    edges = list(graph.edges)
    for name, node in graph.nodes.items():
        if name in thresholds:
            h = np.full((), thresholds[name])
            nodes[name] = Neuron(ONE, ONE, ZERO, h, Reset.SUBTRACT, initial=h / 2)
            nodes[name + RATE] = Scale(h, ZERO)
            edges = [replace(e, source=name + RATE) if e.source == name else e for e in edges]
            edges.append(Edge(name, name + RATE))
        else:
            nodes[name] = node
    for name in graph.outputs:
        before = next(e.source for e in graph.edges if e.target == name)
        if before not in thresholds:
            title = READOUT if len(graph.outputs) == 1 else f"{READOUT} {name}"
            nodes[title] = Neuron(ONE, ONE, ZERO, None)
            edges = [replace(e, target=title) if e.target == name else e for e in edges]
            edges.append(Edge(title, name))
    return replace(graph, nodes=nodes, edges=tuple(edges))


def _compared(
    graph: Graph,
    spiking: Graph,
    thresholds: dict[str, float],
    activations: dict[str, np.ndarray],
    images: np.ndarray,
    steps: int,
) -> tuple[list[Balance], str]:
    """How well the rates stand for the activations, layer by layer, and how often classes agree."""
    ran = emulate(spiking, images, steps, np.float64)
    balances = []
    for name, h in thresholds.items():
        wanted = activations[name][0]
        rates = ran.sent[name].mean(0)
        error = float(np.abs(rates * h - wanted).mean() / h)
        balances.append(Balance(name, h, float((wanted > h).mean()), error))
    name = graph.outputs[0]
    wanted = activations[name][0].reshape(len(images), -1)
    last = next(e.source for e in spiking.edges if e.target == name)
    sums = ran.sent[last].sum(0) if isinstance(spiking.nodes[last], Scale) else ran.sent[last][-1]
    same = wanted.argmax(1) == sums.reshape(len(images), -1).argmax(1)
    return balances, (
        f"after {steps} steps the largest result is that of the ANN for {same.mean():.1%} of "
        f"{len(images)} calibration images"
    )
