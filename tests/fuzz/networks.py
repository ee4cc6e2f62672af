"""Strategies for source networks: layers of any width and kind, maps, several inputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from conv_network import conv_network
from hypothesis import strategies as st
from spike_timing_program import network as spike_timing_network

from clapp_neuro.config import TrainConfig
from compiler.frontends.checkpoint import RULES
from compiler.ir import (
    Comparator,
    Compartment,
    LearningRule,
    Modulator,
    Network,
    Neuron,
    Population,
    Projection,
    Quantity,
    Schedule,
    Term,
)
from compiler.local_rules.layer import Layer, Learning
from compiler.local_rules.reward_stdp import reward_stdp
from compiler.local_rules.stdp import stdp
from fuzz.drawn import DECAYS, RESETS, SEEDS, STEPS, THRESHOLDS, WIDTHS, Draw, weights
from fuzz.learning_maps import learning_maps
from fuzz.readouts import read_out
from fuzz.traces import traced

METHODS = ("static", "clapp", "espp", "lpl", "modulated", "clapp without retrodiction", "clapp")
CHANNELS = st.integers(1, 4) | st.sampled_from([16, 17, 33])
ROLES = {
    "forward": Compartment.SOMA,
    "prediction": Compartment.APICAL,
    "retrodiction": Compartment.RETRO,
}


@st.composite
def dense(draw: Draw, widths: st.SearchStrategy[int] = WIDTHS) -> Network:
    """One to three levels of one or two populations, and what each learns by."""
    inputs = draw(st.integers(1, 2))
    populations = [
        Population(f"input{i}", draw(widths), 0, scale=draw(st.sampled_from([1 / 255, 1 / 100])))
        for i in range(inputs)
    ]
    projections: list[Projection] = []
    comparators: list[Comparator] = []
    below = populations[:]
    for level in range(1, draw(st.integers(1, 3)) + 1):
        here = []
        for i in range(draw(st.sampled_from([1, 1, 2]))):
            name = f"layer{level}" + "ab"[i]
            neuron = Neuron(draw(DECAYS), draw(THRESHOLDS), draw(RESETS))
            size = draw(widths)
            sources = [p for p in below if p is below[0] or draw(st.booleans())]
            learning, tensors = draw(_learning(name, size, sources[0], neuron.threshold))
            bias = tuple(draw(weights((size,)))) if draw(st.booleans()) else ()
            averages = learning.averages
            here.append(Population(name, size, level, neuron, averages=averages, bias=bias))
            projections += [
                Projection(
                    f"{name}.{role}",
                    sources[0].name if role == "forward" else name,
                    name,
                    compartment,
                    tensors[role],
                    learning.rules.get(role),
                )
                for role, compartment in ROLES.items()
                if role == "forward" or role in learning.rules
            ]
            projections += [
                Projection(
                    f"{name}.from.{p.name}",
                    p.name,
                    name,
                    Compartment.SOMA,
                    draw(weights((size, p.size))),
                )
                for p in sources[1:]
            ]
            comparators += learning.comparators
        # a neighbour's apical dendrite hears predictions, too, where there is one that learns
        if len(here) == 2 and any(p.target == here[0].name and p.compartment is Compartment.APICAL
                                  for p in projections) and draw(st.booleans()):  # fmt: skip
            shape = (here[0].size, here[1].size)
            projections.append(
                Projection(
                    f"{here[0].name}.lateral",
                    here[1].name,
                    here[0].name,
                    Compartment.APICAL,
                    draw(weights(shape)),
                )
            )
        populations += here
        below = here
    if comparators and draw(st.sampled_from([False, False, True])):  # one gate for all layers
        only = draw(st.sampled_from(comparators)).name
        projections = [_gated_by(p, only) for p in projections]
    return Network(
        tuple(populations),
        tuple(projections),
        Schedule(draw(STEPS)),
        tuple(comparators),
        (Modulator("saccade"), Modulator("reward")),
    )


def _gated_by(projection: Projection, gate: str) -> Projection:
    if projection.rule is None:
        return projection
    terms = tuple(replace(t, gate=gate) for t in projection.rule.terms)
    return replace(projection, rule=replace(projection.rule, terms=terms))


@st.composite
def _learning(
    draw: Draw, name: str, size: int, source: Population, threshold: float
) -> tuple[Learning, dict[str, np.ndarray]]:
    """How a layer learns, and its weights by role."""
    method = draw(st.sampled_from(METHODS))
    wide = {"forward": source.size, "prediction": size, "retrodiction": size}
    tensors = {role: draw(weights((size, n))) for role, n in wide.items()}
    # in proportion to what a weight is worth, since the compiler refuses a rate that no tag holds
    worth = max(2 * np.abs(tensors["forward"]).max(), threshold / (510 if source.level == 0 else 2))
    rate = min(1.0, float(worth)) * 2.0 ** -draw(st.integers(6, 12))
    rate /= {"lpl": 128, "espp": 4}.get(method, 2)
    if method == "static":
        return Learning({}), tensors
    if method == "modulated":
        gate = draw(st.sampled_from(["reward", None]))
        hebbian = Term(rate, Quantity.COUNT, (Quantity.PREVIOUS_COUNT,), gate)
        decay = Term(-rate / 4, Quantity.PREVIOUS_COUNT, (Quantity.PREVIOUS_SURROGATE,))
        return Learning({"forward": LearningRule(method, (hebbian, decay))}), tensors
    random = np.random.default_rng(draw(SEEDS))
    averages = {"mean": random.uniform(0, 1, size), "variance": random.uniform(0, 0.3, size)}
    train = TrainConfig(
        method=method.split()[0],
        sgd_rate=rate,
        margin=draw(st.sampled_from([1.0, 0.1, 3.0])),
        retro="none" if "without" in method else None,
    )
    layer = Layer(name, "saccade", train, {**tensors, **averages})
    return RULES[train.method].learning(layer), tensors


@st.composite
def maps(draw: Draw, channels_of_a_layer: st.SearchStrategy[int] = CHANNELS) -> Network:
    """One to three convolutions on maps of any sides, pooled where something is left to pool."""
    sides = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    channels = tuple(draw(st.lists(channels_of_a_layer, min_size=2, max_size=4)))
    most = 0
    while min(sides) >> (most + 1):
        most += 1
    pools = tuple(layer for layer in range(1, len(channels)) if draw(st.booleans()))[:most]
    return conv_network(
        sides,
        channels,
        pools,
        kernel=draw(st.sampled_from([1, 3, 5])),
        steps=draw(st.integers(1, 9)),
        seed=draw(SEEDS),
        gain=draw(st.sampled_from([1.0, 0.0, 3.0, 50.0])),
        reset=draw(RESETS),
    )


@st.composite
def timed(draw: Draw) -> Network:
    """One or two layers that learn from spike times, by pairs or by pairs and a reward."""
    taus = draw(st.tuples(st.floats(0.5, 40), st.floats(0.5, 40)))
    rate = 2.0 ** -draw(st.integers(4, 12))
    rules = [
        stdp(rate, rate * draw(st.sampled_from([1.0, 1.1, 0.0])), *taus),
        reward_stdp(rate, 1.1, *taus, draw(st.sampled_from([0.5, 0.0, 1.0])), "reward"),
    ]
    widths = draw(st.lists(WIDTHS, min_size=2, max_size=3))
    period = draw(st.sampled_from([8, 16, 32]))
    steps = draw(st.integers(1, period - 5))
    rule = draw(st.sampled_from(rules))
    return spike_timing_network(tuple(widths), steps, period - steps, rule, draw(SEEDS))


def networks() -> st.SearchStrategy[Network]:
    """Any of them."""
    some = (dense(), dense(), read_out(dense()), maps(), timed(), traced())
    return st.one_of(*some, learning_maps(), learning_maps(), learning_maps())
