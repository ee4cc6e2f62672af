"""Source networks that mean nothing are refused, all faults at once, each by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clapp_neuro.errors import InputError
from compiler.ir import (
    Compartment,
    Connection,
    Network,
    Neuron,
    Population,
    Projection,
    Schedule,
    per_neuron,
)
from compiler.passes.admit import admit

INPUT = Population("input", 3, 0, sequence=1)
LAYER = Population("layer", 4, 1, Neuron(0.9, 1.0))
FORWARD = Projection("forward", "input", "layer", Compartment.SOMA, np.ones((4, 3)))
AGAIN = Projection("again", "layer", "layer", Compartment.SOMA, np.ones((4, 4)), delay=1)
MAP = Population("map", 8, 1, Neuron(0.9, 1.0), shape=(2, 2, 2))


def network(*populations: Population, projections: tuple[Projection, ...] = ()) -> Network:
    return Network(populations, projections, Schedule(5))


def neuron(**changes) -> Network:
    return network(INPUT, replace(LAYER, neuron=replace(LAYER.neuron, **changes)))


def joined(projection: Projection, **changes) -> Network:
    projections = (FORWARD, AGAIN, replace(projection, **changes))
    return network(INPUT, LAYER, projections=projections)


FAULTS = {
    "population layer: decay has 3 values for 4 channels": neuron(decay=(0.5, 0.5, 0.5)),
    "population layer: decay of neuron 1 is 1.5 (2 such)": neuron(decay=(0.5, 1.5, -1.0, 0)),
    "population layer: decay of neuron 0 is -0.1": neuron(decay=-0.1),
    "population layer: current_decay of neuron 0 is nan": neuron(current_decay=float("nan")),
    "population layer: threshold of neuron 0 is -1": neuron(threshold=-1.0),
    "population layer: start of neuron 0 is inf": neuron(start=float("inf")),
    "population layer has the reset 'soft': use one of 'subtract'": neuron(reset="soft"),
    "population layer: bias has 2 values": network(INPUT, replace(LAYER, bias=(1.0, 2.0))),
    "population map has 9 neurons in a map of (2, 2, 2)": network(INPUT, replace(MAP, size=9)),
    "population input is given values up to 256": network(replace(INPUT, sequence=256)),
    "population layer is given a sequence": network(INPUT, replace(LAYER, sequence=1)),
    "projection again goes from level 1 to level 1 with a delay of 0": joined(AGAIN, delay=0),
    "needs 1 at least": joined(AGAIN, delay=0),
    "projection forward: the weight at [0, 1] is nan": joined(
        FORWARD, weights=np.array([[1, np.nan, 0]] * 4)
    ),
    "projection forward connects what does not exist": joined(FORWARD, source="nobody"),
    "projection again is one-to-one with 3 weights": joined(
        AGAIN, connection=Connection.ONE_TO_ONE, weights=np.ones(3)
    ),
    "projection again begins at layer, which never spikes": network(
        INPUT, replace(LAYER, neuron=Neuron(0.9, None)), projections=(FORWARD, AGAIN)
    ),
    "brings intensities from level 0 to level 1 with a delay of 1": network(
        replace(INPUT, sequence=0), LAYER, projections=(replace(FORWARD, delay=1),)
    ),
    "projection again has a delay of 1: only what drives a soma": joined(
        AGAIN, compartment=Compartment.APICAL
    ),
}


@pytest.mark.parametrize("words", FAULTS)
def test_faults_are_named(words: str) -> None:
    with pytest.raises(InputError) as caught:
        admit(FAULTS[words])
    assert words in str(caught.value)


def test_all_faults_at_once() -> None:
    several = neuron(decay=2.0, threshold=float("nan"), reset="soft")
    with pytest.raises(InputError) as caught:
        admit(several)
    assert len(str(caught.value).splitlines()) == 3


def test_what_means_something_is_admitted() -> None:
    high = replace(LAYER, name="high", level=2, neuron=Neuron((0.0, 1.0, 0.5, 0.1), 0.0))
    skip = replace(FORWARD, name="skip", target="high")
    back = replace(AGAIN, name="back", source="high", delay=2)
    admit(network(INPUT, LAYER, high, projections=(FORWARD, AGAIN, skip, back)))


def test_values_are_one_or_one_a_channel_or_one_a_neuron() -> None:
    shape = (2, 1, 3)
    assert per_neuron(7, shape).tolist() == [7] * 6
    assert per_neuron((1, 2), shape).tolist() == [1, 1, 1, 2, 2, 2]
    assert per_neuron((1, 2, 3, 4, 5, 6), shape).tolist() == [1, 2, 3, 4, 5, 6]
    assert per_neuron(7, shape).dtype == np.int64
    with pytest.raises(ValueError, match="4 values for 2 channels of 3 positions"):
        per_neuron((1, 2, 3, 4), shape)
