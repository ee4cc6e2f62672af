"""Live networks of plain PyTorch: an ANN, which becomes spikes by rate coding."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from typing import Any

from torch import nn

from clapp_neuro.errors import InputError
from compiler.frontends.live.framework import Framework
from compiler.frontends.live.graph import read_network
from compiler.frontends.live.parts import Part
from compiler.source import Graph


def from_torch(net: nn.Module, sample: Any) -> Graph:
    """The source graph of an ANN of plain PyTorch; `rate_coded` makes it spike.

    sample: what net(sample) takes, with a batch axis.
    Raises InputError for what is not taken, with every node, parameter and remedy.
    """
    libraries = {type(m).__module__.split(".")[0] for m in net.modules()} & set(READERS)
    if libraries:
        library = min(libraries)
        raise InputError(f"the network has neurons of {library}: use compiler.{READERS[library]}")
    graph = read_network(net, sample, TORCH)
    return replace(graph, provenance={**graph.provenance, "version.torch": version("torch")})


READERS = {"snntorch": "from_snntorch", "norse": "from_norse"}
TORCH = Framework("PyTorch", "torch.nn.modules", {}, lambda _m, _c, _l: Part())
