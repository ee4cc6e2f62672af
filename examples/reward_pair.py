"""One pair of spikes and one reward on the chip: the weight that is expected, and what it becomes.

    python examples/reward_pair.py

sPyNNaker publishes such an example of reward-modulated STDP: a presynaptic spike at 1500 ms, the
postsynaptic one 4 ms later, tau_plus 10 ms, then dopamine; 10.306 is expected, and its chip, with
exponentials in 16-bit tables, finds 10.009. Here is the same pair on 8-bit weights, 9-bit tags and
7-bit traces: pre 4 steps before post, tau_plus 10 steps, and one reward when the fixation ends,
whose gain of 15 stands for what their dopamine amounts to. Expected: 15 * exp(-4/10).

A single synapse is rounded at random; 1,000 of them, of as many presynaptic neurons, show how much.
"""

from __future__ import annotations

import math

import numpy as np

from compiler.backends.simulator import simulate
from compiler.ir import (
    Compartment,
    Modulator,
    Network,
    Neuron,
    Population,
    Projection,
    Schedule,
)
from compiler.local_rules.reward_stdp import reward_stdp
from compiler.pipeline import compile_network
from compiler.targets import load_target
from compiler.trace import Stimulus

GAIN, DELAY, TAU_PLUS, TAU_MINUS = 15.0, 4, 10.0, 12.0
SYNAPSES = 1000
THRESHOLD = 20.0
PRE_INTENSITY, STRONG_INTENSITY = 30, 16  # their only spikes: in the steps 4 and 7 of 12
EXPECTED = GAIN * math.exp(-DELAY / TAU_PLUS)


def network() -> Network:
    """A neuron that a strong static input makes spike, with plastic synapses of weight 0."""
    rule = reward_stdp(GAIN, 1.0, TAU_PLUS, TAU_MINUS, 0.0, "reward")
    strong, plastic = np.full((1, 1), 1.5 * THRESHOLD), np.zeros((1, SYNAPSES))
    soma = Compartment.SOMA
    return Network(
        (
            Population("pre", SYNAPSES, 0, spikes=True),
            Population("strong", 1, 0, spikes=True),
            Population("post", 1, 1, Neuron(0.9, THRESHOLD)),
        ),
        (
            Projection("plastic", "pre", "post", soma, plastic, rule),
            Projection("stimulus", "strong", "post", soma, strong),
        ),
        Schedule(steps=12, rest=20),
        modulators=(Modulator("reward"),),
    )


def executed(seed: int = 0) -> np.ndarray:
    """The weights (SYNAPSES,) after one fixation and one reward, in real numbers."""
    program = compile_network(network(), load_target("loihi2-sim"), seed=seed).program
    inputs = {
        "pre": np.full((1, SYNAPSES), PRE_INTENSITY, np.uint8),
        "strong": np.full((1, 1), STRONG_INTENSITY, np.uint8),
    }
    stimulus = Stimulus(inputs, {"reward": np.ones(1, np.int8)})
    learned = simulate(program, stimulus).program.synapses[0]
    return np.asarray(learned.weights[0] * learned.unit)


if __name__ == "__main__":
    found = executed()
    unit = compile_network(network(), load_target("loihi2-sim")).program.synapses[0].unit
    print(f"expected {EXPECTED:.3f}; one unit of a weight is {unit:.3f}")
    print(f"the first synapse: {found[0]:.3f}")
    print(f"mean of {SYNAPSES}: {found.mean():.3f}, standard deviation {found.std():.3f}")
