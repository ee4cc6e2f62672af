"""CLAPP: contrastive, local and predictive plasticity (Illing et al. 2021, Eq. 3 and 6 to 8).

    L = max(0, margin − y·u)     y = +1 same image, −1 after a saccade, one of the two    (Eq. 3)
    γ = y·H,  H = η where L > 0  broadcast to the whole layer

The rest is `prediction`. End to end this is the paper's time-local Hinge Loss CPC.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from clapp_neuro.rules.prediction import Comparisons, Modulator, learn, matrices, patches
from clapp_neuro.rules.seen import Draw, Rule, Seen, Signal


def hinge(y: Tensor, eta: Tensor | float, margin: float) -> Modulator:
    """Eq. 3 and γ = y·H, for y and η that go with the scores (R, M)."""

    def modulator(score: Tensor) -> tuple[Tensor, Tensor]:
        loss = torch.relu(margin - y * score)
        return loss, y * eta * (loss > 0)

    return modulator


def signal(seen: Seen) -> Signal:
    """Each context meets what really came, or, where its image drew y = −1, what did not."""
    steps = _steps(seen.draw, seen.z.shape[1], seen.train.margin)
    return learn(seen, steps, lambda gamma: (gamma != 0).to(gamma.dtype).mean())


@lru_cache(maxsize=4)
def _steps(draw: Draw, positions: int, margin: float) -> list[tuple[Comparisons, Modulator]]:
    """After a saccade the context is that of another image at the same position.

    The terms with y = +1 and with y = −1 are each averaged over the images that drew them and
    over the positions, then added (Appendix B).
    """
    y = draw.y
    own = torch.arange(len(y), device=y.device)
    alike = (y == y[:, None]).to(y.dtype).sum(1)  # how many images drew the same
    steps = []
    for contexts, predicted in draw.pairs:
        compared = Comparisons(
            patches(draw.origin, contexts, positions),
            patches(own, predicted, positions)[:, None],
        )
        rows = y.repeat_interleave(len(predicted))[:, None]
        eta = (1.0 / (alike * len(predicted))).repeat_interleave(len(predicted))[:, None]
        steps.append((compared, hinge(rows, eta, margin)))
    return steps


RULE = Rule(matrices=matrices, signal=signal)
