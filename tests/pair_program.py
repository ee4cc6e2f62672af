"""Postsynaptic neurons that a strong input makes spike once, and plastic inputs around it.

Inputs spike by their intensity: once in `STEPS` steps, at `step_of(intensity)`. A neuron
spikes in the step in which the strong input's spike arrives, of which its synapses learn one step
after the strong input sent it, in step t; so a plastic input that spiked in step s was t + 1 - s
steps earlier. What the plastic inputs learn stays far below the threshold.
"""

from __future__ import annotations

import numpy as np

from compiler.ir import (
    Compartment,
    Modulator,
    Network,
    Neuron,
    Population,
    Projection,
    Schedule,
)
from compiler.ir.spike_timing import SpikeTimingRule
from compiler.trace import Stimulus

STEPS, REST = 12, 52  # a rest in which traces vanish
THRESHOLD = 1.0


def step_of(intensity: int) -> int:
    """The step of an input's only spike."""
    first, second = -(-128 // intensity), -(-384 // intensity)
    assert first <= STEPS < second, f"intensity {intensity} spikes at {first}, {second}"
    return first - 1


INTENSITIES = tuple(
    next(i for i in range(30, 10, -1) if -(-128 // i) == step + 1) for step in range(4, 12)
)
"""One for each step from 4 to 11."""


def network(rule: SpikeTimingRule, copies: int = 1) -> Network:
    """`copies` equal neurons, each with a plastic input of weight 0 for each of INTENSITIES."""
    neuron = Neuron(0.5, THRESHOLD)
    plastic = np.zeros((copies, len(INTENSITIES)))
    strong = np.full((copies, 1), 1.5 * THRESHOLD)
    soma = Compartment.SOMA
    return Network(
        (
            Population("pre", len(INTENSITIES), 0, spikes=True),
            Population("strong", 1, 0, spikes=True),
            Population("post", copies, 1, neuron),
        ),
        (
            Projection("plastic", "pre", "post", soma, plastic, rule),
            Projection("stimulus", "strong", "post", soma, strong),
        ),
        Schedule(STEPS, REST),
        modulators=(Modulator("reward"),) if rule.eligibility else (),
    )


def stimulus(post: int, fixations: int, rewards: np.ndarray | None = None) -> Stimulus:
    """The neurons spike in step `post`, every plastic input in its own."""
    strong = next(i for i in INTENSITIES if step_of(i) == post)
    seen = {
        "pre": np.tile(np.array(INTENSITIES, np.uint8), (fixations, 1)),
        "strong": np.full((fixations, 1), strong, np.uint8),
    }
    return Stimulus(seen, {} if rewards is None else {"reward": rewards.astype(np.int8)})
