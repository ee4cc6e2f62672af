"""Live PyTorch networks as source graphs: watched, rolled up to one step, translated, compared.

The last step is the guarantee: the graph and the network run side by side from rest, and a graph
that does not do what the network does is refused, whatever the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from clapp_neuro.errors import InputError
from compiler.frontends.live import torch_layers
from compiler.frontends.live.framework import Framework
from compiler.frontends.live.recording import Call, record
from compiler.frontends.live.rolling import roll
from compiler.frontends.live.side_by_side import require_same
from compiler.frontends.live.time_step import Rolled
from compiler.frontends.live.translation import Translation
from compiler.source import Graph


def read_network(net: nn.Module, sample: Any, framework: Framework) -> Graph:
    """The source graph of a live network; `sample` is what net(sample) takes, batch axis and all.

    The network is read in evaluation mode; its mode, states and parameters stay as they are.
    Raises InputError for what is not taken, with all places, and where the graph would not do what
    the network does.
    """
    if not isinstance(net, nn.Module):
        raise InputError(f"{type(net).__name__} is no torch.nn.Module: give a network")
    sample = torch.as_tensor(sample)
    if sample.ndim < 2:
        raise InputError(
            f"the sample has shape {tuple(sample.shape)}: give a batch axis in front, of 1 or more"
        )
    if not torch.isfinite(sample).all():
        raise InputError("the sample holds a NaN or infinity: give finite numbers")
    first = next(net.parameters(), torch.zeros(0))
    sample = sample.to(first.device, first.dtype if first.is_floating_point() else torch.float32)
    with _kept(net):
        framework.clear(net)
        graph, rolled = _translated(net, sample, framework)
        framework.clear(net)
        require_same(net, sample, graph, rolled, framework.clear, framework.carries)
    return graph


def _translated(net: nn.Module, sample: Tensor, framework: Framework) -> tuple[Graph, Rolled]:
    def is_neuron(call: Call) -> bool:
        module = call.module
        if module is not None:
            module = framework.unwrap(module) or module
        return type(module) in framework.neurons

    recording = record(lambda: net(sample), net, sample, lambda module: _is_node(module, framework))
    rolled = roll(
        recording,
        is_neuron,
        lambda call: (
            isinstance(call.module, framework.sequences)
            or (call.module is not None and framework.unwrap(call.module) is not None)
        ),
    )
    return Translation(rolled, framework, is_neuron).graph(net, sample), rolled


def _is_node(module: nn.Module, framework: Framework) -> bool:
    """Whether a module is one to the front end: its own inside is not looked at."""
    kind = type(module)
    if kind in framework.wrappers:
        return False
    if kind in framework.neurons or kind in torch_layers.MODULES:
        return True
    home = kind.__module__
    if home.startswith("torch.nn.modules.container"):
        return False
    return home.startswith(("torch.nn.modules.", framework.package + "."))


@contextmanager
def _kept(net: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while; modes and buffers come back as they were."""
    modes = [(m, m.training) for m in net.modules()]
    buffers = [(m, n, b) for m in net.modules() for n, b in m.named_buffers(recurse=False)]
    held = [b.detach().clone() for _, _, b in buffers]
    net.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
        for (module, name, buffer), old in zip(buffers, held, strict=True):
            if buffer.shape == old.shape:
                buffer.data.copy_(old)
            setattr(module, name, buffer)
