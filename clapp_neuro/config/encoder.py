"""Which network: kind and width of its layers, and its neurons."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from clapp_neuro.config.part import Part, Positive, Rate
from clapp_neuro.errors import InputError

RESNET_STAGES = (256, 512, 1024)
"""Channels of ResNet-50's first three stages, the encoder of Table 4."""


class EncoderConfig(Part):
    """Layers of spiking (LIF) or rate (ReLU) neurons.

    `dense`: fully connected, without bias. `conv`: 3×3 kernels, stride 1, padding 1, with a bias
    unless `bias` is false, as for kernels that learn on a chip, then 2×2 max-pooling after the
    layers (from 1) that `pool` lists. `resnet50`: the stem and the
    first three stages of ResNet-50 without batch norm, each of which counts as a layer; rate
    only. Whatever the kind, a patch's activity is the mean over its positions (Appendix B).

    `steps`, `decay`, `threshold` and `reset` describe spiking neurons only: T time steps a
    fixation, v <- decay·v + I − reset, spike where v > threshold. `library` computes them. The
    inputs drive the first layer by a constant `current`, or by `spikes` that are spread evenly,
    as many in 256 steps as the 8-bit intensity says. `rest`: time steps without input between
    fixations, for rules that learn from spike times; nothing but their traces notices.

    `traces`: what a synapse knows of its presynaptic neuron, the spike `counts` of a fixation or
    two `exponential` traces of its spikes, with time constants of `tau_fast` and `tau_slow` time
    steps (`clapp_neuro.training.traces`), as on a chip without graded spikes.
    """

    architecture: Literal["dense", "conv", "resnet50"] = "dense"
    layers: tuple[Positive, ...] = Field(default=(256, 256), min_length=1)
    pool: tuple[Positive, ...] = ()
    bias: bool = True
    neurons: Literal["spiking", "rate"] = "spiking"
    library: Literal["snntorch", "norse"] = "snntorch"
    steps: Annotated[int, Field(ge=2, le=127)] = 8
    decay: Annotated[float, Field(ge=0, le=1)] = 0.9
    threshold: Rate = 1.0
    input: Literal["current", "spikes"] = "current"
    rest: Annotated[int, Field(ge=0, le=1024)] = 8
    traces: Literal["counts", "exponential"] = "counts"
    tau_fast: Rate = 12.0
    tau_slow: Rate = 24.0
    reset: Literal["subtract", "zero"] = "subtract"

    @model_validator(mode="after")
    def _fits(self) -> EncoderConfig:
        wrong = [layer for layer in self.pool if layer > len(self.layers)]
        if wrong:
            raise InputError(f"pool names layer {wrong[0]}, but there are {len(self.layers)}")
        if self.pool and self.architecture != "conv":
            raise InputError(f"pool is for conv encoders, not {self.architecture}: leave it out")
        if not self.bias and self.architecture != "conv":
            raise InputError(f"bias false is for conv encoders, not {self.architecture}: leave it")
        if self.architecture == "resnet50":
            if self.layers != RESNET_STAGES:
                raise InputError(f"resnet50 has the layers {list(RESNET_STAGES)}: give these")
            if self.neurons == "spiking":
                raise InputError(
                    "resnet50 adds real numbers across its skips, which spikes are not: "
                    "give neurons 'rate', or a conv encoder"
                )
        if self.tau_slow <= self.tau_fast:
            raise InputError(
                f"tau_slow {self.tau_slow:g} is not above tau_fast {self.tau_fast:g}: the slow "
                "trace has to remember what the fast one has forgotten"
            )
        if self.library == "norse" and not 0 < self.decay < 1:
            raise InputError(
                f"Norse's neuron divides by its decay and its leak, which decay {self.decay:g} "
                "forbids: use library 'snntorch'"
            )
        return self

    def side(self, patch: int, layer: int) -> int:
        """Positions along one side of what `layer` (from 1) hands on of a patch, after pooling."""
        if self.architecture == "dense":
            return 1
        if self.architecture == "resnet50":
            return -(-patch // 2 ** (layer - 1))
        return patch // 2 ** sum(pooled <= layer for pooled in self.pool)
