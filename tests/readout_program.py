"""A small network with a readout on top, lowered by the real passes."""

from __future__ import annotations

import numpy as np
from compiled_program import network

from compiler.frontends.checkpoint.readout import with_readout
from compiler.ir import Network
from compiler.pipeline import compile_network
from compiler.program import Program
from compiler.targets import load_target
from compiler.trace import Stimulus

CLASSES = 3


def readout_network(
    *, plastic: bool = True, rate: float = 2**-8, depth: int = 2, positions: int = 0
) -> Network:
    """Layers that learn or not, and a readout of three classes, or one for each position."""
    layers = network((12, 8, 6, 5)[: depth + 1], plastic=plastic)
    return with_readout(layers, CLASSES, rate, positions)


def readout_program(seed: int = 3, **how: object) -> Program:
    """The same as a program."""
    return compile_network(readout_network(**how), load_target("loihi2-sim"), seed).program  # type: ignore[arg-type]


def images(program: Program, fixations: int, seed: int = 0) -> Stimulus:
    """Each class has a pattern of its own, under noise; some fixations have no label."""
    random = np.random.default_rng(seed)
    patterns = random.integers(0, 200, (CLASSES, 12))
    label = random.integers(0, CLASSES, fixations)
    inputs = patterns[label] + random.integers(0, 56, (fixations, 12))
    signals = dict.fromkeys(program.modulators, random.choice([-1, 1], fixations).astype(np.int8))
    told = np.where(random.random(fixations) < 0.1, -1, label).astype(np.int8)
    critics = [gate for gate in program.gates if gate.classes]
    for position, critic in enumerate(critics):  # several take turns, as the gaze does
        here = np.arange(fixations) % len(critics) == position
        signals[critic.modulator] = np.where(here, told, -1).astype(np.int8)
    return Stimulus({"input": inputs.astype(np.uint8)}, signals)
