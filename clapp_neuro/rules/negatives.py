"""Synchronous negatives: each true pair beside wrong ones at the same time (Appendix B)."""

from __future__ import annotations

import torch

from clapp_neuro.rules.prediction import Comparisons, patches
from clapp_neuro.rules.seen import Seen


def with_negatives(seen: Seen) -> list[Comparisons]:
    """For each prediction step the comparisons (R, 1 + negatives), the true one first.

    Negatives are drawn from all patches of the minibatch, as in the reference code, which does
    not exclude the true one.
    """
    batch, positions = seen.z.shape[:2]
    own = torch.arange(batch, device=seen.z.device)
    generator = seen.draw.negatives(seen.level)
    steps = []
    for contexts, predicted in seen.draw.pairs:
        shape = (batch * len(predicted), seen.train.negatives)
        wrong = torch.from_numpy(generator.integers(0, batch * positions, shape))
        target = torch.cat([patches(own, predicted, positions)[:, None], wrong.to(own.device)], 1)
        steps.append(Comparisons(patches(own, contexts, positions), target))
    return steps
