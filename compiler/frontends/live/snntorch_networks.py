"""Live snnTorch networks."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from typing import Any

import snntorch
import torch
from torch import nn

from compiler.frontends.live.framework import Framework
from compiler.frontends.live.graph import read_network
from compiler.frontends.live.snntorch_neurons import HIDDEN, NEURONS, SEQUENCES, read_neuron
from compiler.source import Graph


def from_snntorch(net: nn.Module, sample: Any, *, trained_with: str | None = None) -> Graph:
    """The source graph of an snnTorch network.

    sample: what net(sample) takes, with a batch axis (and, where forward loops over time, a time
    axis). trained_with: the version of snnTorch that the weights were trained with, where it is not
    the one installed.
    Raises InputError for what is not taken, with every node, parameter and remedy.
    """
    graph = read_network(net, sample, SNNTORCH)
    trained = trained_with or version("snntorch")
    return replace(
        graph,
        notes=(*graph.notes, *version_notes(net, trained)),
        provenance={**graph.provenance, "version.snntorch": trained},
    )


def version_notes(net: nn.Module, trained: str) -> tuple[str, ...]:
    """What weights of that version mean otherwise than the installed snnTorch computes."""
    old = _numbers(trained) <= (0, 9, 1)
    return tuple(
        f"{name}: {type(module).__name__} of snnTorch {trained} wrote its membrane potential into "
        "its synaptic current; weights trained with it mean something else here: train again with "
        "0.9.4 or later"
        for name, module in net.named_modules()
        if old and isinstance(module, snntorch.Synaptic | snntorch.RSynaptic)
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(p) for p in version.split("+")[0].split(".") if p.isdigit())


def _clear(net: nn.Module) -> None:
    """All neurons at rest: an empty state is made anew in the shape of what arrives."""
    for module in net.modules():
        if type(module) in NEURONS:
            for name in HIDDEN:
                if isinstance(getattr(module, name, None), torch.Tensor):
                    setattr(module, name, torch.zeros(0))


SNNTORCH = Framework("snnTorch", "snntorch", NEURONS, read_neuron, SEQUENCES, _clear)
