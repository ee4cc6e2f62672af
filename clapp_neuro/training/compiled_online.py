"""CLAPP online in dense spiking layers, one compiled call a layer and fixation.

The same arithmetic as `OnlineTrainer` and `rules.clapp`, in another order of summation: rows of the
presynaptic neurons that are active are added up, so that silent neurons cost nothing. A fixation
takes a tenth of the time, which is what full runs of the reference beside the chip need.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numba
import numpy as np
import torch
from torch import Tensor

from clapp_neuro.config import Experiment
from clapp_neuro.data.images import ImageSet
from clapp_neuro.encoders.layers import Answer
from clapp_neuro.encoders.neurons import spike_surrogate
from clapp_neuro.training.online import OnlineTrainer
from clapp_neuro.training.state import check_loss
from clapp_neuro.training.tally import Tally

MATRICES = ("forward", "prediction", "retrodiction")


def is_compiled(experiment: Experiment) -> bool:
    """Whether `CompiledOnlineTrainer` computes what the experiment asks for."""
    encoder, train = experiment.encoder, experiment.train
    layers = (encoder.architecture, encoder.neurons, encoder.library, encoder.input)
    rule = (train.method, train.retrodiction, train.gate, train.context, train.decay)
    return (
        layers == ("dense", "spiking", "snntorch", "current")
        and rule == ("clapp", "own", "shared", "same", 0)
        and (train.predictions, train.skip) == (1, 0)
    )


@dataclass
class Layer:
    """One layer's memory; matrices lie transposed, a row for each presynaptic neuron.

    fired (T, N), z (N,): the spikes and activity of this fixation. before_x, before_z: presynaptic
    and own activity of the one before.
    """

    forward: np.ndarray
    prediction: np.ndarray
    retrodiction: np.ndarray
    fired: np.ndarray
    z: np.ndarray
    before_x: np.ndarray
    before_z: np.ndarray


class CompiledOnlineTrainer(OnlineTrainer):
    """As its parent, for what `is_compiled`. `weights` become views of its transposed matrices."""

    def __init__(
        self,
        experiment: Experiment,
        images: ImageSet,
        weights: dict[str, Tensor],
        resume: Mapping[str, Tensor] | None,
    ) -> None:
        super().__init__(experiment, images, weights, resume)
        self.memory = [self._memory(layer) for layer in self.layers]
        encoder, train = experiment.encoder, experiment.train
        real = self.memory[0].z.dtype.type  # constants of the weights' own type
        self.constants = tuple(
            real(value)
            for value in (encoder.decay, encoder.threshold, train.margin, train.sgd_rate)
        )
        self.subtract = encoder.reset == "subtract"
        self.none = np.zeros((0, 0), self.memory[0].z.dtype)

    def advance(self, step: int, tally: Tally) -> None:
        """See fixation number `step` and learn from it."""
        inputs, label = self._fixation(step)
        x, spikes = inputs[0].numpy(), self.none
        for number, (layer, own) in enumerate(zip(self.layers, self.memory, strict=True)):
            see(own.forward, x, spikes, own.fired, own.z, *self.constants[:2], self.subtract)
            loss, opened = 0.0, False
            if label != 0:
                loss, opened = learn(
                    own.forward,
                    own.prediction,
                    own.retrodiction,
                    x,
                    own.z,
                    own.before_x,
                    own.before_z,
                    label > 0,
                    *self.constants[2:],
                )
                check_loss(loss, layer, step, "sgd_rate", self.experiment.train.sgd_rate)
            tally.add(number, loss, float(opened), float(own.z.mean()))
            own.before_x[:], own.before_z[:] = x, own.z
            x, spikes = own.z, own.fired
        self.seen_any = True

    def state(self) -> dict[str, Tensor]:
        """What each layer keeps of the last fixation."""
        for layer, own in zip(self.layers, self.memory, strict=True):
            if self.seen_any:
                x, z = (torch.tensor(a)[None] for a in (own.before_x, own.before_z))
                self.before[layer] = Answer(x, z, z, spike_surrogate(z))
        return super().state()

    def _memory(self, layer: int) -> Layer:
        matrices = {}
        for role in MATRICES:
            weight = self.own[layer][role]
            matrices[role] = np.ascontiguousarray(weight.numpy().T)
            rows = torch.from_numpy(matrices[role])
            weight.set_(rows.untyped_storage(), 0, weight.shape, (1, rows.shape[1]))
        inputs, neurons = matrices["forward"].shape
        dtype = matrices["forward"].dtype
        before = self.before.get(layer)
        self.seen_any = before is not None
        return Layer(
            **matrices,
            fired=np.zeros((self.experiment.encoder.steps, neurons), dtype),
            z=np.zeros(neurons, dtype),
            before_x=np.zeros(inputs, dtype) if before is None else before.x[0].numpy().copy(),
            before_z=np.zeros(neurons, dtype) if before is None else before.z[0].numpy().copy(),
        )


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Machine code that is kept on disk."""
    return cast(Callable[..., Any], numba.njit(cache=True)(function))


