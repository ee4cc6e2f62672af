"""What one module or function of a framework becomes: a few nodes, and how they are connected."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from compiler.source import Edge, Node


@dataclass(frozen=True)
class Part:
    """Nodes by the end of their name ("" the module itself), edges among them by those ends.

    What arrives goes to each of `entries`, what leaves comes from `leaves`. `state` is the end of
    the neuron whose states the module returns beside its spikes.
    """

    nodes: dict[str, Node] = field(default_factory=dict)
    edges: tuple[Edge, ...] = ()
    entry: str = ""
    leaves: str = ""
    state: str | None = None
    notes: tuple[str, ...] = ()


def chain(*nodes: tuple[str, Node], state: str | None = None, notes: tuple[str, ...] = ()) -> Part:
    """A part whose nodes follow one another."""
    ends = [end for end, _ in nodes]
    edges = tuple(Edge(a, b) for a, b in pairwise(ends))
    return Part(dict(nodes), edges, ends[0], ends[-1], state, notes)


def array(value: Any) -> np.ndarray:
    """A tensor or number as a float64 array of its own."""
    if isinstance(value, torch.Tensor):
        return np.array(value.detach().cpu().double().numpy())
    return np.array(value, np.float64)


def per_neuron(value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """A parameter of neurons: one value, or one for each neuron of `shape`, leading ones dropped.

    Frameworks broadcast it against a batch, so (1, N) and (N,) mean the same.
    """
    found = array(value)
    while found.ndim > len(shape) and found.shape[0] == 1:
        found = found[0]
    return found.reshape(()) if found.size == 1 else found
