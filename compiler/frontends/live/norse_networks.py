"""Live Norse networks."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from typing import Any

from norse.torch import Lift, SequentialState
from torch import nn

from compiler.frontends.live.framework import Framework
from compiler.frontends.live.graph import read_network
from compiler.frontends.live.norse_neurons import NEURONS, SEQUENCES, UNSUITED, read_neuron
from compiler.source import Graph


def from_norse(net: nn.Module, sample: Any) -> Graph:
    """The source graph of a Norse network.

    sample: what net(sample) takes: (batch, ...) for cells, (time, batch, ...) for layers that take
    a time series. Raises InputError for what is not taken, with every node, parameter and remedy.
    """
    graph = read_network(net, sample, NORSE)
    return replace(graph, provenance={**graph.provenance, "version.norse": version("norse")})


def _unwrap(module: nn.Module) -> nn.Module | None:
    return module.lifted_module if isinstance(module, Lift) else None


NORSE = Framework(
    "Norse",
    "norse",
    NEURONS,
    read_neuron,
    SEQUENCES,
    carries=True,
    wrappers=(SequentialState,),
    unwrap=_unwrap,
    unsuited=UNSUITED,
)
