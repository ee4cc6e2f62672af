"""Small convolutional networks that learn, through the front end and the real passes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from clapp_neuro.checkpoint import Checkpoint
from clapp_neuro.config import Experiment, load_preset, with_settings
from clapp_neuro.encoders.initial import initial_weights
from compiler.frontends.checkpoint import network_from_checkpoint
from compiler.ir import Connection, Network, Projection
from compiler.passes.lowering.learning import lower_learning
from compiler.passes.lowering.schedule import schedule
from compiler.passes.quantizing.quantize import quantize
from compiler.passes.untie import untie
from compiler.program import Program


def experiment(
    layers: tuple[int, ...] = (4, 3),
    pool: tuple[int, ...] = (1,),
    patch: int = 6,
    steps: int = 6,
    rate: float = 2**-9,
    seed: int = 0,
    coding: str = "intensity",
    retro: str = "own",
) -> Experiment:
    """CLAPP on small patches of clothes; `rate` is large, so that few fixations change much."""
    return with_settings(
        load_preset("fashion-conv-chip"),
        data={"patch": patch, "stride": patch, "coding": coding},
        encoder={"layers": layers, "pool": pool, "steps": steps},
        train={"mode": "online", "sgd_rate": rate, "seed": seed, "retro": retro},
    )


def network(**how: object) -> Network:
    """The untrained source network of `experiment`, kernels shared."""
    chosen = experiment(**how)  # type: ignore[arg-type]
    return network_from_checkpoint(Checkpoint(chosen, 0, initial_weights(chosen)))


def with_kernels(source: Network, side: int) -> Network:
    """The same with random kernels of another side."""
    random = np.random.default_rng(side)

    def of_projection(p: Projection) -> Projection:
        if p.connection is not Connection.CONVOLUTION:
            return p
        return replace(p, weights=random.normal(0, 0.3, (*p.weights.shape[:2], side, side)))

    return replace(source, projections=tuple(map(of_projection, source.projections)))


def program(averaged: int = 0, sequential: bool = False, kernel: int = 3, **how: object) -> Program:
    """The same as a program: weights to +-127, tags to +-255."""
    source = network(**how)
    quantized, _ = quantize(source if kernel == 3 else with_kernels(source, kernel), 127)
    untied = quantized if sequential else untie(quantized, averaged)[0]
    lowered, _ = lower_learning(
        untied,
        schedule(untied.network),
        target="loihi2-sim",
        seed=1,
        weight_max=127,
        tag_max=255,
        averaged=averaged,
    )
    return lowered
