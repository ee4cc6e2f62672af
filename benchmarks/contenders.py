"""The contenders of `training.py`: the local rule, and what one would write with autograd."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clapp_neuro.config import (
    IMAGE_SIDES,
    Experiment,
    load_preset,
    read_experiment,
    with_training,
)
from clapp_neuro.data.device_patches import patch_inputs
from clapp_neuro.data.images import ImageSet
from clapp_neuro.encoders.initial import initial_weights
from clapp_neuro.errors import InputError
from clapp_neuro.randomness import Purpose, keyed_generator
from clapp_neuro.rules.prediction import role
from clapp_neuro.training.batch import GPU_WORKERS, BatchTrainer
from clapp_neuro.training.crew import ALONE
from clapp_neuro.training.loader import Minibatches, minibatches
from clapp_neuro.training.tally import Tally

VGG6 = {
    "data": {
        "dataset": "stl10",
        "crop": 64,
        "patch": 16,
        "stride": 8,
        "coding": "signed",
        "mean": 0.412,
        "std": 0.257,
        "order": "columns",
    },
    "encoder": {
        "architecture": "conv",
        "layers": [128, 256, 256, 512, 1024, 1024],
        "pool": [2, 4, 5, 6],
        "neurons": "rate",
    },
    "train": {"batch_size": 8, "prediction_steps": 5, "skip": 1, "adam_rate": 2e-4},
}
IMAGES = 256  # random ones, from which the minibatches are drawn

Step = Callable[[int], float]
"""Learn from a minibatch; returns the loss, and waits for it as one who watches would."""


@dataclass(frozen=True)
class Contender:
    """A network that learns: one minibatch a `step`. optimizer: its Adam, for what it keeps."""

    step: Step
    optimizer: torch.optim.Optimizer
    weights: dict[str, Tensor]


def experiment_of(arguments: argparse.Namespace) -> Experiment:
    """What CLAPP trains on. Raises InputError for a preset that plain modules do not cover."""
    base = load_preset(arguments.preset) if arguments.preset else read_experiment(VGG6, "VGG-6")
    encoder = base.encoder
    if encoder.neurons != "rate" or encoder.architecture == "resnet50":
        raise InputError(
            "the autograd contenders are of plain rate layers: give a preset with neurons 'rate' "
            "and a dense or conv encoder"
        )
    plain = {"mode": "batch", "modules": None, "context": "same", "weight_decay": None}
    values = base.model_dump()
    values["train"].update(plain, method="clapp", retro="own", gate="split")
    return with_training(
        read_experiment(values, "benchmark"),
        batch_size=arguments.batch,
        precision=arguments.precision,
        compile=arguments.compile or None,
    )


def random_images(experiment: Experiment) -> ImageSet:
    """Noise: what is seen does not change how long it takes."""
    side = IMAGE_SIDES[experiment.data.dataset]
    random = np.random.default_rng(0)
    count = max(IMAGES, experiment.train.batch_size)
    images = random.integers(0, 256, (count, side, side), dtype=np.uint8)
    labels = np.zeros(count, np.int64)
    return ImageSet(experiment.data.dataset, "noise", (), images, labels, images, labels)


def contender(name: str, experiment: Experiment, device: str, kind: torch.dtype) -> Contender:
    """The one of this name, untrained, with its weights on the device."""
    if name == "end_to_end":
        # its negatives are compared with one W_pred, the only one that CPC has
        experiment = with_training(experiment, method="cpc", retro="transposed", gate="shared")
    weights = {n: w.to(device, kind) for n, w in initial_weights(experiment).items()}
    if name == "local":
        return _local(experiment, weights)
    return _autograd(experiment, weights, hinge_loss if name == "blocked" else infonce_loss)


def _local(experiment: Experiment, weights: dict[str, Tensor]) -> Contender:
    trainer = BatchTrainer(experiment, random_images(experiment), weights, None)

    def step(number: int) -> float:
        tally = Tally(len(trainer.modules), number)
        with torch.no_grad():
            trainer.advance(number, tally)
        return sum(layer.loss for layer in tally.take(number + 1).layers)

    return Contender(step, trainer.optimizer, weights)


@dataclass(frozen=True)
class Coins:
    """Chance of a minibatch, as `BatchTrainer` draws it: see `clapp_neuro.rules.seen.Draw`."""

    y: Tensor
    origin: Tensor
    pairs: list[tuple[Tensor, Tensor]]

    @property
    def share(self) -> Tensor:
        """(B, 1): an image's weight in the mean over those that drew the same y."""
        return 1 / (self.y == self.y.T).sum(1, keepdim=True)


def coins(experiment: Experiment, step: int, like: Tensor) -> Coins:
    """The coins of this step, on the device and in the type of `like`."""
    size = experiment.train.batch_size
    generator = keyed_generator(experiment.train.seed, Purpose.BATCH_DRAWS, step)
    stays = generator.random(size) < 0.5
    origin = np.where(stays, 0, int(generator.integers(1, size))) + np.arange(size)
    pairs = (experiment.data.pairs(distance) for distance in experiment.train.distances)
    return Coins(
        y=torch.from_numpy(np.where(stays, 1.0, -1.0)).to(like)[:, None],
        origin=torch.from_numpy(origin % size).to(like.device),
        pairs=[tuple(torch.tensor(p, device=like.device) for p in pair) for pair in pairs],
    )


