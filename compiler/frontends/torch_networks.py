"""Live networks of plain PyTorch: an ANN, which becomes spikes by rate coding."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from typing import Any

from torch import nn

from compiler.frontends.live import Framework, read_network
from compiler.frontends.parts import Part
from compiler.source import Graph


def from_torch(net: nn.Module, sample: Any) -> Graph:
    """The source graph of an ANN of plain PyTorch; `rate_coded` makes it spike.

    sample: what net(sample) takes, with a batch axis.
    Raises InputError for what is not taken, with every node, parameter and remedy.
    """
    graph = read_network(net, sample, TORCH)
    return replace(graph, provenance={**graph.provenance, "version.torch": version("torch")})


TORCH = Framework("PyTorch", "torch.nn.modules", {}, lambda _m, _c, _l: Part())
