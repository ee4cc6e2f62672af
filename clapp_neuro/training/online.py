"""Online training: one fixation after another, plain gradient steps. The chip's mode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from clapp_neuro.config import Experiment
from clapp_neuro.data.fixations import fixation_stream
from clapp_neuro.data.images import ImageSet
from clapp_neuro.data.patches import fixated_inputs
from clapp_neuro.encoders.activity import as_maps
from clapp_neuro.encoders.layers import Answer, answer, changes, current
from clapp_neuro.encoders.neurons import input_spikes, lif_one_fixation, spike_surrogate
from clapp_neuro.encoders.shapes import modules_of
from clapp_neuro.randomness import Purpose, keyed_generator
from clapp_neuro.rules.registry import find_rule
from clapp_neuro.rules.seen import Draw, Seen, Signal
from clapp_neuro.training.state import check_loss, resume_tensor, tensors_of
from clapp_neuro.training.tally import Tally

BLOCK = 1024
"""Fixations whose inputs are prepared at once. The stream is random-access: any number will do."""

KEPT = ("x", "map", "z", "surrogate", "winners")
"""What synapses and neurons keep of one fixation: traces of it, in the next."""


class OnlineTrainer:
    """One step = one fixation of the agent's gaze. `weights` are changed in place.

    A weight that was updated at one fixation is used from the next on, W_pred included. To a rule
    a fixation and the one before are an image of two patches. Where the gate is closed nothing
    but the score is computed.
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
        self.weights = weights
        self.rule = find_rule(experiment.train.method)
        self.layers = [part[0] for part in modules_of(experiment)]
        self.own = {layer: tensors_of(weights, layer) for layer in self.layers}
        self.decay = experiment.train.decay
        self.block = -1
        self.dtype = next(iter(weights.values())).dtype
        self.draws = {y: _draw(y, experiment, self.dtype) for y in (-1, 1)}
        self.before: dict[int, Answer] = {}
        if resume is not None:
            self.before = self._restored(resume)

    def advance(self, step: int, tally: Tally) -> None:
        """See fixation number `step` and learn from it."""
        inputs, label = self._fixation(step)
        answers = self._see(inputs)
        self._remember(inputs, answers)
        for number, (layer, now) in enumerate(answers):
            before, self.before[layer] = self.before.get(layer), now
            rate = now.z.mean().item()
            if label == 0 or before is None:
                tally.add(number, 0.0, 0.0, rate)
                continue
            said = self._signal(layer, before, now, label)
            loss, gate = said.loss.item(), said.gate.item()
            check_loss(loss, layer, step, "sgd_rate", self.experiment.train.sgd_rate)
            if said.changes or gate > 0:
                self._change(layer, before, now, said)
            tally.add(number, loss, gate, rate)

    def state(self) -> dict[str, Tensor]:
        """What each layer keeps of the last fixation."""
        stored: dict[str, Tensor] = {}
        for layer, seen in self.before.items():
            for name in KEPT:
                value = getattr(seen, name)
                if value is not None:
                    stored[f"before.layer{layer}.{name}"] = value
        return stored

    def _restored(self, resume: Mapping[str, Tensor]) -> dict[int, Answer]:
        """The last fixation's answers; InputError where one is missing or misshapen."""
        inputs, _ = self._fixation(0)  # the answers to any fixation have the shapes
        restored = {}
        for layer, like in self._see(inputs):
            kept: dict[str, Any] = {
                name: resume_tensor(resume, f"before.layer{layer}.{name}", getattr(like, name))
                for name in KEPT
                if getattr(like, name) is not None
            }
            restored[layer] = replace(like, **kept, spikes=None)
        return restored

    def _fixation(self, step: int) -> tuple[Tensor, int]:
        """The inputs (1, inputs) or (1, C, patch, patch) and the label y of a fixation."""
        block, place = divmod(step, BLOCK)
        config = self.experiment.data
        if block != self.block:
            seed = self.experiment.train.seed
            stream = fixation_stream(
                len(self.images), config.positions, BLOCK, seed, start=block * BLOCK
            )
            inputs = torch.from_numpy(fixated_inputs(self.images, stream, config)).to(self.dtype)
            self.inputs, self.labels = as_maps(inputs, self.experiment), stream.label.tolist()
            self.seen = stream.image
            self.block = block
        return self.inputs[place : place + 1], self.labels[place]

    def _see(self, inputs: Tensor) -> list[tuple[int, Answer]]:
        """The answers of all layers, each before the one below it has changed."""
        encoder = self.experiment.encoder
        spiking = encoder.input == "spikes"
        x, spikes = inputs, input_spikes(inputs, encoder.steps) if spiking else None
        seen = []
        for layer in self.layers:
            if encoder.architecture == "dense" and encoder.neurons == "spiking":
                now = self._one_fixation(layer, x, spikes)
            else:
                now = answer(layer, self.weights, x, spikes, encoder)
            x, spikes = now.map, now.spikes
            seen.append((layer, now))
        return seen

    def _one_fixation(self, layer: int, x: Tensor, spikes: Tensor | None) -> Answer:
        """`answer` for a dense spiking layer and one sample: the same to the bit, faster."""
        encoder = self.experiment.encoder
        weight = self.weights[f"layer{layer}.forward"]
        driven = torch.mv(weight, x[0]) if spikes is None else current(spikes[:, 0], weight, None)
        fired = torch.empty(encoder.steps, len(weight), dtype=self.dtype)
        z = lif_one_fixation(driven, encoder, fired)[None]
        return Answer(x, z, z, spike_surrogate(z), spikes=fired[:, None])

    def _remember(self, inputs: Tensor, answers: list[tuple[int, Answer]]) -> None:
        """What synapses remember of a fixation besides its counts: nothing."""

    def _traces(self, layer: int) -> Tensor | None:
        """What synapses that begin at a layer (0: the input) know of it, (1, 2, N): last, now."""
        return None

    def _signal(self, layer: int, before: Answer, now: Answer, label: int) -> Signal:
        assert self.rule.signal is not None, "what learns online has a signal"
        z = torch.stack([before.z, now.z], 1)
        return self.rule.signal(
            Seen(
                level=layer,
                levels=self.layers[-1],
                z=z,
                context=z,
                weights=self.own[layer],
                top=self.own[self.layers[-1]],
                draw=self.draws[label],
                labels=None,
                train=self.experiment.train,
                traces=self._traces(layer),
            )
        )

    def _change(self, layer: int, before: Answer, now: Answer, said: Signal) -> None:
        """Plain gradient steps; the same synapses learn with the trace of both fixations."""
        rate, own = self.experiment.train.sgd_rate, self.own[layer]
        traces = self._traces(layer - 1)
        if self.decay:
            own["forward"].mul_(1 - rate * self.decay)
        dendrite = said.dendrite if said.source is None else said.dendrite + said.source
        if own["forward"].dim() == 2:  # one product, and ΔW is never formed
            post = dendrite[0] * torch.cat([before.surrogate, now.surrogate])
            pre = torch.cat([before.x, now.x]) if traces is None else traces[0]
            own["forward"].addmm_(post.T, pre, alpha=rate)
        else:
            for seen, signal in ((before, dendrite[:, 0]), (now, dendrite[:, 1])):
                for role, change in changes(seen, signal, own["forward"]).items():
                    if role in own:  # a bias, or none
                        own[role].add_(change, alpha=rate)
        for role, change in said.changes.items():
            own[role].add_(change, alpha=rate)
        for role, value in said.states.items():
            own[role].copy_(value)


def _draw(y: int, experiment: Experiment, dtype: torch.dtype) -> Draw:
    """What chance says of a fixation and the one before: nothing, the gaze has decided."""
    seed = experiment.train.seed
    return Draw(
        y=torch.tensor([float(y)], dtype=dtype),
        origin=torch.tensor([0]),
        pairs=[(torch.tensor([0]), torch.tensor([1]))],
        negatives=lambda layer: keyed_generator(seed, Purpose.NEGATIVES, layer),
    )
