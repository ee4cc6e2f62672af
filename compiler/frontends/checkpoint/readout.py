"""A readout on the chip, on top of a network: one neuron a class, which learns from rewards.

Or one readout for each position of the gaze, which is rewarded while the gaze is there: whoever
moves the gaze knows where it is, and tells that position's critic alone the class.
"""

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
COLLECTOR = Neuron(decay=1.0, threshold=None, reset=Reset.NONE)
"""Never spikes: what a neuron of the readout has to say is what its dendrite collects."""


def with_readout(network: Network, classes: int, rate: float, positions: int = 0) -> Network:
    """The network with a readout of all its layers, whose weights are 0 at first.

    positions: as many readouts, `readout1` on, in the order of the gaze's positions, with signals
    `class1` on; 0 for a single one, with the signal `class`.

    InputError where a layer is a map, or learns from spike times.
    """
    layers = [p for p in network.populations if isinstance(p.neuron, Neuron)]
    for layer in layers:
        if layer.shape is not None:
            raise InputError(
                f"population {layer.name} is a map (encoder.architecture 'conv'), and a readout on "
                "the chip (--readout) hears dense layers only: leave --readout out and fit one off "
                "the chip (run --probe), or train a dense network (preset fashion-dense)"
            )
    for p in network.projections:
        if p.rule is not None and not isinstance(p.rule, LearningRule):
            raise InputError(
                f"projection {p.name} learns at every time step, a readout once a fixation: leave "
                "--readout out, or compile with learning left out (--static)"
            )
    top = max(p.level for p in layers)
    for end in [str(number) for number in range(1, positions + 1)] or [""]:
        readout = Population(READOUT + end, classes, top, COLLECTOR)
        network = _with_one(network, layers, readout, rate, CLASS + end)
    return network


def _with_one(
    network: Network, layers: list[Population], readout: Population, rate: float, label: str
) -> Network:
    """One readout, its synapses from all layers, and its critic, which hears the label."""
    critic = reward_readout.critic(f"{readout.name}.critic", readout.name, label, readout.size)
    rule = reward_readout.readout(rate, critic.name)
    projections = tuple(
        Projection(
            f"{readout.name}.{layer.name}",
            layer.name,
            readout.name,
            Compartment.RETRO,
            np.zeros((readout.size, layer.size)),
            rule,
        )
        for layer in layers
    )
    return replace(
        network,
        populations=(*network.populations, readout),
        projections=(*network.projections, *projections),
        comparators=(*network.comparators, critic),
        modulators=(*network.modulators, Modulator(label)),
    )
