"""Mini-batch training: Adam on −ΔW, averaged as in the paper's experiments (Appendix B).

Modules learn one after the other while the activity passes through: once a module has answered and
learned, nothing of it is kept but its activity, so memory does not grow with depth. Only where a
layer learns from another one (context above or top, feedback alignment) does a first pass note the
activities of the patches; predictive coding, where layers relax together, keeps their maps.

With `weight_bits` layers answer, and rules look, as if weights were the integers of a chip; what is
learned goes into the weights themselves, as if rounding were the identity (straight-through).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from clapp_neuro.config import Experiment
from clapp_neuro.data.device_patches import patch_inputs
from clapp_neuro.data.images import ImageSet
from clapp_neuro.encoders.layers import answer
from clapp_neuro.encoders.module import Response, respond
from clapp_neuro.encoders.shapes import context_module, modules_of
from clapp_neuro.randomness import Purpose, keyed_generator
from clapp_neuro.rules.registry import METHODS, find_rule
from clapp_neuro.rules.seen import Draw, Seen, Signal
from clapp_neuro.training.crew import ALONE, Crew
from clapp_neuro.training.few_bits import rounded
from clapp_neuro.training.loader import Minibatches, minibatches
from clapp_neuro.training.state import check_loss, resume_tensor, tensors_of
from clapp_neuro.training.tally import Tally

MOMENTS = ("exp_avg", "exp_avg_sq")
GPU_WORKERS = 4
LAYERS_AT_MOST = 1 << 10  # so that each (step, layer) has random numbers of its own


class BatchTrainer:
    """One step = one minibatch of images, each seen at all positions in scan order.

    `weights` are changed in place, on the device on which they are. Raises InputError where there
    are fewer images than a minibatch needs.
    """

    def __init__(
        self,
        experiment: Experiment,
        images: ImageSet,
        weights: dict[str, Tensor],
        resume: Mapping[str, Tensor] | None,
        crew: Crew = ALONE,
    ) -> None:
        self.experiment, self.weights, self.crew = experiment, weights, crew
        first = next(iter(weights.values()))
        self.device, self.dtype = first.device, first.dtype
        self.rule = find_rule(experiment.train.method)
        self.answer = torch.compile(answer) if experiment.train.compile else answer
        self.modules = modules_of(experiment)
        self.contexts = [context_module(experiment, n) for n in range(len(self.modules))]
        self.source = Minibatches(experiment, images, crew)
        self.loaded: Iterator[tuple[Tensor, Tensor]] | None = None
        self.next_step = -1
        self.decay = experiment.train.decay
        self.pairs = self._pairs()
        self.seen: Mapping[str, Tensor] = weights  # those that the layers answer with
        self.optimizer = torch.optim.Adam(list(weights.values()), lr=experiment.train.adam_rate)
        if resume is not None:
            self._restore(resume)

    def advance(self, step: int, tally: Tally) -> None:
        """Learn from the minibatch of this step."""
        if self.experiment.train.weight_bits is not None:
            self.seen = rounded(self.weights, self.experiment.train.weight_bits)
        images, labels = self._minibatch(step)
        maps = self.experiment.encoder.architecture != "dense"
        inputs = patch_inputs(images, self.experiment.data, maps).to(self.dtype)
        labelled = METHODS[self.experiment.train.method].labelled
        draw, every = self._draw(step), self.crew.gather(labels) if labelled else None
        if self.rule.sees == "network":
            found = self._relax(inputs)
        elif self.contexts == list(range(len(self.modules))):
            found = self._learn(inputs, lambda number, z: self._signal(number, z, z, draw, every))
        else:
            signals = self._signals(inputs, draw, every)
            found = self._learn(inputs, lambda number, z: signals[number])
        numbers = torch.stack(found).tolist()
        rate_name, rate = "adam_rate", self.experiment.train.adam_rate
        for number, (loss, gate, activity) in enumerate(numbers):
            check_loss(loss, self.modules[number][-1], step, rate_name, rate)
            tally.add(number, loss, gate, activity)

    def state(self) -> dict[str, Tensor]:
        """Adam's moments and step counts, by the names of the weights."""
        stored: dict[str, Tensor] = {}
        for name, weight in self.weights.items():
            for key, value in self.optimizer.state.get(weight, {}).items():
                stored[f"adam.{name}.{key}"] = value
        return stored

    def _restore(self, resume: Mapping[str, Tensor]) -> None:
        for name, weight in self.weights.items():
            if f"adam.{name}.step" not in resume:
                continue  # a matrix that has never been updated has no moments
            state = {key: resume_tensor(resume, f"adam.{name}.{key}", weight) for key in MOMENTS}
            state["step"] = resume[f"adam.{name}.step"].clone()
            self.optimizer.state[weight] = state

    def _minibatch(self, step: int) -> tuple[Tensor, Tensor]:
        if self.loaded is None or step != self.next_step:
            workers = GPU_WORKERS if self.device.type == "cuda" else 0
            self.loaded = minibatches(self.source, step, self.device, workers)
        self.next_step = step + 1
        return next(self.loaded)

    def _draw(self, step: int) -> Draw:
        """Chance for the whole minibatch: coins, other images, and generators of negatives.

        A fair coin a image decides whether it is followed or left; a context from before a
        saccade is that of another image at the same position, the same shift for all.
        """
        seed, size = self.experiment.train.seed, self.source.size
        generator = keyed_generator(seed, Purpose.BATCH_DRAWS, step)
        stays = generator.random(size) < 0.5
        shift = int(generator.integers(1, size))
        own = np.arange(size)
        origin = np.where(stays, own, (own + shift) % size)
        return Draw(
            y=torch.from_numpy(np.where(stays, 1.0, -1.0)).to(self.device, self.dtype),
            origin=torch.from_numpy(origin).to(self.device),
            pairs=self.pairs,
            negatives=lambda layer: keyed_generator(
                seed, Purpose.NEGATIVES, step * LAYERS_AT_MOST + layer
            ),
        )

    def _pairs(self) -> list[tuple[Tensor, Tensor]]:
        data, train = self.experiment.data, self.experiment.train
        found = [data.pairs(distance) for distance in train.distances]
        if train.directions == "down-across":
            found += [data.pairs(distance, across=True) for distance in train.distances]
        return [
            (torch.tensor(contexts, device=self.device), torch.tensor(targets, device=self.device))
            for contexts, targets in found
        ]

    def _learn(self, inputs: Tensor, signal: Callable[[int, Tensor], Signal]) -> list[Tensor]:
        """Pass once through the modules; each answers, learns and is forgotten.

        Returns loss, gate and rate (3,) of each.
        """
        found, x, spikes = [], inputs, None
        for number in range(len(self.modules)):
            response = self._respond(number, x, spikes)
            said = signal(number, self._grid(response.top.z))
            x, spikes = response.top.map, response.top.spikes
            self._change(number, response, said)
            found.append(self._numbers(said, response.top.z))
            del response, said  # before the next module answers
        return found

    def _signals(self, inputs: Tensor, draw: Draw, labels: Tensor | None) -> list[Signal]:
        """The signals of all modules, where the source of a prediction is another module."""
        activity, x, spikes = [], inputs, None
        for number in range(len(self.modules)):
            top = self._respond(number, x, spikes).top
            activity.append(self._grid(top.z))
            x, spikes = top.map, top.spikes
        signals = [
            self._signal(number, z, activity[self.contexts[number]], draw, labels)
            for number, z in enumerate(activity)
        ]
        for number, said in enumerate(list(signals)):
            source = self.contexts[number]
            if said.source is not None and source != number:
                there = signals[source]
                signals[source] = replace(there, dendrite=there.dendrite + said.source)
                signals[number] = replace(signals[number], source=None)
        return signals

    def _relax(self, inputs: Tensor) -> list[Tensor]:
        """All modules answer, relax together, and learn."""
        responses: list[Response] = []
        for number in range(len(self.modules)):
            below = responses[-1].top if responses else None
            x, spikes = (below.map, below.spikes) if below else (inputs, None)
            responses.append(self._respond(number, x, spikes))
        assert self.rule.relax is not None, "a rule that sees the network relaxes it"
        own = [tensors_of(self.seen, part[-1]) for part in self.modules]
        found = []
        signals = self.rule.relax([response.top for response in responses], own)
        for number, (response, said) in enumerate(zip(responses, signals, strict=True)):
            parts = {name: change / self.crew.size for name, change in said.changes.items()}
            averaged = replace(
                said,
                dendrite=said.dendrite / self.crew.size,
                changes=self.crew.total(parts),
                loss=self.crew.total({"": said.loss / self.crew.size})[""],
            )
            self._change(number, response, averaged, local=True)
            found.append(self._numbers(averaged, response.top.z))
        return found

    def _respond(self, number: int, x: Tensor, spikes: Tensor | None) -> Response:
        train = self.experiment.train
        with torch.autocast(self.device.type, torch.bfloat16, train.precision == "bfloat16"):
            return respond(
                self.modules[number], self.seen, x, spikes, self.experiment.encoder, self.answer
            )

    def _grid(self, z: Tensor) -> Tensor:
        """Activities (B, P, N) of the whole minibatch from those of this process (b·P, N)."""
        own = z.to(self.dtype).unflatten(0, (-1, self.experiment.data.positions))
        return self.crew.gather(own)

    def _signal(
        self, number: int, z: Tensor, context: Tensor, draw: Draw, labels: Tensor | None
    ) -> Signal:
        """What the rule says; where a module predicts itself, both its roles in one signal."""
        assert self.rule.signal is not None, "a rule that learns has a signal or relaxes"
        level, top = self.modules[number][-1], self.modules[-1][-1]
        said = self.rule.signal(
            Seen(
                level=level,
                levels=top,
                z=z,
                context=context,
                weights=tensors_of(self.seen, level),
                top=tensors_of(self.seen, top),
                draw=draw,
                labels=labels,
                train=self.experiment.train,
            )
        )
        if said.source is None or self.contexts[number] != number:
            return said
        return replace(said, dendrite=said.dendrite + said.source, source=None)

    def _change(self, number: int, response: Response, said: Signal, local: bool = False) -> None:
        """Hand −ΔW to the optimizer as the gradient. local: the signal is this process's own."""
        dendrite = said.dendrite if local else self.crew.part(said.dendrite).flatten(0, 1)
        level = self.modules[number][-1]
        updates = self.crew.total(response.learn(dendrite))
        updates |= {f"layer{level}.{role}": change for role, change in said.changes.items()}
        for name, change in updates.items():
            weight = self.weights[name]
            decayed = self.decay if name.endswith(".forward") else 0.0
            weight.grad = weight * decayed - change if decayed else change.neg()
        self.optimizer.step()
        for name in updates:
            self.weights[name].grad = None
        for role, value in said.states.items():
            self.weights[f"layer{level}.{role}"].copy_(value)

    def _numbers(self, said: Signal, z: Tensor) -> Tensor:
        return torch.stack([said.loss, said.gate, z.mean()]).float()
