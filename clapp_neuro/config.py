"""An experiment as validated data: what is seen, by which network, learned how.

Presets are JSON files in `clapp_neuro/presets`. Nothing here imports PyTorch.
"""

from __future__ import annotations

import json
import math
from importlib import resources
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from clapp_neuro.errors import InputError, unknown
from clapp_neuro.rules.registry import check_method

IMAGE_SIDES = {"fashion-mnist": 28, "stl10": 96}
"""Pixels along one side of a data set's square images."""

DEFAULT_STEPS = {"batch": 3_000, "online": 180_000}
"""Minibatches (batch) or fixations (online) where an experiment does not say."""

Positive = Annotated[int, Field(gt=0)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Part(BaseModel):
    """Base of all parts: frozen, and no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DataConfig(Part):
    """Images and how they become a sequence of fixations.

    A grey image is cut into `patch`×`patch` windows every `stride` pixels, scanned down the
    columns (paper, Appendix B). `intensity` shows a pixel as its brightness in 0..1; `on-off`
    normalises by `mean` and `std` and shows the two signs as a pair of inputs (Appendix C).
    """

    dataset: Literal["fashion-mnist", "stl10"] = "fashion-mnist"
    images: Positive | None = None  # use only the first so many training images
    crop: Positive | None = None  # side of the crop, None: the whole image
    augment: bool = False  # batch mode: random crop and horizontal flip in place of the centre
    patch: Positive = 14
    stride: Positive = 7
    coding: Literal["intensity", "on-off"] = "intensity"
    mean: float = 0.0
    std: Rate = 1.0

    @model_validator(mode="after")
    def _fits(self) -> DataConfig:
        full = IMAGE_SIDES[self.dataset]
        if self.side > full:
            raise InputError(f"crop {self.side} is larger than the {full}x{full} images")
        if self.positions < 2:
            raise InputError(
                f"patch {self.patch} with stride {self.stride} leaves {self.positions} fixation(s) "
                f"in a {self.side}x{self.side} image, but a prediction needs at least 2"
            )
        return self

    @property
    def side(self) -> int:
        """Pixels along one side of what is seen of an image."""
        return self.crop or IMAGE_SIDES[self.dataset]

    @property
    def grid(self) -> int:
        """Fixations along one side of an image."""
        return max(0, (self.side - self.patch) // self.stride + 1)

    @property
    def positions(self) -> int:
        """Fixations in one image."""
        return self.grid**2

    @property
    def inputs(self) -> int:
        """Input neurons: one a pixel of the patch, two with on-off coding."""
        return self.patch**2 * (2 if self.coding == "on-off" else 1)


class EncoderConfig(Part):
    """Dense layers of spiking (LIF) or rate (ReLU) neurons, without bias.

    `steps`, `decay`, `threshold` and `reset` describe spiking neurons only: T time steps a
    fixation, v <- decay·v + I − reset, spike where v > threshold.
    """

    layers: tuple[Positive, ...] = Field(default=(256, 256), min_length=1)
    neurons: Literal["spiking", "rate"] = "spiking"
    steps: Annotated[int, Field(ge=2, le=127)] = 8
    decay: Annotated[float, Field(ge=0, le=1)] = 0.9
    threshold: Rate = 1.0
    reset: Literal["subtract", "zero"] = "subtract"


class TrainConfig(Part):
    """How the network learns.

    `batch`: Adam on minibatches of images. `online`: one fixation after another, plain gradient
    steps, as on the chip. `retro`: where the retrodiction of Eq. 7 comes from: an own matrix,
    the transposed prediction weights, or nowhere. `gate`: one gate from u^z for all updates
    (Eq. 17, the chip's) or each half of Eq. 14 its own.
    """

    method: str = "clapp"
    mode: Literal["batch", "online"] = "batch"
    steps: Annotated[int, Field(ge=0, le=10**12)] | None = None
    batch_size: Annotated[int, Field(ge=2)] = 64
    adam_rate: Rate = 1e-3
    sgd_rate: Rate = 2**-10
    margin: Rate = 1.0
    retro: Literal["own", "transposed", "none"] = "own"
    gate: Literal["shared", "split"] = "shared"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0

    @field_validator("method")
    @classmethod
    def _known(cls, method: str) -> str:
        return check_method(method)

    @property
    def total_steps(self) -> int:
        """Minibatches or fixations of the whole training."""
        return DEFAULT_STEPS[self.mode] if self.steps is None else self.steps


class Experiment(Part):
    """Everything that, with the images, determines a trained network."""

    data: DataConfig = DataConfig()
    encoder: EncoderConfig = EncoderConfig()
    train: TrainConfig = TrainConfig()

    @property
    def widths(self) -> tuple[int, ...]:
        """Neurons from the input to the last layer."""
        return (self.data.inputs, *self.encoder.layers)

    def weight_shapes(self) -> dict[str, tuple[int, int]]:
        """Shape (N_target, N_source) of every weight matrix by its name, layers from 1."""
        shapes: dict[str, tuple[int, int]] = {}
        for layer, (below, size) in enumerate(
            zip(self.widths, self.encoder.layers, strict=False), 1
        ):
            shapes[f"layer{layer}.forward"] = (size, below)
            shapes[f"layer{layer}.prediction"] = (size, size)
            shapes[f"layer{layer}.retrodiction"] = (size, size)
        return shapes


def read_experiment(values: Any, where: str) -> Experiment:
    """Validate `values`, as read from JSON; InputError names `where` and the first fault."""
    try:
        return Experiment.model_validate(values)
    except ValidationError as error:
        raise InputError(f"{where}: {_first_fault(error)}") from error


def with_training(experiment: Experiment, **changes: Any) -> Experiment:
    """The experiment with some fields of its training replaced; None leaves a field as it is.

    Raises InputError for a value that the field does not allow.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    values = experiment.model_dump()
    values["train"].update(given)
    return read_experiment(values, "training settings")


def preset_names() -> list[str]:
    """The names of all presets, sorted."""
    folder = resources.files("clapp_neuro").joinpath("presets")
    return sorted(f.name[: -len(".json")] for f in folder.iterdir() if f.name.endswith(".json"))


def load_preset(name: str) -> Experiment:
    """Read a preset; raises InputError, with the nearest name, where there is none of it."""
    names = preset_names()
    if name not in names:
        raise unknown("preset", name, names)
    text = resources.files("clapp_neuro").joinpath(f"presets/{name}.json").read_text("utf-8")
    return read_experiment(json.loads(text), f"preset '{name}'")


def _first_fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    place = ".".join(str(part) for part in fault["loc"])
    own = fault["type"] == "value_error"  # raised here, already says what would be right
    message = fault["msg"].removeprefix("Value error, ")
    value = fault.get("input")
    shown = isinstance(value, (str, int, bool)) or (
        isinstance(value, float) and math.isfinite(value)
    )
    return f"{place}: {message}" + (f", not {value!r}" if shown and not own else "")
