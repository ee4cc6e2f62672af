"""CLAPP online in dense spiking layers, one compiled call a layer and fixation.

The same arithmetic as `OnlineTrainer` and `rules.clapp`, in another order of summation: rows of the
presynaptic neurons that are active are added up, so that silent neurons cost nothing. A fixation
takes a tenth of the time, which is what full runs of the reference beside the chip need.
`compiled_traces` adds traces of spikes to it.
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
    """Whether `CompiledOnlineTrainer`, or `CompiledTraceTrainer`, computes what is asked for."""
    encoder, train = experiment.encoder, experiment.train
    layers = (encoder.architecture, encoder.neurons, encoder.library)
    rule = (train.method, train.gate, train.context, train.decay)
    return (
        layers == ("dense", "spiking", "snntorch")
        and rule == ("clapp", "shared", "same", 0)
        and train.retrodiction in ("own", "none")
        and (train.predictions, train.skip) == (1, 0)
    )


@dataclass
class Layer:
    """One layer's matrices, transposed: a row for each presynaptic neuron; and who spiked, (T, N).

    Where Eq. 7 is left out retrodiction is (0, 0).
    """

    forward: np.ndarray
    prediction: np.ndarray
    retrodiction: np.ndarray
    fired: np.ndarray


class CompiledOnlineTrainer(OnlineTrainer):
    """As its parent, for what `is_compiled`. `weights` become views of its transposed matrices.

    now, then: activities (N,) of the input and of each layer, of this fixation and of the last.
    """

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
        self.real = self.memory[0].forward.dtype.type  # the type of the weights
        sizes = (experiment.data.inputs, *encoder.layers)
        self.now = [np.zeros(size, self.real) for size in sizes]
        self.then = [np.zeros(size, self.real) for size in sizes]
        self.seen_any = bool(self.before)
        for layer, seen in self.before.items():
            self.then[layer - 1][:], self.then[layer][:] = seen.x[0], seen.z[0]
        self.constants = tuple(
            self.real(value)
            for value in (encoder.decay, encoder.threshold, train.margin, train.sgd_rate)
        )
        self.subtract = encoder.reset == "subtract"

    def advance(self, step: int, tally: Tally) -> None:
        """See fixation number `step` and learn from it."""
        inputs, label = self._fixation(step)
        self.now[0][:] = inputs[0]
        spikes = self._input_spikes(step)
        below = self._known(0, spikes)
        for layer, own in zip(self.layers, self.memory, strict=True):
            z, c = self.now[layer], self.then[layer]
            x = self.now[layer - 1]
            see(own.forward, x, spikes, own.fired, z, *self.constants[:2], self.subtract)
            spikes = own.fired
            known = self._known(layer, spikes)
            loss, opened = 0.0, False
            if label != 0:
                matrices = own.forward, own.prediction, own.retrodiction
                loss, opened = learn(*matrices, below, z, c, known, label > 0, *self.constants[2:])
                check_loss(loss, layer, step, "sgd_rate", self.experiment.train.sgd_rate)
            tally.add(layer - 1, loss, float(opened), float(z.mean()))
            below = known
        self.now, self.then = self.then, self.now
        self.seen_any = True

    def state(self) -> dict[str, Tensor]:
        """What each layer keeps of the last fixation."""
        for layer in self.layers if self.seen_any else ():
            x, z = (torch.tensor(self.then[level])[None] for level in (layer - 1, layer))
            self.before[layer] = Answer(x, z, z, spike_surrogate(z))
        return super().state()

    def _input_spikes(self, step: int) -> np.ndarray:
        """The spikes (T, inputs) that drive the first layer; (0, 0) for a constant current."""
        return np.zeros((0, 0), self.real)

    def _known(self, level: int, spikes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What synapses know of a layer (0: the input) as presynaptic: of this fixation, the last.

        spikes (T, N): those of this fixation.
        """
        return self.now[level], self.then[level]

    def _memory(self, layer: int) -> Layer:
        matrices: dict[str, np.ndarray] = {}
        for role in MATRICES:
            if role == "retrodiction" and self.experiment.train.retrodiction == "none":
                matrices[role] = np.zeros((0, 0), matrices["forward"].dtype)
                continue
            weight = self.own[layer][role]
            matrices[role] = np.ascontiguousarray(weight.numpy().T)
            rows = torch.from_numpy(matrices[role])
            weight.set_(rows.untyped_storage(), 0, weight.shape, (1, rows.shape[1]))
        shape = self.experiment.encoder.steps, matrices["forward"].shape[1]
        return Layer(**matrices, fired=np.zeros(shape, matrices["forward"].dtype))


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
    below: tuple[np.ndarray, np.ndarray],
    z: np.ndarray,
    c: np.ndarray,
    known: tuple[np.ndarray, np.ndarray],
    stays: bool,
    margin: np.floating,
    rate: np.floating,
) -> tuple[Any, bool]:
    """Eq. 3 and, where its gate is open, 6 to 8: (loss, whether it was open).

    All updates are from the weights of before. below, known: what synapses know of the layer
    below, and of this one, as presynaptic activity: of this fixation and of the last.
    """
    d, r = np.zeros_like(z), np.zeros_like(c)
    add_rows(d, prediction, c)
    u = d[0] * 0
    for j in range(z.shape[0]):
        u += z[j] * d[j]
    y = rate if stays else -rate
    loss = margin - u if stays else margin + u
    if not loss > 0:  # not a number: for the caller to find
        return (loss if np.isnan(loss) else loss * 0), False
    if retrodiction.shape[0] > 0:
        add_rows(r, retrodiction, z)
    zero = z.dtype.type(0)
    for j in range(z.shape[0]):
        d[j] = y * d[j] if 0 < z[j] < 1 else zero
        r[j] = y * r[j] if 0 < c[j] < 1 else zero
    x, before_x = below
    for i in range(x.shape[0]):
        now, then, row = x[i], before_x[i], forward[i]
        if now != 0 or then != 0:
            for j in range(row.shape[0]):
                row[j] += now * d[j] + then * r[j]
    add_outer(prediction, y, known[1], z)
    add_outer(retrodiction, y, known[0][: retrodiction.shape[0]], c)
    return loss, True


@compiled
def add_outer(rows: np.ndarray, y: np.floating, pre: np.ndarray, post: np.ndarray) -> None:
    """rows[i, j] += y * pre[i] * post[j]."""
    for i in range(pre.shape[0]):
        if pre[i] != 0:
            factor, row = y * pre[i], rows[i]
            for j in range(row.shape[0]):
                row[j] += factor * post[j]
