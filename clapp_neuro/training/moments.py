"""Online training by rules that learn at every time step, from spike times.

Each layer goes through the fixation step by step: spikes arrive through the weights of before, the
synapses learn, the neurons fire. Then comes the rest, in which only traces decay.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from clapp_neuro.config import Experiment
from clapp_neuro.config.data import CLASSES
from clapp_neuro.data.images import ImageSet
from clapp_neuro.encoders.neurons import input_spikes, lif_step
from clapp_neuro.errors import InputError
from clapp_neuro.rules.registry import find_rule
from clapp_neuro.rules.seen import Moment
from clapp_neuro.training.compiled_online import CompiledOnlineTrainer, is_compiled
from clapp_neuro.training.compiled_traces import CompiledTraceTrainer
from clapp_neuro.training.online import BLOCK, OnlineTrainer
from clapp_neuro.training.state import check_finite
from clapp_neuro.training.tally import Tally
from clapp_neuro.training.traces import TraceTrainer


def online_trainer(
    experiment: Experiment,
    images: ImageSet,
    weights: dict[str, Tensor],
    resume: Mapping[str, Tensor] | None,
) -> OnlineTrainer:
    """What trains an experiment online: step by step where its rule has moments,
    with traces in place of counts where the encoder has them, compiled where it can be."""
    trainer: type[OnlineTrainer] = OnlineTrainer
    if find_rule(experiment.train.method).moment is not None:
        trainer = MomentTrainer
    elif experiment.encoder.traces == "exponential":
        trainer = CompiledTraceTrainer if is_compiled(experiment) else TraceTrainer
    elif is_compiled(experiment):
        trainer = CompiledOnlineTrainer
    return trainer(experiment, images, weights, resume)


class MomentTrainer(OnlineTrainer):
    """One step = one fixation. All state lies in `weights`, among them traces and eligibilities.

    Where the rule has an eligibility, a fixation ends with a reward. InputError where images that
    the network is rewarded for have no labels.
    """

    def __init__(
        self,
        experiment: Experiment,
        images: ImageSet,
        weights: dict[str, Tensor],
        resume: Mapping[str, Tensor] | None,
    ) -> None:
        super().__init__(experiment, images, weights, None)
        self.rewarded = "eligibility" in self.own[self.layers[-1]]
        if self.rewarded and images.unlabelled_images is not None:
            raise InputError(
                f"{experiment.train.method} is rewarded for naming an image's class, but the "
                f"learning images of {images.dataset} have no labels: use another data set"
            )
        self.classes = images.train_labels

    def advance(self, step: int, tally: Tally) -> None:
        """See fixation number `step` and learn from it."""
        inputs, _ = self._fixation(step)
        encoder, train = self.experiment.encoder, self.experiment.train
        spikes = input_spikes(inputs[0], encoder.steps)
        rates = []
        for layer in self.layers:
            spikes = self._present(layer, spikes)
            rates.append(spikes.mean().item())
        loss = 0.0
        if self.rewarded:
            reward = self._reward(step, spikes)
            loss = float(reward < 0)
            for layer in self.layers:
                own = self.own[layer]
                own["forward"].add_(own["eligibility"], alpha=train.sgd_rate * reward)
                own["eligibility"].mul_(train.retention)
        for number, rate in enumerate(rates):
            check_finite(self.own[self.layers[number]]["forward"], number + 1, step, train.sgd_rate)
            tally.add(number, loss, 1.0, rate)

    def state(self) -> dict[str, Tensor]:
        """Nothing besides the weights."""
        return {}

    def _present(self, layer: int, arriving: Tensor) -> Tensor:
        """The layer's spikes (T, N) in answer to those below (T, N_in); its synapses learn."""
        encoder, own = self.experiment.encoder, self.own[layer]
        forward, rate = own["forward"], self.experiment.train.sgd_rate
        target, scale = (own["eligibility"], 1.0) if self.rewarded else (forward, rate)
        silent_pre, silent_post = torch.zeros_like(arriving[0]), torch.zeros_like(forward[:, 0])
        membrane, fired, spikes = torch.zeros_like(silent_post), silent_post, []
        for t in range(encoder.steps + encoder.rest):
            shown = t < encoder.steps
            pre = arriving[t] if shown else silent_pre
            drive = forward @ pre if shown else silent_post
            self._learn(layer, pre, fired, target, scale)
            if shown:
                membrane, fired = lif_step(membrane, fired, drive, encoder)
                spikes.append(fired)
            else:
                fired = silent_post
        return torch.stack(spikes)

    def _learn(self, layer: int, pre: Tensor, post: Tensor, target: Tensor, scale: float) -> None:
        assert self.rule.moment is not None
        said = self.rule.moment(Moment(pre, post, self.own[layer], self.experiment.train))
        for after, before in said.pairs:
            if after.any() and before.any():
                target.addr_(after, before, alpha=scale)
        for role, value in said.states.items():
            self.own[layer][role].copy_(value)

    def _reward(self, step: int, spikes: Tensor) -> float:
        """1 where the class with most spikes of the last layer is the image's, else −1/(C−1)."""
        counts, classes = spikes.sum(0), CLASSES[self.experiment.data.dataset]
        named = int(torch.stack([counts[c::classes].sum() for c in range(classes)]).argmax())
        return 1.0 if named == int(self.classes[self.seen[step % BLOCK]]) else -1 / (classes - 1)
