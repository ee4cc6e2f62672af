"""How the network learns: method, mode and rates."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from clapp_neuro.config.part import Part, Positive, Rate
from clapp_neuro.rules.registry import METHODS, Context, Retro, check_method, find_rule

DEFAULT_STEPS = {"batch": 3_000, "online": 180_000}
"""Minibatches (batch) or fixations (online) where an experiment does not say."""


class TrainConfig(Part):
    """How the network learns.

    `batch`: Adam on minibatches of images. `online`: one fixation after another, plain gradient
    steps, as on the chip. modules: how many gradient-isolated parts (Table 3), None: what the
    method says. retro: where the retrodiction of Eq. 7 comes from: an own matrix, the transposed
    prediction weights, or nowhere; None: what the method says. gate: one gate from u^z for all
    updates (Eq. 17, the chip's) or each half of Eq. 14 its own. context: the layer that predicts.
    prediction_steps K and skip: a context predicts what is 1 + skip to K + skip fixations ahead,
    down the column or, with directions `down-across`, also along the row (CLAPP++).
    prediction_scale: half-width of the initial W_pred and W_retro, relative to PyTorch's default.
    tau_plus, tau_minus: time constants of STDP in time steps, before and after; depression: A₋/A₊;
    retention: what an eligibility keeps from one fixation to the next.
    weight_bits: layers answer with weights rounded to so many bits, sign included, as a chip will
    hold them (quantisation-aware training); None: with the weights themselves.
    """

    method: str = "clapp"
    mode: Literal["batch", "online"] = "batch"
    steps: Annotated[int, Field(ge=0, le=10**12)] | None = None
    batch_size: Annotated[int, Field(ge=2)] = 64
    adam_rate: Rate = 1e-3
    sgd_rate: Rate = 2**-10
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    margin: Rate = 1.0
    modules: Literal["1", "2", "3", "4-lower", "4-upper", "6"] | None = None
    retro: Retro | None = None
    gate: Literal["shared", "split"] = "shared"
    context: Context = "same"
    prediction_steps: Positive = 1
    directions: Literal["down", "down-across"] = "down"
    skip: Annotated[int, Field(ge=0)] = 0
    prediction_scale: Rate = 1.0
    negatives: Positive = 16
    tau_plus: Rate = 8.0
    tau_minus: Rate = 8.0
    depression: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.2
    retention: Annotated[float, Field(ge=0, le=1)] = 0.5
    weight_bits: Annotated[int, Field(ge=2, le=8)] | None = None
    precision: Literal["float32", "bfloat16"] = "float32"
    compile: bool = False
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0

    @field_validator("method")
    @classmethod
    def _known(cls, method: str) -> str:
        return check_method(method)

    @property
    def total_steps(self) -> int:
        """Minibatches or fixations of the whole training."""
        return DEFAULT_STEPS[self.mode] if self.steps is None else self.steps

    @property
    def decay(self) -> float:
        """Weight decay: `weight_decay`, or the method's own."""
        if self.weight_decay is not None:
            return self.weight_decay
        return find_rule(self.method).weight_decay

    @property
    def retrodiction(self) -> Retro:
        """Where the retrodiction comes from: `retro`, or the method's own."""
        return self.retro or METHODS[self.method].retro[0]

    @property
    def predictions(self) -> int:
        """Prediction matrices of a layer: one for each distance and direction."""
        return self.prediction_steps * len(self.directions.split("-"))

    @property
    def distances(self) -> tuple[int, ...]:
        """Fixations between a context and what it predicts, one a prediction step."""
        return tuple(step + self.skip for step in range(1, self.prediction_steps + 1))
