"""Learning by prediction: what CLAPP, CLAPP-s, CPC and GIM share (paper, Eq. 6 to 8, 10 to 12).

A context c predicts M activities z^τ of the same layer: one in CLAPP, the true one and 16 wrong
ones in the others.

    d    = W_pred c                      dendritic prediction
    u_τ  = z^τᵀ d                        score of each
    γ_τ  = −∂L/∂u_τ                      modulator: all in which the methods differ

    dendrite of z^τ   γ_τ · d                                              (Eq. 6, 11)
    dendrite of c     W_retro Σ_τ γ_τ z^τ                                  (Eq. 7, 12)
    ΔW_pred,jk = ΔW_retro,kj = Σ_τ γ_τ · z_j^τ · c_k                       (Eq. 8, 10)

Plain functions of tensors, no automatic differentiation. The R rows of a batch are comparisons.
The paper writes ½ before the two halves of Eq. 14; like its reference code we leave it out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from clapp_neuro.encoders.shapes import Size
from clapp_neuro.rules.registry import Retro
from clapp_neuro.rules.seen import Seen, Shape, Signal

Modulator = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Scores u (R, M) → loss of each comparison, and γ (R, M)."""


@dataclass(frozen=True)
class Dendrites:
    """Weights onto the dendrites: prediction (N_z, N_c), retrodiction (N_c, N_z)."""

    prediction: Tensor
    retrodiction: Tensor


@dataclass(frozen=True)
class Modulation:
    """What the layer broadcasts.

    prediction (R, N): d. score (R, M): u. loss: of each comparison. target (R, M): γ of Eq. 6 and
    of W_pred. source (R, M): γ of Eq. 7 and of W_retro, the same tensor where they share the gate.
    """

    prediction: Tensor
    score: Tensor
    loss: Tensor
    target: Tensor
    source: Tensor

    @property
    def open(self) -> bool:
        """Whether any synapse of the layer changes."""
        return bool(self.target.any()) or bool(self.source.any())


@dataclass(frozen=True)
class Updates:
    """What follows from it.

    target (R, M, N), source (R, N_c): dendritic signals. prediction (N_z, N_c), retrodiction
    (N_c, N_z): ΔW. None where there is no such plasticity.
    """

    target: Tensor
    source: Tensor | None
    prediction: Tensor
    retrodiction: Tensor | None


def modulate(
    z: Tensor,
    c: Tensor,
    weights: Dendrites,
    modulator: Modulator,
    *,
    retro: Retro = "own",
    gate: str = "shared",
) -> Modulation:
    """Predict z (R, M, N) from c (R, N_c), score, and decide what is broadcast.

    `gate="shared"`: one γ from u^z for all updates, the assumption of Eq. 17 and what a chip does.
    `gate="split"`: Eq. 14 as it stands, where the half that trains the source has the score
    u^c = zᵀ W_retroᵀ c and its own gate.
    """
    prediction = c @ weights.prediction.T
    score = (z * prediction[:, None]).sum(-1)
    loss, target = modulator(score)
    if gate == "shared" or retro != "own":
        return Modulation(prediction, score, loss, target, target)
    backward = c @ weights.retrodiction
    _, source = modulator((z * backward[:, None]).sum(-1))
    return Modulation(prediction, score, loss, target, source)


def plasticity(
    z: Tensor,
    c: Tensor,
    weights: Dendrites,
    broadcast: Modulation,
    *,
    retro: Retro = "own",
    heard: tuple[Tensor, Tensor] | None = None,
) -> Updates:
    """Eq. 6 to 8, all from the weights of before the update, ΔW summed over the rows.

    retro: the retrodiction comes from W_retro ("own"), from W_predᵀ ("transposed": exactly the
    gradient of the loss), or Eq. 7 is left out ("none"). heard: what the synapses know of z and c
    as presynaptic activity, of the same shapes; None: z and c themselves.
    """
    pre_z, pre_c = heard or (z, c)
    target = broadcast.target[..., None] * broadcast.prediction[:, None]
    surprise = (broadcast.target[..., None] * z).sum(1)
    prediction = surprise.T @ pre_c
    if retro == "none":
        return Updates(target, None, prediction, None)
    if retro == "transposed":
        return Updates(target, surprise @ weights.prediction, prediction, prediction.T)
    if broadcast.source is not broadcast.target:
        surprise = (broadcast.source[..., None] * z).sum(1)
    learned = surprise if pre_z is z else (broadcast.source[..., None] * pre_z).sum(1)
    return Updates(target, surprise @ weights.retrodiction.T, prediction, c.T @ learned)


def role(name: str, step: int) -> str:
    """Name of the matrix of a prediction step, which counts from 1."""
    return name if step == 1 else f"{name}.{step}"


def matrices(size: Size) -> dict[str, Shape]:
    """One W_pred and one W_retro for each distance and direction."""
    shapes: dict[str, Shape] = {}
    for step in range(1, size.predictions + 1):
        shapes[role("prediction", step)] = (size.neurons, size.context)
        shapes[role("retrodiction", step)] = (size.context, size.neurons)
    return shapes


@dataclass(frozen=True)
class Comparisons:
    """Which fixations are compared: row r predicts `target[r]` from `source[r]`.

    source (R,), target (R, M): indices of patches among the B·P of the minibatch.
    """

    source: Tensor
    target: Tensor


def learn(
    seen: Seen, steps: list[tuple[Comparisons, Modulator]], active: Callable[[Tensor], Tensor]
) -> Signal:
    """The signal of a layer from the comparisons of all its prediction steps, averaged.

    active(γ): what fraction of the comparisons changes weights.
    """
    train = seen.train
    retro = train.retrodiction
    z, c = seen.z.flatten(0, 1), seen.context.flatten(0, 1)
    traces = None if seen.traces is None else seen.traces.flatten(0, 1)
    dendrite, source = torch.zeros_like(z), torch.zeros_like(c)
    losses, gates, changes = [], [], {}
    for number, (compared, modulator) in enumerate(steps, 1):
        names = role("prediction", number), role("retrodiction", number)
        weights = Dendrites(seen.weights[names[0]], seen.weights[names[1]])
        now, before = z[compared.target], c[compared.source]
        broadcast = modulate(now, before, weights, modulator, retro=retro, gate=train.gate)
        losses.append(broadcast.loss.mean())
        gates.append(active(broadcast.target))
        if len(before) == 1 and not broadcast.open:
            continue  # online, where nothing is to be computed as soon as a gate is closed
        heard = None if traces is None else (traces[compared.target], traces[compared.source])
        updates = plasticity(now, before, weights, broadcast, retro=retro, heard=heard)
        dendrite.index_add_(0, compared.target.flatten(), updates.target.flatten(0, 1))
        if updates.source is not None:
            source.index_add_(0, compared.source, updates.source)
        changes[names[0]] = updates.prediction
        if updates.retrodiction is not None:
            changes[names[1]] = updates.retrodiction
    if len(steps) > 1:
        dendrite, source = dendrite / len(steps), source / len(steps)
        changes = {name: change / len(steps) for name, change in changes.items()}
    return Signal(
        loss=_mean(losses),
        gate=_mean(gates),
        dendrite=dendrite.view_as(seen.z),
        source=None if retro == "none" else source.view_as(seen.context),
        changes=changes,
    )


def patches(images: Tensor, places: Tensor, positions: int) -> Tensor:
    """Indices (B·S,) of these places (S,) in these images (B,), each of so many positions."""
    return (images[:, None] * positions + places).flatten()


def _mean(values: list[Tensor]) -> Tensor:
    return values[0] if len(values) == 1 else torch.stack(values).mean()
