"""LPL: latent predictive learning (Halvagal and Zenke 2023), which the lecture cites.

    ΔW_ji ∝ [ −(z_j − z_j^{t−δt}) + λ (z_j − z̄_j) / (σ_j² + ε) ] · ρ'(a_j) · x_i

Activity should change slowly, yet vary: no negatives, no prediction weights. z̄ and σ² are running
averages of the neuron, and weights decay.
"""

from __future__ import annotations

import torch

from clapp_neuro.encoders.shapes import Size
from clapp_neuro.rules.seen import Rule, Seen, Shape, Signal

HEBBIAN = 1.0  # λ
EPSILON = 1e-4
AVERAGING = 1.0
AVERAGING_ONLINE = 1e-4
"""Share of the newest minibatch in the running averages, and that of a single fixation.

A minibatch has averages of its own. Where they lag behind, activity that grows is taken for
activity above its mean, which makes it grow: layers of `fashion-conv` ran away with a share of 0.1.
"""


def matrices(size: Size) -> dict[str, Shape]:
    """Running mean and variance of each neuron."""
    return {"mean": (size.neurons,), "variance": (size.neurons,)}


def signal(seen: Seen) -> Signal:
    """Both terms averaged over the compared fixations; across a saccade nothing is predicted."""
    z = seen.z
    contexts, predicted = seen.draw.pairs[0]
    stays = (seen.draw.y > 0).to(z.dtype)[:, None, None]
    change = (z[:, predicted] - z[:, contexts]) * stays
    share = AVERAGING if len(z) > 1 else AVERAGING_ONLINE
    old_mean, old_variance = seen.weights["mean"], seen.weights["variance"]
    mean = old_mean + share * (z.mean((0, 1)) - old_mean)
    spread = (z - mean).square().mean((0, 1))
    variance = old_variance + share * (spread - old_variance)
    now = z[:, predicted]
    hebbian = HEBBIAN * (now - mean) / (variance + EPSILON)
    dendrite = torch.zeros_like(z)
    dendrite[:, predicted] = (hebbian - change) / (change.shape[0] * change.shape[1])
    return Signal(
        loss=change.square().sum(-1).mean() / 2,
        gate=torch.ones((), device=z.device),
        dendrite=dendrite,
        states={"mean": mean, "variance": variance},
    )


RULE = Rule(matrices=matrices, signal=signal, states=("mean", "variance"), weight_decay=1e-3)
