"""Neurons and their surrogate derivatives ρ'.

Spiking neurons are snnTorch's `Leaky`, with the membrane reset at the start of each fixation:

    v[t] = decay·v[t−1] + I[t] − threshold·s[t−1],   s[t] = [v[t] > threshold],   v, s start at 0

With `reset="zero"` v[t−1] is set to 0 after a spike instead. A fixation's activity is the
spike count over T steps, z = n/T.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import snntorch
import torch
from torch import Tensor

from clapp_neuro.config import EncoderConfig


@lru_cache(maxsize=32)
def _leaky(decay: float, threshold: float, reset: str, device: torch.device) -> snntorch.Leaky:
    # one instance a setting: snnTorch keeps a reference to every neuron ever made. Its own
    # surrogate gradient is off because ours belongs to the count, not to a single spike
    neuron = snntorch.Leaky(
        beta=decay, threshold=threshold, reset_mechanism=reset, surrogate_disable=True
    )
    return neuron.to(device)


def lif_counts(current: Tensor, encoder: EncoderConfig) -> tuple[Tensor, Tensor]:
    """Run one fixation through snnTorch's neuron.

    current: (T, B, N), or (B, N) for a current that stays constant during the fixation.
    Returns the spikes (T, B, N) and the activity z = count/T (B, N), in the current's type.
    """
    neuron = _leaky(encoder.decay, encoder.threshold, encoder.reset, current.device)
    steps = current if current.dim() == 3 else current.expand(encoder.steps, *current.shape)
    membrane = torch.zeros_like(steps[0])
    spikes = []
    for step in steps:
        spike, membrane = neuron(step, membrane)
        spikes.append(spike.to(current.dtype))
    stacked = torch.stack(spikes)
    return stacked, stacked.mean(0)


def lif_one_fixation(current: Tensor, encoder: EncoderConfig, spikes: Tensor) -> Tensor:
    """`lif_counts` for a single fixation without the overhead of a module call a time step.

    The same arithmetic in the same order, equal to the bit (a test compares them); about ten
    times faster for one sample, where the calls and not the arithmetic cost the time.
    current: (T, N) or (N,); spikes: (T, N), is filled. Returns z (N,).
    """
    constant = current.dim() == 1
    subtract = encoder.reset == "subtract"
    membrane = torch.zeros_like(current if constant else current[0])
    spike = None
    for t, out in enumerate(spikes):
        if spike is not None and not subtract:
            membrane.mul_(1 - spike)
        membrane.mul_(encoder.decay).add_(current if constant else current[t])
        if spike is not None and subtract:
            membrane.sub_(spike, alpha=encoder.threshold)
        spike = torch.gt(membrane, encoder.threshold, out=out)
    return spikes.mean(0)


def spike_surrogate(z: Tensor) -> Tensor:
    """ρ' = [0 < z < 1]: one bit, 1 where the neuron was active and not saturated."""
    return ((z > 0) & (z < 1)).to(z.dtype)


def rate_surrogate(a: Tensor) -> Tensor:
    """ρ' = [a > 0], the derivative of ReLU."""
    return (a > 0).to(a.dtype)


class StraightThrough(torch.autograd.Function):
    """z = ρ(a) for automatic differentiation: forward the activity, backward ρ'.

    Learning never uses it. Tests do, to compare the explicit rule with autograd's gradient.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor, z: Tensor, surrogate: Tensor) -> Tensor:
        """The activity z as it was counted."""
        ctx.save_for_backward(surrogate)
        return z.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """∂z/∂a = ρ'."""
        (surrogate,) = ctx.saved_tensors
        return gradients[0] * surrogate, None, None
