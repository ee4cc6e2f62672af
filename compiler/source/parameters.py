"""What of a node's own parameters is unsound, whatever arrives at it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from compiler.source.neuron import Neuron
from compiler.source.nodes import Convolution, Delay, Linear, Node, Pool
from compiler.source.violations import Violation


def unsound_parameters(name: str, node: Node) -> Iterator[Violation]:
    """What no network can compute with."""
    for parameter, array in node.arrays().items():
        bad = ~np.isfinite(array)
        if bad.any():
            index = [int(i) for i in np.argwhere(bad)[0]]
            value = array[tuple(index)]
            yield Violation(
                name,
                f"{parameter}{index if index else ''} is {value}",
                "give finite numbers: train again, perhaps with a lower learning rate",
            )
    if isinstance(node, Linear) and node.weight.ndim != 2:
        yield Violation(name, f"weight has {node.weight.ndim} axes", "give (out, in)")
    if isinstance(node, Convolution):
        yield from _of_convolution(name, node)
    if isinstance(node, Pool) and (min(node.kernel) < 1 or min(node.stride) < 1):
        yield Violation(name, "kernel or stride is below 1", "give at least 1")
    bias = node.bias if isinstance(node, Linear | Convolution) else None
    if bias is not None and bias.shape != node.weight.shape[:1]:  # type: ignore[attr-defined]
        yield Violation(name, f"bias has shape {bias.shape}", "give one value an output channel")
    if isinstance(node, Delay) and (node.steps < 0).any():
        yield Violation(name, "steps are negative", "give 0 or more")
    if isinstance(node, Neuron):
        currents = [node.current.decay] if node.current is not None else []
        for what, decay in zip(("decay", "current.decay"), [node.decay, *currents], strict=False):
            if (decay < 0).any() or (decay > 1).any():
                worst = float(decay.ravel()[np.abs(decay.ravel() - 0.5).argmax()])
                yield Violation(
                    name,
                    f"{what} is {worst:g}",
                    "give 0 to 1: a time constant of at least one time step (is dt right?)",
                )


def _of_convolution(name: str, node: Convolution) -> Iterator[Violation]:
    if node.axes not in (1, 2):
        yield Violation(name, f"weight has {node.weight.ndim} axes", "give Conv1d or Conv2d")
    if node.groups < 1 or node.weight.shape[0] % max(node.groups, 1):
        yield Violation(
            name,
            f"groups is {node.groups}, for {node.weight.shape[0]} output channels",
            "give a divisor of the channels",
        )
    if min((*node.stride, *node.dilation, *node.weight.shape), default=1) < 1:
        yield Violation(name, "stride, dilation or kernel is below 1", "give at least 1")
    if {len(node.stride), len(node.dilation), len(node.padding)} != {node.axes}:
        remedy = f"give {node.axes} numbers for each"
        yield Violation(name, "stride, padding or dilation has other axes than weight", remedy)
    if any(p < 0 for pair in node.padding for p in pair):
        yield Violation(name, "padding is negative", "give 0 or more")
