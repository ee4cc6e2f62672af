"""Small snnTorch networks, and what they do themselves."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from compiler.source import Graph, Neuron

STEPS = 50


def neurons(graph: Graph) -> list[Neuron]:
    return [node for node in graph.nodes.values() if isinstance(node, Neuron)]


def run_torch(net: nn.Module, inputs: torch.Tensor) -> np.ndarray:
    """(T, B, N) of a network with hidden states, called once a step from rest."""
    for module in net.modules():
        for name in ("mem", "syn", "syn_exc", "syn_inh", "spk"):
            if isinstance(getattr(module, name, None), torch.Tensor):
                setattr(module, name, torch.zeros(0))
    with torch.no_grad():
        results = [net(x) for x in inputs]
    return torch.stack([r[0] if isinstance(r, tuple) else r for r in results]).numpy()


def single(neuron: nn.Module, weights: list[float]) -> nn.Sequential:
    """One input, a neuron a weight."""
    linear = nn.Linear(1, len(weights), bias=False)
    linear.weight.data = torch.tensor(weights)[:, None]
    return nn.Sequential(linear, neuron)