@compiled
def add_rows(out: np.ndarray, rows: np.ndarray, factors: np.ndarray) -> None:
    """out[j] += sum of factors[i] * rows[i, j] over the i that are not 0."""
    for i in range(factors.shape[0]):
        factor = factors[i]
        if factor != 0:
            row = rows[i]
            for j in range(out.shape[0]):
                out[j] += factor * row[j]


@compiled
def see(
    forward: np.ndarray,
    x: np.ndarray,
    spikes: np.ndarray,
    fired: np.ndarray,
    z: np.ndarray,
    decay: np.floating,
    threshold: np.floating,
    subtract: bool,
) -> None:
    """One fixation of LIF neurons (`encoders.neurons`): spikes into `fired`, activity into `z`.

    The current is constant without `spikes` (T, N_in) from below.
    """
    steps, neurons = fired.shape
    drive, membrane = np.zeros_like(z), np.zeros_like(z)
    if spikes.shape[0] == 0:
        add_rows(drive, forward, x)
    z[:] = 0
    for t in range(steps):
        if spikes.shape[0] > 0:
            drive[:] = 0
            add_rows(drive, forward, spikes[t])
        for j in range(neurons):
            spiked = t > 0 and fired[t - 1, j] != 0
            v = membrane[j]
            if spiked and not subtract:
                v = v * 0
            v = v * decay + drive[j]
            if spiked and subtract:
                v -= threshold
            membrane[j] = v
            fires = v > threshold
            fired[t, j] = fires
            z[j] += fires
    z /= z.dtype.type(steps)


@compiled
def learn(
    forward: np.ndarray,
    prediction: np.ndarray,
    retrodiction: np.ndarray,
    x: np.ndarray,
    z: np.ndarray,
    before_x: np.ndarray,
    c: np.ndarray,
    stays: bool,
    margin: np.floating,
    rate: np.floating,
) -> tuple[Any, bool]:
    """Eq. 3 and, where its gate is open, 6 to 8: (loss, whether it was open).

    All updates are from the weights of before.
    """
    d = np.zeros_like(z)
    add_rows(d, prediction, c)
    u = d[0] * 0
    for j in range(z.shape[0]):
        u += z[j] * d[j]
    y = rate if stays else -rate
    loss = margin - u if stays else margin + u
    if not loss > 0:  # not a number: for the caller to find
        return (loss if np.isnan(loss) else loss * 0), False
    r = np.zeros_like(c)
    add_rows(r, retrodiction, z)
    zero = z.dtype.type(0)
    for j in range(z.shape[0]):
        d[j] = y * d[j] if 0 < z[j] < 1 else zero
        r[j] = y * r[j] if 0 < c[j] < 1 else zero
    for i in range(x.shape[0]):
        now, then, row = x[i], before_x[i], forward[i]
        if now != 0 or then != 0:
            for j in range(row.shape[0]):
                row[j] += now * d[j] + then * r[j]
    for k in range(c.shape[0]):
        if c[k] != 0:
            factor, row = y * c[k], prediction[k]
            for j in range(row.shape[0]):
                row[j] += factor * z[j]
    for j in range(z.shape[0]):
        if z[j] != 0:
            factor, row = y * z[j], retrodiction[j]
            for k in range(row.shape[0]):
                row[k] += factor * c[k]
    return loss, True
