"""CLAPP online in spiking layers, dense or convolutional, one compiled call a layer and fixation.

The same arithmetic as `OnlineTrainer` and `rules.clapp`, in another order of summation
(`compiled_fixation`). A fixation takes a tenth of the time, which is what full runs of the
reference beside the chip need. `compiled_traces` adds traces of spikes to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from clapp_neuro.config import Experiment
from clapp_neuro.data.images import ImageSet
from clapp_neuro.encoders.layers import POOL, Answer, few_bytes
from clapp_neuro.encoders.neurons import spike_surrogate
from clapp_neuro.training.compiled_fixation import Known, Matrices, Seen, Spikes, learn, see
from clapp_neuro.training.online import OnlineTrainer
from clapp_neuro.training.state import check_loss
from clapp_neuro.training.tally import Tally


def is_compiled(experiment: Experiment) -> bool:
    """Whether `CompiledOnlineTrainer`, or `CompiledTraceTrainer`, computes what is asked for."""
    encoder, train = experiment.encoder, experiment.train
    without_bias = encoder.architecture == "conv" and not encoder.bias
    layers = (encoder.neurons, encoder.library)
    rule = (train.method, train.gate, train.context, train.decay)
    return (
        (encoder.architecture == "dense" or without_bias)
        and layers == ("spiking", "snntorch")
        and rule == ("clapp", "shared", "same", 0)
        and train.retrodiction in ("own", "none")
        and (train.predictions, train.skip) == (1, 0)
    )


@dataclass
class Layer:
    """One layer's memory: of this fixation, and of the one before, which take turns.

    pooled: whether 2x2 neighbours are one.
    """

    weights: Matrices
    spikes: Spikes
    now: Seen
    before: Seen
    pooled: bool


class CompiledOnlineTrainer(OnlineTrainer):
    """As its parent, for what `is_compiled`. `weights` become views of its own matrices."""

    def __init__(
        self,
        experiment: Experiment,
        images: ImageSet,
        weights: dict[str, Tensor],
        resume: Mapping[str, Tensor] | None,
    ) -> None:
        super().__init__(experiment, images, weights, resume)
        encoder, train = experiment.encoder, experiment.train
        self.dense = encoder.architecture == "dense"
        self.memory: list[Layer] = []
        side = 1 if self.dense else experiment.data.patch
        for layer in self.layers:
            self.memory.append(self._memory(layer, side))
            side = self.memory[-1].now.map.shape[0]
        real = self.memory[0].now.z.dtype.type  # constants of the weights' own type
        self.constants = tuple(
            real(value)
            for value in (encoder.decay, encoder.threshold, train.margin, train.sgd_rate)
        )
        self.subtract = encoder.reset == "subtract"

    @property
    def z(self) -> list[np.ndarray]:
        """Activity (N,) of each layer in the last fixation."""
        return [own.before.z for own in self.memory]

    def advance(self, step: int, tally: Tally) -> None:
        """See fixation number `step` and learn from it."""
        inputs, label = self._fixation(step)
        x = _inside(inputs)
        spikes = self._arriving(step, x)
        for number, (layer, own) in enumerate(zip(self.layers, self.memory, strict=True)):
            own.now.x[:] = x
            see(
                own.weights.forward, spikes, own.spikes, own.now, *self.constants[:2], self.subtract
            )
            known = self._known(number, own)
            loss, opened = 0.0, False
            if label != 0:
                seen = own.now, own.before, known
                loss, opened = learn(own.weights, *seen, label > 0, *self.constants[2:])
                check_loss(loss, layer, step, "sgd_rate", self.experiment.train.sgd_rate)
            tally.add(number, loss, float(opened), float(own.now.z.mean()))
            own.now, own.before = own.before, own.now
            x, spikes = own.before.map, own.spikes.heard
        self.seen_any = True

    def state(self) -> dict[str, Tensor]:
        """What each layer keeps of the last fixation."""
        for layer, own in zip(self.layers, self.memory, strict=True):
            if self.seen_any:
                self.before[layer] = self._answer(own)
        return super().state()

    def _arriving(self, step: int, x: np.ndarray) -> np.ndarray:
        """The spikes (T, H, W, C) that drive the first layer; of no steps for a current from x."""
        return np.zeros((0, *x.shape), x.dtype)

    def _known(self, number: int, own: Layer) -> Known:
        """What the synapses of the layer with this index know of this fixation and the last."""
        return Known(own.now.x, own.before.x, own.now.z, own.before.z)

    def _memory(self, layer: int, side: int) -> Layer:
        """Memory of a layer whose map has this side before pooling, its last fixation restored."""
        encoder = self.experiment.encoder
        forward, prediction = (
            _own_rows(self.own[layer][role]) for role in ("forward", "prediction")
        )
        retrodiction = np.zeros((0, 0), forward.dtype)
        if self.experiment.train.retrodiction == "own":
            retrodiction = _own_rows(self.own[layer]["retrodiction"])
        if self.dense:
            forward = forward[:, None, None]
        dtype, inputs, neurons = forward.dtype, forward.shape[0], forward.shape[-1]
        pooled = layer in encoder.pool
        left = side // POOL if pooled else side
        places = np.zeros(left**2, np.int64) if pooled else np.arange(left**2)
        now, before = (
            Seen(
                x=np.zeros((side, side, inputs), dtype),
                map=np.zeros((left, left, neurons), dtype),
                winners=np.repeat(places, neurons).reshape(left, left, neurons),
                z=np.zeros(neurons, dtype),
            )
            for _ in range(2)
        )
        kept = self.before.get(layer)
        self.seen_any = kept is not None
        if kept is not None:
            before.x[:], before.map[:], before.z[:] = _inside(kept.x), _inside(kept.map), kept.z[0]
            if kept.winners is not None:
                before.winners[:] = _inside(kept.winners)
        spikes = Spikes(*(np.zeros((encoder.steps, s, s, neurons), dtype) for s in (side, left)))
        return Layer(Matrices(forward, prediction, retrodiction), spikes, now, before, pooled)

    def _answer(self, own: Layer) -> Answer:
        """What is kept of the last fixation, as other trainers keep it."""
        x, out, winners = (
            torch.tensor(part.transpose(2, 0, 1)[None])
            for part in (own.before.x, own.before.map, own.before.winners)
        )
        if self.dense:
            x, out = x.flatten(1), out.flatten(1)
        z = torch.tensor(own.before.z)[None]
        kept = few_bytes(winners, x) if own.pooled else None
        return Answer(x, out, z, spike_surrogate(out), kept)


def _own_rows(weight: Tensor) -> np.ndarray:
    """A copy with a row for each presynaptic neuron, of which `weight` becomes a view.

    (N, C) becomes (C, N), and kernels (N, C, k, k) become (C, k, k, N).
    """
    rows = weight.movedim(0, -1).contiguous()
    view = rows.movedim(-1, 0)
    weight.set_(rows.untyped_storage(), 0, view.shape, view.stride())
    return rows.numpy()


def _inside(maps: Tensor) -> np.ndarray:
    """A single map (1, N, h, w), or the activity (1, N) of a dense layer, as (h, w, N)."""
    array = maps[0].numpy()
    return array[None, None] if array.ndim == 1 else array.transpose(1, 2, 0)
