"""The maps of a convolutional checkpoint: its layers, their kernels and biases, and the pools."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from clapp_neuro.checkpoint import Checkpoint
from compiler.connectivity import NEIGHBOURS, neighbour_bits
from compiler.ir import (
    Compartment,
    Connection,
    Neuron,
    Population,
    Projection,
    WinnerTakeAll,
)

POOLED = ".pool"  # what the name of a layer's relays ends with


def maps(checkpoint: Checkpoint, inputs: Population) -> tuple[list[Population], list[Projection]]:
    """All populations and projections of the forward pass, from the input up."""
    encoder, data = checkpoint.experiment.encoder, checkpoint.experiment.data
    populations = [replace(inputs, shape=(data.channels, data.patch, data.patch))]
    projections = []
    for number, channels in enumerate(encoder.layers, 1):
        name, below = f"layer{number}", populations[-1]
        kernels = checkpoint.weights[f"{name}.forward"].double().numpy()
        bias = checkpoint.weights[f"{name}.bias"].double().tolist()
        layer = Population(
            name=name,
            size=channels * prod(below.map[1:]),
            level=below.level + 1,
            neuron=Neuron(encoder.decay, encoder.threshold, encoder.reset),
            shape=(channels, *below.map[1:]),
            bias=tuple(bias),
        )
        populations.append(layer)
        projections.append(
            Projection(
                name=f"{name}.forward",
                source=below.name,
                target=name,
                compartment=Compartment.SOMA,
                weights=kernels,
                connection=Connection.CONVOLUTION,
            )
        )
        if number in encoder.pool:
            relays = pool_of(layer)
            populations.append(relays)
            projections.append(
                Projection(
                    name=relays.name,
                    source=name,
                    target=relays.name,
                    compartment=Compartment.SOMA,
                    weights=neighbour_bits().astype(float),
                    connection=Connection.POOL,
                )
            )
    return populations, projections


def pool_of(layer: Population) -> Population:
    """A relay for each 2x2 neighbours of a map; a last odd row or column has none."""
    channels, height, width = layer.map
    pooled = (channels, height // NEIGHBOURS, width // NEIGHBOURS)
    return Population(
        name=layer.name + POOLED,
        size=prod(pooled),
        level=layer.level + 1,
        neuron=WinnerTakeAll(),
        shape=pooled,
    )
