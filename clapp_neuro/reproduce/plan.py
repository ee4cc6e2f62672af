"""Which networks each table and figure needs, at the paper's scale and at that of two cores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from clapp_neuro.config import Experiment, load_preset, with_settings
from clapp_neuro.reproduce import published
from clapp_neuro.rules.registry import METHODS

Scale = Literal["small", "paper"]

PAPER_BATCHES_AN_EPOCH = 100_000 // 32
PAPER_LABELLED_BATCHES_AN_EPOCH = 5_000 // 32
PAPER_EPOCHS = 300
SHORTER_RELAXED = 4  # at the small scale: a minibatch that relaxes takes as long as many others
PAPER_EPOCHS_TIME_LOCAL = 600  # CLAPP and time-local Hinge Loss CPC (Appendix B)


@dataclass(frozen=True)
class Readout:
    """How many images a readout learns from, and is tested on; None: all."""

    labelled: int | None = None
    tested: int | None = None


@dataclass(frozen=True)
class Sizes:
    """How much is done at a scale: minibatches and images of the readout by preset."""

    presets: dict[str, str]
    steps: dict[str, int]
    spiking: dict[str, Any]
    readout: dict[str, Readout]
    seeds: int


SIZES = {
    "small": Sizes(
        presets={"vgg": "fashion-conv", "deep": "fashion-vgg6", "resnet50": "fashion-resnet50"},
        steps={"fashion-conv": 2_000, "fashion-vgg6": 1_000, "fashion-resnet50": 60},
        spiking={"steps": 250, "batch_size": 16},
        readout={
            "fashion-conv": Readout(5_000),
            "fashion-vgg6": Readout(5_000),
            # a processor takes 3.5 ms a patch: three minutes a network, nine for the sizes above
            "fashion-resnet50": Readout(2_500, 2_500),
        },
        seeds=3,
    ),
    "paper": Sizes(
        presets={"vgg": "stl10-vgg6", "deep": "stl10-vgg6", "resnet50": "stl10-resnet50"},
        steps={},
        spiking={},
        readout={},
        seeds=1,
    ),
}


@dataclass(frozen=True)
class Planned:
    """One network to train: the row that it stands for, and its experiment."""

    row: str
    experiment: Experiment
    readout: Readout = Readout()

    @property
    def name(self) -> str:
        """A name for its files."""
        preset = "resnet50" if self.experiment.encoder.architecture == "resnet50" else "conv"
        row = self.row.replace(" --", "-").replace(" ", "-")
        depth = len(self.experiment.encoder.layers)
        return f"{row}-{preset}{depth}-seed{self.experiment.train.seed}"


def vision(scale: Scale, seeds: Sequence[int]) -> list[Planned]:
    """Every method of the registry that convolutions have, in its own number of modules."""
    rows = [*(name for name, m in METHODS.items() if not m.timed), "clapp --context top"]
    return [_planned(row, "vgg", scale, seed) for seed in seeds for row in rows]


def table_1(scale: Scale, seeds: Sequence[int]) -> list[Planned]:
    """The methods of Table 1; those in two and three modules need six layers."""
    return [
        _planned(row, "deep" if "--modules" in row else "vgg", scale, seed)
        for row in published.TABLE_1
        for seed in seeds
    ]


def table_4(scale: Scale, seeds: Sequence[int]) -> list[Planned]:
    """ResNet-50 beside VGG."""
    plans = []
    for row in published.TABLE_4:
        encoder, _, method = row.partition(" ")
        where = "resnet50" if encoder == "resnet50" else "deep"
        plans += [_planned(method, where, scale, seed, row) for seed in seeds]
    return plans


def table_6(scale: Scale, seeds: Sequence[int]) -> list[Planned]:
    """CLAPP-s in one to six modules."""
    return [_planned(row, "deep", scale, seed) for row in published.TABLE_6 for seed in seeds]


def figure_3(scale: Scale, seeds: Sequence[int]) -> list[Planned]:
    """CLAPP and the untrained network, six layers deep, for the pictures of what neurons like."""
    return [_planned(row, "deep", scale, seeds[0]) for row in ("clapp", "random")]


def figure_4(scale: Scale, seeds: Sequence[int]) -> list[Planned]:
    """Accuracy by layer, six layers deep."""
    rows = ("clapp", "clapp-s", "gim", "hinge-cpc", "supervised", "random")
    return [_planned(row, "deep", scale, seed) for seed in seeds for row in rows]


def lecture(scale: Scale, seeds: Sequence[int]) -> list[Planned]:
    """CLAPP beside other rules that have been called plausible."""
    return [_planned(row, "vgg", scale, seed) for row in published.LECTURE for seed in seeds]


def alignment(scale: Scale, seeds: Sequence[int]) -> list[Planned]:
    """CLAPP with small initial W_pred and W_retro (Appendix C)."""
    plan = _planned("clapp", "vgg", scale, seeds[0], "clapp small-start")
    small = with_settings(plan.experiment, train={"prediction_scale": 0.05})
    return [replace(plan, experiment=small)]


def _planned(method: str, where: str, scale: Scale, seed: int, row: str | None = None) -> Planned:
    """A network by its row: a method, then options as on the command line."""
    size = SIZES[scale]
    preset = size.presets[where]
    name, *options = method.split(" --")
    train: dict[str, Any] = {"method": name, "seed": seed, "steps": size.steps.get(preset)}
    for option in options:
        key, _, value = option.partition(" ")
        train[key] = value
    if scale == "paper":
        train["steps"] = _paper_steps(name)
    elif METHODS[name].rule == "clapp":
        train["steps"] *= PAPER_EPOCHS_TIME_LOCAL // PAPER_EPOCHS
    elif METHODS[name].rule == "predictive_coding":
        train["steps"] //= SHORTER_RELAXED
    encoder = {}
    if METHODS[name].spiking_only:
        encoder["neurons"] = "spiking"
        train |= size.spiking
    data = {"coding": "on-off"} if encoder and scale == "paper" else {}
    experiment = with_settings(load_preset(preset), data=data, encoder=encoder, train=train)
    return Planned(row or method, experiment, size.readout.get(preset, Readout()))


def _paper_steps(method: str) -> int:
    """Minibatches of the paper's number of epochs (Appendix B)."""
    local_in_time = METHODS[method].rule == "clapp"
    epochs = PAPER_EPOCHS_TIME_LOCAL if local_in_time else PAPER_EPOCHS
    labelled = METHODS[method].labelled
    return epochs * (PAPER_LABELLED_BATCHES_AN_EPOCH if labelled else PAPER_BATCHES_AN_EPOCH)
