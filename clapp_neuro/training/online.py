"""Online training: one fixation after another, plain gradient steps. The chip's mode."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from clapp_neuro.config import Experiment
from clapp_neuro.data.fixations import fixation_stream
from clapp_neuro.data.images import ImageSet
from clapp_neuro.data.patches import fixated_inputs
from clapp_neuro.encoders.neurons import lif_one_fixation, rate_surrogate, spike_surrogate
from clapp_neuro.rules import clapp
from clapp_neuro.training.state import check_loss, resume_tensor, synapses_of
from clapp_neuro.training.tally import Tally

BLOCK = 1024
"""Fixations whose inputs are prepared at once. The stream is random-access: any number will do."""


class OnlineTrainer:
    """One step = one fixation of the agent's gaze. `weights` are changed in place.

    A weight that was updated at one fixation is used from the next on, W_pred included. Where the
    gate is closed nothing but the score is computed.
    """

    def __init__(
        self,
        experiment: Experiment,
        images: ImageSet,
        weights: dict[str, Tensor],
        resume: Mapping[str, Tensor] | None,
    ) -> None:
        self.experiment = experiment
        self.images = images.learning_images
        self.layers = [
            synapses_of(weights, number) for number in range(1, len(experiment.encoder.layers) + 1)
        ]
        self.spikes = [
            torch.zeros(experiment.encoder.steps, size) for size in experiment.encoder.layers
        ]
        self.before = [_nothing(layer) for layer in self.layers]
        if resume is not None:
            self.before = [
                _restored(resume, number, empty) for number, empty in enumerate(self.before, 1)
            ]
        self.block = -1
        self.signs = torch.tensor([[-1.0], [0.0], [1.0]])

    def advance(self, step: int, tally: Tally) -> None:
        """See fixation number `step` and learn from it."""
        train = self.experiment.train
        inputs, label = self._fixation(step)
        y = self.signs[label + 1]
        for number, now in enumerate(self._see(inputs)):
            before, self.before[number] = self.before[number], now
            rate = now.z.mean().item()
            if label == 0:
                tally.add(number, 0.0, 0.0, rate)
                continue
            synapses = self.layers[number]
            broadcast = clapp.modulate(
                now, before, synapses, y,
                eta=train.sgd_rate, margin=train.margin, retro=train.retro, gate=train.gate,
            )  # fmt: skip
            loss = broadcast.loss.item()
            check_loss(loss, number + 1, step, "sgd_rate", train.sgd_rate)
            changed = broadcast.open
            if changed:
                updates = clapp.plasticity(now, before, synapses, broadcast, retro=train.retro)
                _apply(synapses, updates)
            tally.add(number, loss, float(changed), rate)

    def state(self) -> dict[str, Tensor]:
        """What each layer keeps of the last fixation."""
        stored: dict[str, Tensor] = {}
        for number, moment in enumerate(self.before, 1):
            stored[f"before.layer{number}.x"] = moment.x
            stored[f"before.layer{number}.z"] = moment.z
            stored[f"before.layer{number}.surrogate"] = moment.surrogate
        return stored

    def _fixation(self, step: int) -> tuple[Tensor, int]:
        """The inputs (1, inputs) and the label y of a fixation."""
        block, place = divmod(step, BLOCK)
        if block != self.block:
            config = self.experiment.data
            seed = self.experiment.train.seed
            stream = fixation_stream(
                len(self.images), config.positions, BLOCK, seed, start=block * BLOCK
            )
            self.inputs = torch.from_numpy(fixated_inputs(self.images, stream, config))
            self.labels = stream.label.tolist()
            self.block = block
        return self.inputs[place : place + 1], self.labels[place]

    def _see(self, inputs: Tensor) -> list[clapp.Moment]:
        """The activity of all layers, as `encoders.dense.forward` computes it for a batch."""
        encoder = self.experiment.encoder
        source = inputs
        moments: list[clapp.Moment] = []
        for number, (layer, spikes) in enumerate(zip(self.layers, self.spikes, strict=True)):
            if encoder.neurons == "rate":
                a = source @ layer.forward.T
                z, surrogate = torch.relu(a), rate_surrogate(a)
            else:
                if number == 0:
                    current = torch.mv(layer.forward, source[0])
                else:
                    current = self.spikes[number - 1] @ layer.forward.T
                z = lif_one_fixation(current, encoder, spikes)[None]
                surrogate = spike_surrogate(z)
            moments.append(clapp.Moment(source, z, surrogate))
            source = z
        return moments


def _apply(synapses: clapp.Synapses, updates: clapp.Updates) -> None:
    updates.forward.apply(synapses.forward)
    updates.prediction.apply(synapses.prediction)
    if updates.retrodiction is not None:
        updates.retrodiction.apply(synapses.retrodiction)


def _nothing(synapses: clapp.Synapses) -> clapp.Moment:
    size, inputs = synapses.forward.shape
    return clapp.Moment(torch.zeros(1, inputs), torch.zeros(1, size), torch.zeros(1, size))


def _restored(resume: Mapping[str, Tensor], number: int, empty: clapp.Moment) -> clapp.Moment:
    return clapp.Moment(
        x=resume_tensor(resume, f"before.layer{number}.x", empty.x),
        z=resume_tensor(resume, f"before.layer{number}.z", empty.z),
        surrogate=resume_tensor(resume, f"before.layer{number}.surrogate", empty.surrogate),
    )
