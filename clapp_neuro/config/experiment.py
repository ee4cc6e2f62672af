"""An experiment as validated data: what is seen, by which network, learned how.

Presets are JSON files in `clapp_neuro/presets`. Nothing here imports PyTorch.
"""

from __future__ import annotations

import json
import math
from importlib import resources
from typing import Any

from pydantic import ValidationError, model_validator

from clapp_neuro.config.combinations import check_combination
from clapp_neuro.config.data import DataConfig
from clapp_neuro.config.encoder import EncoderConfig
from clapp_neuro.config.part import Part
from clapp_neuro.config.train import TrainConfig
from clapp_neuro.errors import InputError, unknown


class Experiment(Part):
    """Everything that, with the images, determines a trained network."""

    data: DataConfig = DataConfig()
    encoder: EncoderConfig = EncoderConfig()
    train: TrainConfig = TrainConfig()

    @model_validator(mode="after")
    def _combines(self) -> Experiment:
        check_combination(self.data, self.encoder, self.train)
        return self

    @property
    def widths(self) -> tuple[int, ...]:
        """Neurons from the input to the last layer, channels where the layers are convolutions."""
        dense = self.encoder.architecture == "dense"
        return (self.data.inputs if dense else self.data.channels, *self.encoder.layers)


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
    return with_settings(experiment, train=changes)


def with_settings(experiment: Experiment, **parts: dict[str, Any]) -> Experiment:
    """The experiment with some fields of its parts (`data`, `encoder`, `train`) replaced.

    None leaves a field as it is. Raises InputError for what a field or the whole does not allow.
    """
    values = experiment.model_dump()
    for part, changes in parts.items():
        values[part].update({name: value for name, value in changes.items() if value is not None})
    return read_experiment(values, "settings")


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
    return (
        (f"{place}: " if place else "")
        + message
        + (f", not {value!r}" if shown and not own else "")
    )