class Network(nn.Module):
    """The layers as plain modules; with `blocked` no gradient passes from one to another."""

    def __init__(self, experiment: Experiment, blocked: bool) -> None:
        super().__init__()
        encoder = experiment.encoder
        self.blocked = blocked
        self.layers = nn.ModuleList()
        for number, (inputs, neurons) in enumerate(
            zip(experiment.widths[:-1], encoder.layers, strict=True), 1
        ):
            if encoder.architecture == "dense":
                parts: list[nn.Module] = [nn.Linear(inputs, neurons, bias=False), nn.ReLU()]
            else:
                parts = [nn.Conv2d(inputs, neurons, 3, padding=1), nn.ReLU()]
            if number in encoder.pool:
                parts.append(nn.MaxPool2d(2))
            self.layers.append(nn.Sequential(*parts))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Activity z (B·P, N) of every layer."""
        found = []
        for layer in self.layers:
            x = layer(x.detach() if self.blocked else x)
            found.append(x if x.dim() == 2 else x.mean((2, 3)))
        return found


Leaves = dict[str, nn.Parameter]
Loss = Callable[[Tensor, Leaves, int, Coins, Experiment], Tensor]
"""(z (B, P, N), parameters, layer from 1, coins, experiment) → the layer's loss."""


def hinge_loss(
    z: Tensor, leaves: Leaves, layer: int, drawn: Coins, experiment: Experiment
) -> Tensor:
    """Eq. 3 for both halves of Eq. 14: in each, one of the two activities is a constant."""
    train, total = experiment.train, z.new_zeros(())
    elsewhere = z[drawn.origin]
    for number, (contexts, predicted) in enumerate(drawn.pairs, 1):
        c, target = elsewhere[:, contexts], z[:, predicted]
        prediction = leaves[f"layer{layer}.{role('prediction', number)}"]
        retrodiction = leaves[f"layer{layer}.{role('retrodiction', number)}"]
        forward = (target * (c.detach() @ prediction.T)).sum(-1)
        backward = (target.detach() * (c @ retrodiction)).sum(-1)
        for score in (forward, backward):
            terms = torch.relu(train.margin - drawn.y * score).mean(1, keepdim=True)
            total = total + (terms * drawn.share).sum()
    return total / len(drawn.pairs)


def infonce_loss(
    z: Tensor, leaves: Leaves, layer: int, drawn: Coins, experiment: Experiment
) -> Tensor:
    """The true pair against others from the whole minibatch, at the top layer alone."""
    if layer < len(experiment.encoder.layers):
        return z.new_zeros(())
    flat, total = z.flatten(0, 1), z.new_zeros(())
    for number, (contexts, predicted) in enumerate(drawn.pairs, 1):
        c, right = (z[:, places].flatten(0, 1) for places in (contexts, predicted))
        shape = (len(c), experiment.train.negatives)
        wrong = flat[torch.randint(len(flat), shape, device=z.device)]
        prediction = c @ leaves[f"layer{layer}.{role('prediction', number)}"].T
        scores = (torch.cat([right[:, None], wrong], 1) * prediction[:, None]).sum(-1)
        total = total + F.cross_entropy(scores, torch.zeros_like(scores[:, 0], dtype=torch.long))
    return total / len(drawn.pairs)


def _autograd(experiment: Experiment, weights: dict[str, Tensor], loss_of: Loss) -> Contender:
    first = next(iter(weights.values()))
    device, kind = first.device, first.dtype
    network = Network(experiment, loss_of is hinge_loss).to(device, kind)
    leaves = _leaves(network, weights)
    optimizer = torch.optim.Adam(leaves.values(), lr=experiment.train.adam_rate)
    answer = torch.compile(network) if experiment.train.compile else network
    workers = GPU_WORKERS if device.type == "cuda" else 0
    source = Minibatches(experiment, random_images(experiment), ALONE)
    loaded = minibatches(source, 0, device, workers)
    maps = experiment.encoder.architecture != "dense"
    low = experiment.train.precision == "bfloat16"

    def step(number: int) -> float:
        inputs = patch_inputs(next(loaded)[0], experiment.data, maps).to(kind)
        drawn = coins(experiment, number, inputs)
        with torch.autocast(device.type, torch.bfloat16, low):
            activities = answer(inputs)
        loss = inputs.new_zeros(())
        for layer, z in enumerate(activities, 1):
            grid = z.to(kind).unflatten(0, (-1, experiment.data.positions))
            loss = loss + loss_of(grid, leaves, layer, drawn, experiment)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return Contender(step, optimizer, {name: leaf.data for name, leaf in leaves.items()})


def _leaves(network: Network, weights: dict[str, Tensor]) -> Leaves:
    """The parameters by our names: those of the modules get these weights' values."""
    leaves = {}
    for name, value in weights.items():
        layer, what = name.removeprefix("layer").split(".", 1)
        module = network.layers[int(layer) - 1][0]
        own = {"forward": module.weight, "bias": module.bias}.get(what)
        if own is None:
            leaves[name] = nn.Parameter(value)
        else:
            own.data = value
            leaves[name] = own
    return leaves
