"""What a learning rule sees of a layer, and what it answers: the one interface of all methods.

A rule never touches the synapses of the forward pass. It says how much each neuron's activity
should have been larger, its *dendritic signal*, and the layer below multiplies that with ρ'(a)
and with the presynaptic activity x (paper, Eq. 1: modulator × dendrite × post × pre):

    ΔW_ji = Σ_patches dendrite_j · ρ'(a_j) · x_i

In a module of several layers the same signal is back-propagated inside the module instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from clapp_neuro.config import TrainConfig
    from clapp_neuro.encoders.layers import Answer
    from clapp_neuro.encoders.shapes import Size

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)  # hashed as itself: what follows from it is computed once
class Draw:
    """What chance decided about a minibatch of B images, for all layers alike.

    y (B,): +1 the gaze stays, −1 a saccade lies between context and prediction. origin (B,): the
    image that each context comes from. pairs: for each prediction step the positions (S,) of the
    contexts and (S,) of what they predict. negatives(layer): the layer's own random numbers.
    """

    y: Tensor
    origin: Tensor
    pairs: Sequence[tuple[Tensor, Tensor]]
    negatives: Callable[[int], np.random.Generator]


@dataclass(frozen=True)
class Seen:
    """A layer, or the top of a module, in one minibatch.

    level, levels: which of how many layers, from 1. z (B, P, N): activity of each patch.
    context (B, P, N_c): activity that predicts, z itself unless `train.context` says otherwise.
    weights, top: the rule's own matrices of this layer and of the topmost one, by role.
    labels (B,): classes, where given. traces (B, P, N): what the synapses that begin at these
    neurons know of z, where that is not z itself.
    """

    level: int
    levels: int
    z: Tensor
    context: Tensor
    weights: Mapping[str, Tensor]
    top: Mapping[str, Tensor]
    draw: Draw
    labels: Tensor | None
    train: TrainConfig
    traces: Tensor | None = None


@dataclass(frozen=True)
class Signal:
    """What a rule answers.

    loss, gate: the layer's loss and the fraction of comparisons that change weights, both ().
    dendrite (B, P, N): dendritic signal, minus the loss' gradient where there is one.
    source (B, P, N_c): the same for the layer of the context, None where there is none.
    changes: ΔW of the rule's own matrices, by role. states: new values of its running averages.
    """

    loss: Tensor
    gate: Tensor
    dendrite: Tensor
    source: Tensor | None = None
    changes: Mapping[str, Tensor] = field(default_factory=dict)
    states: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Moment:
    """One time step of a layer's synapses, for rules that learn from spike times.

    pre (N_in,), post (N,): the spikes that they meet in this step. weights: as in `Seen`.
    """

    pre: Tensor
    post: Tensor
    weights: Mapping[str, Tensor]
    train: TrainConfig


@dataclass(frozen=True)
class Pairs:
    """What a rule answers to a moment.

    pairs: vectors (N,) and (N_in,) whose outer products add up to ΔW/A₊, or to the change of the
    eligibility where the rule has a matrix of that name. states: new values of its traces.
    """

    pairs: Sequence[tuple[Tensor, Tensor]]
    states: Mapping[str, Tensor]


@dataclass(frozen=True)
class Rule:
    """A learning rule: what it adds to a layer, and its functions.

    learns: False for the untrained network. sees: `layer` where a layer learns from what itself
    or the layer named by `context` does, so that nothing else is kept; `network` where it needs
    the maps of all layers at once. moment: where it learns at every time step instead, from spikes.
    matrices: shapes of its own matrices of a layer, by role.
    fixed, states: those of them that no gradient step changes. weight_decay: unless the
    experiment says otherwise.
    """

    matrices: Callable[[Size], Mapping[str, Shape]] = lambda size: {}
    signal: Callable[[Seen], Signal] | None = None
    relax: Callable[[Sequence[Answer], Sequence[Mapping[str, Tensor]]], list[Signal]] | None = None
    moment: Callable[[Moment], Pairs] | None = None
    learns: bool = True
    sees: Literal["layer", "network"] = "layer"
    context: Literal["top"] | None = None
    fixed: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    weight_decay: float = 0.0
