"""Neurons and their surrogate derivatives ρ'.

Spiking neurons are snnTorch's `Leaky`, with the membrane reset at the start of each fixation:

    v[t] = decay·v[t−1] + I[t] − threshold·s[t−1],   s[t] = [v[t] > threshold],   v, s start at 0

With `reset="zero"` v[t−1] is set to 0 after a spike instead. A fixation's activity is the
spike count over T steps, z = n/T.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import snntorch
import snntorch.surrogate
import torch
from torch import Tensor

from clapp_neuro.config import EncoderConfig

SLOPE = 25.0
"""Of the surrogate gradient 1/(1 + slope·|v − threshold|)², snnTorch's fast sigmoid and Norse's
SuperSpike. Only modules of several layers use it: a local rule's ρ' belongs to the count."""


@lru_cache(maxsize=32)
def _leaky(decay: float, threshold: float, reset: str, device: torch.device) -> snntorch.Leaky:
    # one instance a setting: snnTorch keeps a reference to every neuron ever made
    neuron = snntorch.Leaky(
        beta=decay,
        threshold=threshold,
        reset_mechanism=reset,
        spike_grad=snntorch.surrogate.fast_sigmoid(SLOPE),
    )
    return neuron.to(device)


def lif_counts(current: Tensor, encoder: EncoderConfig) -> tuple[Tensor, Tensor]:
    """Run one fixation through the library's neuron.

    current: (T, B, ...), or (B, ...) for a current that stays constant during the fixation.
    Returns the spikes (T, B, ...) and the activity z = count/T (B, ...), in the current's type.
    Differentiable through the surrogate gradient where autograd is on.
    """
    steps = current if _has_time(current) else current.expand(encoder.steps, *current.shape)
    step = _norse_step(encoder) if encoder.library == "norse" else _snntorch_step(encoder, current)
    membrane = torch.zeros_like(steps[0])
    spikes = []
    for drive in steps:
        spike, membrane = step(drive, membrane)
        spikes.append(spike.to(current.dtype))
    stacked = torch.stack(spikes)
    return stacked, stacked.mean(0)


def _has_time(current: Tensor) -> bool:
    """Dense currents are (B, N), convolutional ones (B, N, h, w): time makes the number odd."""
    return current.dim() % 2 == 1


Step = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""(current, membrane) → (spikes, membrane)."""


def _snntorch_step(encoder: EncoderConfig, current: Tensor) -> Step:
    step: Step = _leaky(encoder.decay, encoder.threshold, encoder.reset, current.device)
    return step


def _norse_step(encoder: EncoderConfig) -> Step:
    """Norse's boxed LIF: v <- v + (I' − v)/τ with 1/τ = 1 − decay, so I' = I/(1 − decay).

    Its reset comes right after the spike and snnTorch's before the next step, which is the same
    but for the membrane that is decayed: Norse decays what is left of it. With `subtract` the
    threshold to subtract is therefore divided by the decay. Its SuperSpike takes no notice of
    `alpha` (Norse 1.1.0: the slope is always 1), so the membrane is kept in units of 1/SLOPE here
    and the gradient divided by it.
    """
    norse = _norse()
    leak = 1 - encoder.decay

    def reset(spike: Tensor, v: Tensor, to: Tensor, threshold: Tensor) -> Tensor:
        spike = spike.detach()  # as snnTorch: no gradient through the reset
        if encoder.reset == "zero":
            return norse.reset.reset_value(spike, v, to, threshold)
        return norse.reset.reset_subtract(spike, v, to, threshold / encoder.decay)

    parameters = norse.lif_box.LIFBoxParameters(
        tau_mem_inv=torch.as_tensor(leak),
        v_th=torch.as_tensor(encoder.threshold * SLOPE),
        reset_method=reset,
    )

    def step(current: Tensor, membrane: Tensor) -> tuple[Tensor, Tensor]:
        state = norse.lif_box.LIFBoxFeedForwardState(membrane)
        spike, state = norse.lif_box.lif_box_feed_forward_step(
            current * (SLOPE / leak), state, parameters, dt=1
        )
        return spike / SLOPE + (spike * (1 - 1 / SLOPE)).detach(), state.v

    return step


@lru_cache
def _norse() -> Any:
    """Norse's functional module; it warns about a function of PyTorch that it uses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from norse.torch.functional import lif_box, reset
    return SimpleNamespace(lif_box=lif_box, reset=reset)


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


def lif_step(
    membrane: Tensor, spiked: Tensor, drive: Tensor, encoder: EncoderConfig
) -> tuple[Tensor, Tensor]:
    """One step of `lif_counts` from the potential and spikes (N,) of the step before: both anew."""
    if encoder.reset == "zero":
        membrane = membrane * (1 - spiked)
    membrane = membrane * encoder.decay + drive
    if encoder.reset == "subtract":
        membrane = membrane - encoder.threshold * spiked
    return membrane, (membrane > encoder.threshold).to(membrane.dtype)


def input_spikes(x: Tensor, steps: int) -> Tensor:
    """The spikes (T, ...) of inputs x in 0..1: spread evenly, round(255·x) of them in 256 steps."""
    intensity = torch.round(x.double() * 255).long()
    levels, ends = (torch.arange(n, device=x.device) for n in (256, steps + 1))
    reached = torch.div(levels[:, None] * ends + 128, 256, rounding_mode="floor")
    return reached.diff(dim=1).to(x.dtype)[intensity].movedim(-1, 0)


def spike_surrogate(z: Tensor) -> Tensor:
    """ρ' = [0 < z < 1]: one bit, 1 where the neuron was active and not saturated."""
    return (z > 0) & (z < 1)


def rate_surrogate(a: Tensor) -> Tensor:
    """ρ' = [a > 0], the derivative of ReLU, as booleans: its maps are as large as the activity."""
    return a > 0
