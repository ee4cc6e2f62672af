"""CLAPP-s: CLAPP's hinge loss with synchronous negatives (paper, section 4 and Appendix B).

    L = max(0, margin − u⁺) + mean over τ of max(0, margin + u^τ)      τ: 16 negatives

End to end this is the paper's Hinge Loss CPC.
"""

from __future__ import annotations

import torch

from clapp_neuro.rules.clapp import hinge
from clapp_neuro.rules.negatives import with_negatives
from clapp_neuro.rules.prediction import learn, matrices
from clapp_neuro.rules.seen import Rule, Seen, Signal


def signal(seen: Seen) -> Signal:
    """Positive and negative terms, each averaged, then added."""
    z, count = seen.z, seen.train.negatives
    y = torch.full((1 + count,), -1.0, dtype=z.dtype, device=z.device)
    y[0] = 1
    each = torch.full_like(y, 1 / count)
    each[0] = 1
    steps = []
    for compared in with_negatives(seen):
        modulator = hinge(y, each / len(compared.source), seen.train.margin)
        steps.append((compared, modulator))
    return learn(seen, steps, lambda gamma: (gamma != 0).to(z.dtype).mean())


RULE = Rule(matrices=matrices, signal=signal)
