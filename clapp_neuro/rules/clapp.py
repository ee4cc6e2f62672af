"""CLAPP: contrastive, local and predictive plasticity (Illing et al. 2021, Eq. 3 and 6 to 8).

Of a layer, at fixation t, with the context c = z of the fixation before:

    d = W_pred c                     dendritic prediction
    r = W_retro z                    retrodiction
    u = zᵀ d                         score: does the prediction fit?
    L = max(0, margin − y·u)         y = +1 same image, −1 after a saccade        (Eq. 3)
    γ = y·H,  H = η where L > 0      broadcast to the whole layer

    ΔW_ji       = γ · d_j · ρ'(a_j^t) · x_i^t                                     (Eq. 6)
    ΔW_ki      += γ · r_k · ρ'(a_k^{t−1}) · x_i^{t−1}                             (Eq. 7)
    ΔW_pred,jk  = ΔW_retro,kj = γ · z_j^t · c_k                                   (Eq. 8)

Plain functions of tensors, no automatic differentiation. Each row of a batch is one fixation;
changes are summed over the rows, so that an average is a matter of η. The paper writes ½ before
the two halves of Eq. 14; like its reference code we leave it out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

LEARNS = True

Retro = Literal["own", "transposed", "none"]
Gate = Literal["shared", "split"]


@dataclass(frozen=True)
class Moment:
    """What a layer's synapses and neurons keep of one fixation: traces of it, in the next.

    x (B, N_in): pre-trace. z (B, N): activity. surrogate (B, N): ρ'(a).
    """

    x: Tensor
    z: Tensor
    surrogate: Tensor


@dataclass(frozen=True)
class Synapses:
    """Weights of a layer: forward (N, N_in), prediction (N_z, N_c), retrodiction (N_c, N_z)."""

    forward: Tensor
    prediction: Tensor
    retrodiction: Tensor


@dataclass(frozen=True)
class Modulation:
    """What the layer broadcasts at one fixation.

    prediction (B, N): d. score (B,): u. loss (B,): Eq. 3. target (B,): γ of Eq. 6 and of W_pred.
    source (B,): γ of Eq. 7 and of W_retro, the same tensor where they share the gate.
    retrodiction (B, N): r, where the gate needed it already.
    """

    prediction: Tensor
    score: Tensor
    loss: Tensor
    target: Tensor
    source: Tensor
    retrodiction: Tensor | None

    @property
    def open(self) -> bool:
        """Whether any synapse of the layer changes at this fixation."""
        return bool(self.target.any()) or bool(self.source.any())


@dataclass(frozen=True)
class Change:
    """A weight change in the only form that is local: ΔW_ji = Σ over rows of post_j · pre_i.

    post (rows, N_target): the post value, which holds the modulator. pre (rows, N_source): trace.
    """

    post: Tensor
    pre: Tensor

    def matrix(self) -> Tensor:
        """ΔW (N_target, N_source)."""
        return self.post.T @ self.pre

    def apply(self, weight: Tensor) -> None:
        """weight += ΔW, in place and without forming ΔW."""
        weight.addmm_(self.post.T, self.pre)


@dataclass(frozen=True)
class Updates:
    """The changes of a layer's three matrices; None where there is no such plasticity."""

    forward: Change
    prediction: Change
    retrodiction: Change | None


def hinge_loss(y: Tensor, score: Tensor, margin: float) -> Tensor:
    """Eq. 3: max(0, margin − y·u), for each row."""
    return torch.relu(margin - y * score)


def modulator(y: Tensor, loss: Tensor, eta: Tensor | float) -> Tensor:
    """γ = y·H with H = η where the loss is positive, else 0."""
    return y * eta * (loss > 0)


def modulate(
    now: Moment,
    before: Moment,
    synapses: Synapses,
    y: Tensor,
    *,
    eta: Tensor | float = 1.0,
    margin: float = 1.0,
    retro: Retro = "own",
    gate: Gate = "shared",
) -> Modulation:
    """Predict, score, and decide what is broadcast.

    y, eta: (B,). `gate="shared"`: one γ from u^z for all updates, the assumption of Eq. 17 and
    what a chip does. `gate="split"`: Eq. 14 as it stands, where the half that trains the source
    has the score u^c = zᵀ W_retroᵀ c and its own gate.
    """
    prediction = before.z @ synapses.prediction.T
    score = (now.z * prediction).sum(-1)
    loss = hinge_loss(y, score, margin)
    target = modulator(y, loss, eta)
    if gate == "shared" or retro != "own":
        return Modulation(prediction, score, loss, target, target, None)
    retrodiction = now.z @ synapses.retrodiction.T
    source_loss = hinge_loss(y, (retrodiction * before.z).sum(-1), margin)
    source = modulator(y, source_loss, eta)
    return Modulation(prediction, score, loss, target, source, retrodiction)


def plasticity(
    now: Moment,
    before: Moment,
    synapses: Synapses,
    broadcast: Modulation,
    *,
    retro: Retro = "own",
) -> Updates:
    """Eq. 6 to 8, all from the weights of before the update, summed over the rows.

    retro: the retrodiction comes from W_retro ("own"), from W_predᵀ ("transposed": exactly the
    gradient of Eq. 3), or Eq. 7 is left out ("none").
    """
    gamma_target, gamma_source = broadcast.target[:, None], broadcast.source[:, None]
    as_target = gamma_target * broadcast.prediction * now.surrogate  # post value of Eq. 6
    prediction = Change(gamma_target * now.z, before.z)  # Eq. 8
    if retro == "none":
        return Updates(Change(as_target, now.x), prediction, None)
    retrodiction = broadcast.retrodiction
    if retrodiction is None:
        backward = synapses.prediction if retro == "transposed" else synapses.retrodiction.T
        retrodiction = now.z @ backward
    as_source = gamma_source * retrodiction * before.surrogate  # post value of Eq. 7
    # the same synapses learn twice, with the trace of this and of the last fixation
    forward = Change(torch.cat([as_target, as_source]), torch.cat([now.x, before.x]))
    return Updates(forward, prediction, Change(before.z, gamma_source * now.z))  # Eq. 8
