"""Strategies for maps and any split of them, and machines with other limits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import plastic_maps
from conv_network import conv_network
from hypothesis import strategies as st

from compiler.passes.placing.needs import Demand
from compiler.passes.placing.part import Part
from compiler.passes.placing.split import Grid
from compiler.pipeline import compile_network
from compiler.program import Program
from compiler.targets import NeuromorphicMachine, load_target
from compiler.turns import buffers_of, learners_of

TARGET = load_target("loihi2-sim")
LIMITS = TARGET.machine.limits


def machine(shared: bool = True, **limits: int) -> NeuromorphicMachine:
    """Loihi 2 with other limits, or with every position's own synapses."""
    changed = {
        name: getattr(LIMITS, name).model_copy(update={"value": value, "low": 0})
        for name, value in limits.items()
    }
    capabilities = TARGET.machine.capabilities
    kernels = capabilities.shared_kernels.model_copy(update={"value": shared})
    return TARGET.machine.model_copy(
        update={
            "limits": LIMITS.model_copy(update=changed),
            "capabilities": capabilities.model_copy(update={"shared_kernels": kernels}),
        }
    )


@st.composite
def placed(draw: Callable[..., int]) -> tuple[Program, dict[str, Grid]]:
    """A network of two convolutions and a pool, and any split of its populations."""
    sides = draw(st.integers(2, 7)), draw(st.integers(2, 6))
    channels = tuple(draw(st.integers(1, 5)) for _ in range(3))
    network = conv_network(sides, channels, (1,), kernel=draw(st.sampled_from([1, 3, 5])))
    program = compile_network(network, TARGET).program
    grids = {
        p.name: Grid(p.map, *(draw(st.integers(1, side)) for side in p.map))
        for p in program.populations
    }
    return program, grids


@st.composite
def learning(draw: Callable[..., int]) -> tuple[Program, dict[str, Grid]]:
    """Kernels that learn, means, spreads and unpools, and any split of the populations."""
    layers = tuple(draw(st.integers(1, 4)) for _ in range(draw(st.integers(1, 2))))
    pool = tuple(n for n in range(1, len(layers) + 1) if draw(st.booleans()))
    program = plastic_maps.program(
        layers=layers,
        pool=pool,
        patch=draw(st.integers(2 ** len(pool), 7)),
        rate=2**-12,
        averaged=1,
        sequential=draw(st.booleans()),
    )
    grids = {
        p.name: Grid(p.map, *(draw(st.integers(1, side)) for side in p.map))
        for p in program.populations
    }
    grids |= {g.name: Grid((1, 1, 1), 1) for g in program.gates}
    for s in program.synapses:
        if s.in_turn:
            out, channels, kernel, _ = s.weights.shape
            parts = [draw(st.integers(1, n)) for n in (channels, kernel, kernel)]
            grids[buffers_of(s)] = Grid((channels, kernel, kernel), *parts)
            grids[learners_of(s)] = Grid((out, 1, 1), draw(st.integers(1, out)))
    return program, grids


def members(program: Program, name: str, part: Part) -> np.ndarray:
    """Which neurons of a population lie in a part."""
    inside = np.zeros(program.population(name).map, bool)
    inside[part.box] = True
    return inside.ravel()


def of(asked: tuple[Demand, ...], name: str) -> Demand:
    return next(d for d in asked if d.name == name)
