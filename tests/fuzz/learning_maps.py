"""Strategies for maps whose kernels learn: any side, pooled or not, from silent to saturated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import plastic_maps
from hypothesis import strategies as st

from compiler.ir import LearningRule, Network, Neuron, Population, Projection, Schedule
from compiler.terms import CHANNELWISE, Connection
from fuzz.drawn import DECAYS, RESETS, THRESHOLDS, Draw, weights

# Only what spikes at some steps and not at others learns, and only in maps that are not all silent.
LASTING = st.sampled_from([0.9, 0.9, 1.0, 0.5]) | DECAYS
DRIVEN = st.sampled_from([2.0, 1.0, 4.0, 0.5, 8.0])  # thresholds in currents of the best channel
STEPS = st.integers(5, 12) | st.integers(1, 9) | st.sampled_from([16, 31])
ALMOST_ALWAYS = st.sampled_from([*[True] * 7, False])
CHANNELS = st.integers(1, 3) | st.sampled_from([1, 5, 16, 17])


@st.composite
def learning_maps(draw: Draw, channels: st.SearchStrategy[int] = CHANNELS) -> Network:
    """One to three convolutions that learn by CLAPP, with retrodiction or without."""
    layers = tuple(draw(st.lists(channels, min_size=1, max_size=3)))
    pool = tuple(layer for layer in range(1, len(layers) + 1) if draw(st.booleans()))[:2]
    source = plastic_maps.network(
        layers=layers,
        pool=pool,
        patch=draw(st.integers(2 ** len(pool), 7) | st.just(2 ** len(pool))),
        rate=2.0 ** -draw(st.integers(7, 13)),
        coding=draw(st.sampled_from(["intensity", "on-off"])),
        retro=draw(st.sampled_from(["own", "own", "none"])),
    )
    side = draw(st.sampled_from([3, 1, 5]))
    margin = draw(st.sampled_from([1.0, 0.1, 30.0]))
    projections = tuple(draw(_projection(p, side)) for p in source.projections)
    kernels = {p.target: p.weights for p in projections if p.connection is Connection.CONVOLUTION}
    return replace(
        source,
        populations=tuple(draw(_population(p, kernels.get(p.name))) for p in source.populations),
        projections=projections,
        comparators=tuple(replace(c, margin=margin) for c in source.comparators),
        schedule=Schedule(draw(STEPS)),
    )


@st.composite
def _population(draw: Draw, population: Population, kernels: np.ndarray | None) -> Population:
    if kernels is None:
        return population
    off = max(0, kernels.shape[-1] - population.map[1]) // 2  # entries that no position sees
    seen = kernels[:, :, off : kernels.shape[2] - off, off : kernels.shape[3] - off]
    best = float(seen.sum((1, 2, 3)).max()) / 2
    threshold = draw(DRIVEN) * best if best > 0 and draw(ALMOST_ALWAYS) else draw(THRESHOLDS)
    neuron = Neuron(draw(LASTING), threshold, draw(RESETS))
    bias = tuple(draw(weights((population.map[0],)))) if draw(st.booleans()) else ()
    return replace(population, neuron=neuron, bias=bias)


@st.composite
def _projection(draw: Draw, projection: Projection, side: int) -> Projection:
    if projection.connection in CHANNELWISE:
        return projection
    if projection.connection is not Connection.CONVOLUTION:
        return replace(projection, weights=draw(weights(projection.weights.shape)))
    post, pre = projection.weights.shape[:2]
    kernels: np.ndarray = draw(weights((post, side**2 * pre)))
    kernels = kernels.reshape(post, pre, side, side)
    assert isinstance(projection.rule, LearningRule)
    # in proportion to what a weight is worth, since the compiler refuses a rate that no tag holds
    worth = min(1.0, float(np.abs(kernels).max()) or 1.0)
    terms = tuple(replace(t, coefficient=t.coefficient * worth) for t in projection.rule.terms)
    return replace(projection, weights=kernels, rule=replace(projection.rule, terms=terms))
