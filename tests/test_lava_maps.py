"""Convolutions and pools on Lava's own Conv, equal to the simulator after every time step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conv_network import conv_network, plain_spikes

from clapp_neuro.errors import InputError
from compiler.backends import lava, simulator
from compiler.pipeline import compile_network
from compiler.program import Program
from compiler.targets import load_target
from compiler.trace import Stimulus
from compiler.verify import compare

TARGET = load_target("loihi2-lava")
TIMEOUT = 120.0


def program_of(**settings) -> Program:
    return compile_network(conv_network(**settings), TARGET).program


def stimulus(program: Program, fixations: int, seed: int) -> Stimulus:
    random = np.random.default_rng(seed)
    shape = (fixations, program.populations[0].size)
    seen = random.integers(0, 256, shape) * (random.random(shape) < 0.6)
    return Stimulus({"input": seen.astype(np.uint8)}, {})


@pytest.mark.parametrize(
    "settings",
    [
        {"sides": (6, 6), "channels": (1, 3, 4), "pools": (1, 2)},
        {"sides": (7, 5), "channels": (2, 4, 3), "pools": (1,), "reset": "zero", "seed": 3},
        {"sides": (1, 1), "channels": (1, 2), "seed": 1, "gain": 9.0},
        {"sides": (4, 6), "channels": (3, 5, 2), "kernel": 5, "steps": 3, "seed": 2},
    ],
)
def test_maps_equal_the_simulator_at_every_step(settings: dict) -> None:
    program = program_of(**settings)
    seen = stimulus(program, 4, settings.get("seed", 0))
    ours = simulator.trace(program, seen, learn=False)
    (*_, total) = compare(program, ours, lava.trace(program, seen, False, TIMEOUT))
    assert total.equal and total.fixations == 4, total.first_difference
    shown = list(simulator.trace(program, seen, learn=False))
    assert any(t.spikes[program.populations[-1].name].any() for t in shown)
    for t, intensities in zip(shown, seen.intensities["input"], strict=True):
        for name, spikes in plain_spikes(program, intensities).items():
            assert np.array_equal(t.spikes[name], spikes)


def test_a_wrong_kernel_is_found() -> None:
    """The comparison can fail: one weight more on one engine is a difference."""
    program = program_of(sides=(4, 4), channels=(1, 2), pools=(1,))
    first, *rest = program.synapses
    weights = first.weights.copy()
    weights[0, 0, 0, 0] += 40
    other = replace(program, synapses=(replace(first, weights=weights), *rest))
    seen = stimulus(program, 3, 0)
    ours = simulator.trace(other, seen, learn=False)
    (*_, total) = compare(program, ours, lava.trace(program, seen, False, TIMEOUT))
    assert not total.equal


def test_sums_that_lava_would_wrap_are_refused() -> None:
    program = program_of(sides=(1, 1), channels=(30, 1), kernel=7)
    wide = replace(program.synapses[0], weights=np.zeros((1, 30, 7, 7), np.int8))
    with pytest.raises(InputError, match="more than the 24 bits of Lava's Conv"):
        list(lava.trace(replace(program, synapses=(wide,)), stimulus(program, 1, 0), False))
