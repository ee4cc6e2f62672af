"""A small network that learns, lowered by the real passes, for tests that need a program."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from clapp_neuro.config import TrainConfig
from compiler.frontends.checkpoint import RULES
from compiler.ir import (
    Comparator,
    Compartment,
    Modulator,
    Network,
    Neuron,
    Population,
    Projection,
    Schedule,
)
from compiler.local_rules.layer import Layer, Learning
from compiler.passes.lowering.learning import lower_learning
from compiler.passes.lowering.schedule import schedule
from compiler.passes.quantizing.quantize import quantize
from compiler.program import Program
from compiler.targets.limits import Limits
from compiler.trace import Stimulus


def network(
    widths: tuple[int, ...] = (12, 8, 6),
    steps: int = 8,
    plastic: bool = True,
    method: str = "clapp",
    seed: int = 1,
    rate: float = 2**-10,
) -> Network:
    """Input and layers of LIF neurons; with `plastic`, the method's rule in every layer."""
    random = np.random.default_rng(seed)
    populations = [Population("input", widths[0], 0, scale=1 / 255)]
    projections: list[Projection] = []
    comparators: list[Comparator] = []
    train = TrainConfig(method=method, sgd_rate=rate)
    for level, (below, size) in enumerate(pairwise(widths), 1):
        name, source = f"layer{level}", "input" if level == 1 else f"layer{level - 1}"
        tensors = {
            role: random.normal(0.3, 1.0, (size, columns)) / np.sqrt(columns)
            for role, columns in (("forward", below), ("prediction", size), ("retrodiction", size))
        }
        own = np.random.default_rng([seed, level])
        tensors |= {"mean": own.uniform(0, 0.3, size), "variance": own.uniform(0, 0.1, size)}
        learning = Learning({})
        if plastic:
            learning = RULES[method].learning(Layer(name, "saccade", train, tensors))
        neuron = Neuron(0.9, 1.0)
        populations.append(Population(name, size, level, neuron, averages=learning.averages))
        for role, compartment in (
            ("forward", Compartment.SOMA),
            ("prediction", Compartment.APICAL),
            ("retrodiction", Compartment.RETRO),
        ):
            rule, start = learning.rules.get(role), source if role == "forward" else name
            if rule is not None or role == "forward":
                title = f"{name}.{role}"
                projections.append(Projection(title, start, name, compartment, tensors[role], rule))
        comparators += learning.comparators
    return Network(
        tuple(populations),
        tuple(projections),
        Schedule(steps),
        tuple(comparators),
        (Modulator("saccade"),) if plastic else (),
    )


def compiled(
    widths: tuple[int, ...] = (12, 8, 6),
    steps: int = 8,
    plastic: bool = True,
    method: str = "clapp",
    seed: int = 1,
    rate: float = 2**-10,
    limits: Limits | None = None,
) -> Program:
    """The same network as a program: weights to +-127, tags to +-255, numbers as limits allow."""
    source = network(widths, steps, plastic, method, seed, rate)
    quantized, _ = quantize(source, 127, limits)
    program, _ = lower_learning(
        quantized, schedule(source), target="loihi2-sim", seed=1, weight_max=127, tag_max=255
    )
    return program


def stimulus(program: Program, fixations: int, seed: int = 0) -> Stimulus:
    """Random intensities of the one input, and labels of -1 and +1 after a first 0."""
    random = np.random.default_rng(seed)
    labels = random.choice([-1, 1], fixations).astype(np.int8)
    labels[:1] = 0
    seen = random.integers(0, 256, (fixations, program.populations[0].size)).astype(np.uint8)
    return Stimulus({"input": seen}, dict.fromkeys(program.modulators, labels))
