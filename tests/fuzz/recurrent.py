"""Strategies for source networks that only compute: any neurons, recurrence, delays, sequences."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from hypothesis import strategies as st

from compiler.ir import (
    Compartment,
    Connection,
    Network,
    Neuron,
    Population,
    Projection,
    Reset,
    Schedule,
)
from fuzz.drawn import SEEDS, Draw
from fuzz.networks import weights

SIZES = st.integers(1, 5) | st.sampled_from([1, 2, 8, 16, 17, 65])
STEPS = st.integers(1, 9) | st.sampled_from([16, 33, 64])
DECAYS = st.sampled_from([0.9, 1.0, 0.0, 0.99, 0.5]) | st.floats(0, 1)
THRESHOLDS = st.sampled_from([1.0, 0.5, 0.25, 2.0, 0.1, 1e-3, 0.0, 30.0])
RESETS = st.sampled_from(list(Reset))
DELAYS = st.sampled_from([0, 0, 1, 2, 5])  # beyond the least that there has to be


@st.composite
def values(draw: Draw, one: st.SearchStrategy[float], size: int) -> float | tuple[float, ...]:
    """One for all, or one a neuron, of which a few differ."""
    if draw(st.booleans()):
        return draw(one)
    some = draw(st.lists(one, min_size=1, max_size=4))
    random = np.random.default_rng(draw(SEEDS))
    return tuple(float(some[i]) for i in random.integers(0, len(some), size))


@st.composite
def neurons(draw: Draw, size: int, silent: bool) -> Neuron:
    """Any neuron; a leaky integrator only where nobody has to hear it."""
    never = silent and draw(st.booleans())
    start = st.sampled_from([0.0, 0.0, 0.3, -0.5])
    return Neuron(
        decay=draw(values(DECAYS, size)),
        threshold=None if never else draw(values(THRESHOLDS, size)),
        reset=draw(RESETS),
        current_decay=draw(values(DECAYS, size)) if draw(st.booleans()) else None,
        start=draw(values(start, size)),
    )


@st.composite
def inputs(draw: Draw, name: str, shape: tuple[int, int, int] | None, size: int) -> Population:
    """Intensities, intensities as spikes, spikes step by step, or graded values."""
    kind = draw(st.sampled_from(["binary", "intensities", "rates", "graded", "binary"]))
    if kind == "intensities":
        return Population(name, size, 0, scale=1 / 255, shape=shape)
    if kind == "rates":
        return Population(name, size, 0, shape=shape, spikes=True)
    largest = 1 if kind == "binary" else draw(st.sampled_from([2, 15, 255]))
    return Population(name, size, 0, scale=1 / largest, shape=shape, sequence=largest)


@st.composite
def recurrent(draw: Draw, sizes: st.SearchStrategy[int] = SIZES) -> Network:
    """One to three levels, dense or maps; some onto themselves, some further up or down."""
    mapped = draw(st.sampled_from([False, False, True]))
    sides = (draw(st.integers(1, 4)), draw(st.integers(1, 4)))

    def place() -> tuple[tuple[int, int, int] | None, int]:
        if not mapped:
            return None, draw(sizes)
        channels = draw(st.sampled_from([1, 2, 3, 17]))
        return (channels, *sides), channels * sides[0] * sides[1]

    shape, size = place()
    populations = [draw(inputs("input", shape, size))]
    top = draw(st.integers(1, 3))
    for level in range(1, top + 1):
        shape, size = place()
        neuron = draw(neurons(size, silent=level == top))
        bias = tuple(draw(weights((size,)))) if draw(st.booleans()) else ()
        populations.append(Population(f"layer{level}", size, level, neuron, shape=shape, bias=bias))
    projections = [
        _joined(draw, below, above, "forward", draw(DELAYS))
        for below, above in pairwise(populations)
    ]
    layers = [p for p in populations[1:] if isinstance(p.neuron, Neuron) and p.neuron.spiking]
    for p in layers:
        if draw(st.booleans()):
            projections.append(_joined(draw, p, p, "again", 1 + draw(DELAYS)))
        if draw(st.booleans()):
            own = draw(weights((p.size,)))
            projections.append(
                Projection(
                    f"{p.name}.itself", p.name, p.name, Compartment.SOMA, own,
                    connection=Connection.ONE_TO_ONE, delay=1 + draw(DELAYS),
                )
            )  # fmt: skip
    sources = [p for p in (populations[0], *layers) if not p.graded]
    for source in sources:
        for target in populations[1:]:
            climbs = target.level - source.level
            if climbs not in (0, 1) and draw(st.booleans()):
                least = max(0, 1 - climbs)
                projections.append(_joined(draw, source, target, "far", least + draw(DELAYS)))
    graded = populations[0].graded
    projections = [p if not (graded and p.source == "input") else _at_once(p) for p in projections]
    return Network(tuple(populations), tuple(projections), Schedule(draw(STEPS)))


def _at_once(p: Projection) -> Projection:
    return Projection(p.name, p.source, p.target, p.compartment, p.weights, None, p.connection)


def _joined(
    draw: Callable, source: Population, target: Population, role: str, delay: int
) -> Projection:
    """All-to-all, or kernels between maps."""
    connection, shape = Connection.ALL_TO_ALL, (target.size, source.size)
    if source.shape is not None and target.shape is not None and draw(st.booleans()):
        kernel = draw(st.sampled_from([1, 3]))
        connection = Connection.CONVOLUTION
        shape = (target.shape[0], source.shape[0], kernel, kernel)
    name = f"{target.name}.{role}.{source.name}"
    own = draw(weights(shape))
    return Projection(
        name, source.name, target.name, Compartment.SOMA, own, connection=connection, delay=delay
    )
