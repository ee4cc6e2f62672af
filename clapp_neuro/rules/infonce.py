"""InfoNCE: the loss of CPC and Greedy InfoMax (van den Oord 2018, Löwe 2019; paper, Eq. 2, 9).

L = −log π⁺,   π_τ = exp u_τ / Σ_τ' exp u_τ'      over the true one and 16 negatives
γ_τ = [τ is the true one] − π_τ                   which needs all of them at once: not local
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from clapp_neuro.rules.negatives import with_negatives
from clapp_neuro.rules.prediction import Modulator, learn, matrices
from clapp_neuro.rules.seen import Rule, Seen, Signal


def softmax(eta: float) -> Modulator:
    """Cross-entropy of the true comparison, which comes first, and γ of Eq. 9."""

    def modulator(score: Tensor) -> tuple[Tensor, Tensor]:
        gamma = -F.softmax(score, 1)
        gamma[:, 0] += 1
        return -F.log_softmax(score, 1)[:, 0], eta * gamma

    return modulator


def signal(seen: Seen) -> Signal:
    """Averaged over all true pairs."""
    steps = [(compared, softmax(1 / len(compared.source))) for compared in with_negatives(seen)]
    return learn(seen, steps, lambda gamma: torch.ones((), device=gamma.device))


RULE = Rule(matrices=matrices, signal=signal)
