"""The maps of a convolutional checkpoint: kernels, biases and pools, and how the kernels learn.

A layer learns from the mean activity of its channels over all positions (paper, Appendix B), which
one neuron a channel adds up: it predicts and retrodicts, the layer's comparator listens to it, and
it spreads what it has predicted over its positions. After pooling only winners learn.

    layer1 -> layer1.pool -> layer1.mean      spikes, of which the mean adds up all
    layer1.mean -> layer1.mean                W_pred and W_retro
    layer1.mean -> layer1                     prediction and retrodiction, to all positions
    layer1.pool -> layer1                     who has won
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from clapp_neuro.checkpoint import Checkpoint
from clapp_neuro.errors import InputError
from compiler.connectivity import NEIGHBOURS, neighbour_bits, winner_shifts
from compiler.ir import (
    Comparator,
    Compartment,
    Connection,
    LearningRule,
    Neuron,
    Population,
    Projection,
    Quantity,
    SpatialMean,
    WinnerTakeAll,
)
from compiler.local_rules.layer import Learning

POOLED = ".pool"  # what the name of a layer's relays ends with
MEAN = ".mean"  # and of the neurons that add up its channels
SPREAD = {
    Quantity.APICAL: ("dendrite", Compartment.APICAL),
    Quantity.RETRO: ("feedback", Compartment.RETRO),
}
"""What a mean neuron tells its positions: name of the projection, and where it ends."""
OF_A_NEURON = (Quantity.SURROGATE, Quantity.PREVIOUS_SURROGATE)


@dataclass(frozen=True)
class Maps:
    """The populations of a convolutional network, what connects them, and their comparators."""

    populations: list[Population]
    projections: list[Projection]
    comparators: list[Comparator]


def maps(
    checkpoint: Checkpoint, inputs: Population, learning: Callable[[str], Learning] | None
) -> Maps:
    """All layers from the input up; `learning(name)` says how a layer learns, None that none does.

    Raises InputError for a rule that reads what positions do not hear, and for learned biases.
    """
    encoder, data = checkpoint.experiment.encoder, checkpoint.experiment.data
    below = replace(inputs, shape=(data.channels, data.patch, data.patch))
    found = Maps([below], [], [])
    for number, channels in enumerate(encoder.layers, 1):
        name = f"layer{number}"
        bias = checkpoint.weights.get(f"{name}.bias")
        layer = Population(
            name=name,
            size=channels * prod(below.map[1:]),
            level=below.level + 1,
            neuron=Neuron(encoder.decay, encoder.threshold, encoder.reset),
            shape=(channels, *below.map[1:]),
            bias=() if bias is None else tuple(bias.double().tolist()),
        )
        heard = pool_of(layer) if number in encoder.pool else layer
        how = None if learning is None else learning(name)
        kernels = Projection(
            name=f"{name}.forward",
            source=below.name,
            target=name,
            compartment=Compartment.SOMA,
            weights=_float64(checkpoint, f"{name}.forward"),
            rule=None if how is None else _of_kernels(how, layer, heard),
            connection=Connection.CONVOLUTION,
        )
        found.populations.append(layer)
        found.projections.append(kernels)
        if heard is not layer:
            found.populations.append(heard)
            found.projections.append(_between(layer, heard, heard.name, Connection.POOL))
        if how is not None:
            _learn(found, checkpoint, layer, heard, how)
        below = heard
    return found


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


def mean_of(heard: Population, layer: str) -> Population:
    """A neuron for each channel of a map, which adds up its positions."""
    channels, height, width = heard.map
    return Population(
        name=layer + MEAN,
        size=channels,
        level=heard.level + 1,
        neuron=SpatialMean(height * width),
        shape=(channels, 1, 1),
    )


def _learn(
    found: Maps, checkpoint: Checkpoint, layer: Population, heard: Population, how: Learning
) -> None:
    """Adds what a layer needs to learn beside its kernels, which have their rule."""
    name, mean = layer.name, mean_of(heard, layer.name)
    found.populations.append(mean)
    found.projections.append(_between(heard, mean, mean.name, Connection.SUM))
    for role, compartment in {
        "prediction": Compartment.APICAL,
        "retrodiction": Compartment.RETRO,
    }.items():
        if role in how.rules:
            title = f"{name}.{role}"
            weights = _float64(checkpoint, title)
            found.projections.append(
                Projection(title, mean.name, mean.name, compartment, weights, how.rules[role])
            )
    read = {quantity for term in how.rules["forward"].terms for quantity in term.post}
    for quantity, (role, compartment) in SPREAD.items():
        if quantity in read:
            spread = _between(mean, layer, f"{name}.{role}", Connection.SPREAD)
            found.projections.append(replace(spread, compartment=compartment, carries=quantity))
    if heard is not layer:
        back = _between(heard, layer, f"{name}.inhibition", Connection.UNPOOL)
        found.projections.append(
            replace(back, compartment=Compartment.INHIBITION, carries=Quantity.WINNER)
        )
    found.comparators.extend(replace(c, population=mean.name) for c in how.comparators)


def _of_kernels(how: Learning, layer: Population, heard: Population) -> LearningRule:
    """The rule of shared kernels, whose change is the sum over positions.

    The dendritic signal of a position is that of the mean divided by their number (Appendix B).
    """
    name, rule = layer.name, how.rules["forward"]
    if layer.bias:
        raise InputError(
            f"{name}.bias learns in the reference, but on a chip a bias is no synapse: train "
            "without (encoder.bias false, as the preset fashion-conv-chip does), or compile with "
            "learning left out (--static)"
        )
    if how.averages is not None:
        raise InputError(
            f"{name} is a map whose rule keeps averages of its mean activity, which are not spread "
            "over its positions: use a dense encoder, or compile with learning left out (--static)"
        )
    for term in rule.terms:
        unheard = [q for q in term.post if q not in (*SPREAD, *OF_A_NEURON)]
        if unheard:
            raise InputError(
                f"{name} is a map whose rule reads the {unheard[0].value} of its mean activity, "
                "which is not spread over its positions: use a dense encoder, or compile with "
                "learning left out (--static)"
            )
    positions = prod(heard.map[1:])
    terms = tuple(replace(t, coefficient=t.coefficient / positions) for t in rule.terms)
    return replace(rule, terms=terms)


def _between(
    source: Population, target: Population, name: str, connection: Connection
) -> Projection:
    """A projection with fixed weights onto the soma."""
    whole = max(source.map, target.map, key=prod)
    weights = {
        Connection.POOL: neighbour_bits(),
        Connection.UNPOOL: winner_shifts(),
        Connection.SUM: np.ones(whole[1:]),
        Connection.SPREAD: np.ones(whole[1:]),
    }[connection]
    return Projection(
        name=name,
        source=source.name,
        target=target.name,
        compartment=Compartment.SOMA,
        weights=weights.astype(float),
        connection=connection,
    )


def _float64(checkpoint: Checkpoint, name: str) -> np.ndarray:
    found: np.ndarray = checkpoint.weights[name].double().numpy()
    return found
