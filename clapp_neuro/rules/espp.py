"""ESPP: EchoSpike predictive plasticity (Graf, Su, Indiveri 2024), without prediction weights.

    L = max(0, y·(θ_y − u)),   u = Σ_j z_j · echo_j
    ΔW_ji ∝ y · echo_j · ρ'(a_j) · x_i   where L > 0

The echo is the layer's own activity at the fixation before, normalised: ‖echo‖ = 1. A layer should
be like its echo while the gaze stays (u above θ₊), and unlike it after a saccade (u below θ₋). In
the paper θ_y follows the input's activity; here it is a share of the margin.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from clapp_neuro.rules.prediction import patches
from clapp_neuro.rules.seen import Rule, Seen, Signal

THRESHOLD_STAYS = 1.0
THRESHOLD_LEFT = 0.5


def signal(seen: Seen) -> Signal:
    """Coins, contexts and averages as in CLAPP; a prediction step is one fixation."""
    z = seen.z.flatten(0, 1)
    context = seen.context.flatten(0, 1)
    contexts, predicted = seen.draw.pairs[0]
    own = torch.arange(len(seen.z), device=z.device)
    positions = seen.z.shape[1]
    target = patches(own, predicted, positions)
    echo = F.normalize(context[patches(seen.draw.origin, contexts, positions)], dim=1)
    y = seen.draw.y.repeat_interleave(len(predicted))
    score = (z[target] * echo).sum(1)
    threshold = torch.where(y > 0, THRESHOLD_STAYS, THRESHOLD_LEFT) * seen.train.margin
    loss = torch.relu(y * (threshold - score))
    opened = (loss > 0).to(z.dtype)
    dendrite = torch.zeros_like(z)
    dendrite[target] = (y * opened / len(y))[:, None] * echo
    return Signal(loss=loss.mean(), gate=opened.mean(), dendrite=dendrite.view_as(seen.z))


RULE = Rule(signal=signal)
