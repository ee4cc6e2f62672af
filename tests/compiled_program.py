"""A small CLAPP network, lowered by the real passes, for tests that need a compiled program."""

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
    Schedule,
)
from compiler.local_rules.clapp import forward, prediction, retrodiction
from compiler.passes.lower_learning import lower_learning
from compiler.passes.quantize import quantize
from compiler.passes.schedule import schedule
from compiler.program import Program


def network(widths: tuple[int, ...] = (12, 8, 6), steps: int = 8, plastic: bool = True) -> Network:
    """Input and layers of LIF neurons; with `plastic`, CLAPP on every layer."""
    random = np.random.default_rng(1)
    populations = [Population("input", widths[0], 0, scale=1 / 255)]
    projections, comparators = [], []
    for level, (below, size) in enumerate(pairwise(widths), 1):
        name, source = f"layer{level}", "input" if level == 1 else f"layer{level - 1}"
        gate = f"gate{level}" if plastic else None
        rate = 2**-10
        populations.append(Population(name, size, level, Neuron(0.9, 1.0)))

        def weights(rows: int, columns: int) -> np.ndarray:
            return random.normal(0.3, 1.0, (rows, columns)) / np.sqrt(columns)

        projections.append(
            Projection(
                f"{name}.forward",
                source,
                name,
                Compartment.SOMA,
                weights(size, below),
                forward(rate, gate) if gate else None,
            )
        )
        if gate:
            for part, compartment, rule in (
                ("prediction", Compartment.APICAL, prediction(rate, gate)),
                ("retrodiction", Compartment.RETRO, retrodiction(rate, gate)),
            ):
                own = weights(size, size)
                projections.append(Projection(f"{name}.{part}", name, name, compartment, own, rule))
            comparators.append(Comparator(gate, name, "saccade", 1.0))
    return Network(
        tuple(populations),
        tuple(projections),
        Schedule(steps),
        tuple(comparators),
        (Modulator("saccade"),) if plastic else (),
    )


def compiled(widths: tuple[int, ...] = (12, 8, 6), steps: int = 8, plastic: bool = True) -> Program:
    """The same network as a program: weights to +-127, tags to +-255."""
    source = network(widths, steps, plastic)
    quantized, _ = quantize(source, 127)
    program, _ = lower_learning(
        quantized, schedule(source), target="loihi2-sim", seed=1, weight_max=127, tag_max=255
    )
    return program
