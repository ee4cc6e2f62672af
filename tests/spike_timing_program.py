"""Small networks that learn from spike times, lowered by the whole pipeline, for tests."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from compiler.ir import (
    Comparator,
    Compartment,
    Modulator,
    Network,
    Neuron,
    Population,
    Projection,
    Quantity,
    Schedule,
)
from compiler.ir.spike_timing import SpikeTimingRule
from compiler.local_rules.reward_stdp import reward_stdp
from compiler.local_rules.stdp import stdp
from compiler.pipeline import compile_network
from compiler.program import Program
from compiler.targets import load_target
from compiler.trace import Stimulus

RULE = stdp(2.0**-8, 1.1 * 2.0**-8, 6.0, 9.0)
LARGE = stdp(2.0**-5, 1.1 * 2.0**-5, 6.0, 9.0)  # learned in the weights themselves
REWARDED = reward_stdp(2.0**-7, 1.1, 6.0, 9.0, 0.5, "reward")
CLASSES = 3


def network(
    widths: tuple[int, ...] = (12, 8, 6),
    steps: int = 8,
    rest: int = 8,
    rule: SpikeTimingRule | None = RULE,
    seed: int = 1,
) -> Network:
    """A spiking input and layers of LIF neurons, each learning by the rule."""
    random = np.random.default_rng(seed)
    populations = [Population("input", widths[0], 0, spikes=True)]
    projections = []
    for level, (below, size) in enumerate(pairwise(widths), 1):
        name, source = f"layer{level}", populations[-1].name
        reset = str(random.choice(["subtract", "zero"]))
        populations.append(Population(name, size, level, Neuron(0.9, 1.0, reset)))
        weights = 3 * random.normal(0.3, 1.0, (size, below)) / np.sqrt(below)
        end = Compartment.SOMA
        projections.append(Projection(f"{name}.forward", source, name, end, weights, rule))
    rewarded = rule is not None and rule.eligibility is not None
    critic = Comparator("reward", name, "class", 0.0, (Quantity.COUNT,), classes=CLASSES)
    return Network(
        tuple(populations),
        tuple(projections),
        Schedule(steps, rest),
        (critic,) if rewarded else (),
        (Modulator("class"),) if rewarded else (),
    )


def compiled(source: Network, seed: int = 1, target: str = "loihi2-sim") -> Program:
    """The network's program."""
    return compile_network(source, load_target(target), seed=seed).program


def stimulus(program: Program, fixations: int, seed: int = 0) -> Stimulus:
    """Random intensities, and labels: classes, signs where there is a gate, some unknown."""
    random = np.random.default_rng(seed)
    size = program.population("input").size
    seen = random.integers(0, 256, (fixations, size)).astype(np.uint8)
    choice = range(-1, CLASSES) if "class" in program.modulators else (-1, 1)
    signals = {m: random.choice(choice, fixations).astype(np.int8) for m in program.modulators}
    return Stimulus({"input": seen}, signals)
