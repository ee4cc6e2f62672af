"""A readout on the chip, on top of a network: one neuron a class, which learns from rewards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from clapp_neuro.errors import InputError
from compiler.frontends.checkpoint.spike_timing import CLASS
from compiler.ir import (
    Compartment,
    LearningRule,
    Modulator,
    Network,
    Neuron,
    Population,
    Projection,
    Reset,
)
from compiler.local_rules import reward_readout

READOUT = "readout"
CRITIC = f"{READOUT}.critic"
COLLECTOR = Neuron(decay=1.0, threshold=None, reset=Reset.NONE)
"""Never spikes: what a neuron of the readout has to say is what its dendrite collects."""


def with_readout(network: Network, classes: int, rate: float) -> Network:
    """The network with a readout of all its layers, whose weights are 0 at first.

    InputError where a layer is a map, or learns from spike times.
    """
    layers = [p for p in network.populations if isinstance(p.neuron, Neuron)]
    for layer in layers:
        if layer.shape is not None:
            raise InputError(
                f"population {layer.name} is a map: the readout on the chip hears dense layers "
                "only; leave --readout out, and probe the layers"
            )
    for p in network.projections:
        if p.rule is not None and not isinstance(p.rule, LearningRule):
            raise InputError(
                f"projection {p.name} learns at every time step, a readout once a fixation: leave "
                "--readout out, or compile with learning left out (--static)"
            )
    top = max(p.level for p in layers)
    population = Population(READOUT, classes, top, COLLECTOR)
    rule = reward_readout.readout(rate, CRITIC)
    projections = tuple(
        Projection(
            f"{READOUT}.{layer.name}",
            layer.name,
            READOUT,
            Compartment.RETRO,
            np.zeros((classes, layer.size)),
            rule,
        )
        for layer in layers
    )
    critic = reward_readout.critic(CRITIC, READOUT, CLASS, classes)
    return replace(
        network,
        populations=(*network.populations, population),
        projections=(*network.projections, *projections),
        comparators=(*network.comparators, critic),
        modulators=(*network.modulators, Modulator(CLASS)),
    )
