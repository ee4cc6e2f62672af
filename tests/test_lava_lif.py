"""Somata compute what the fixed-point LIF of Lava computes, where a chip has such neurons."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from compiler.backends.lava.compat import load_lava
from compiler.backends.lava.soma import Neurons, NeuronState
from compiler.program import Soma
from compiler.terms import Reset

HALF, BIAS, THRESHOLD = 2**23, 77, 2_000 << 6
DECAYS = ((409, 128), (0, 0), (4095, 4096), (1, 4095))  # du, dv
STRENGTHS = (300, 4_000, 120_000)  # from currents that hardly add up to those that wrap


def compare(du: int, dv: int, strength: int) -> tuple[int, int, int]:
    """(wrapped currents, clipped potentials, spikes); AssertionError where the two differ.

    2^23 itself does not come up: Lava keeps it, which a word of 24 bits cannot.
    """
    from lava.proc.lif.models import PyLifModelBitAcc

    n, steps = 50, 40
    random = np.random.default_rng([du, dv, strength])
    theirs = PyLifModelBitAcc({"shape": (n,)})  # without the process around it
    theirs.u, theirs.v = np.zeros(n, np.int32), np.zeros(n, np.int32)
    theirs.du, theirs.dv, theirs.effective_bias = du, dv, BIAS
    soma = Soma(4096 - dv, THRESHOLD, Reset.ZERO_AT_ONCE, 6, False, (BIAS,), 4096 - du - 1)
    ours, neurons = NeuronState(n, steps), Neurons(soma, (n, 1, 1))
    wrapped = clipped = spikes = 0
    for _ in range(steps):
        current = random.integers(-strength, strength + 1, n)
        left = theirs.u.astype(np.int64) * (4096 - du - 1)
        exact = np.sign(left) * (np.abs(left) >> 12) + (current << 6)
        theirs.subthr_dynamics(current.astype(np.int32))
        assert not (theirs.u == HALF).any()
        clipped += int((np.abs(theirs.v) == HALF - 1).sum())
        fired = theirs.v > THRESHOLD
        theirs.reset_voltage(fired)
        ours.integrate(neurons, current)
        assert np.array_equal(ours.synaptic, theirs.u)
        assert np.array_equal(ours.membrane, theirs.v)
        assert np.array_equal(ours.spiked > 0, fired)
        wrapped += int((theirs.u != exact).sum())
        spikes += int(fired.sum())
    return wrapped, clipped, spikes


def test_currents_and_potentials_are_those_of_lava() -> None:
    """In a process of its own: Lava changes how Python starts others."""
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    wrapped, clipped, spikes = map(int, done.stdout.split())
    assert wrapped > 100 and clipped > 100 and spikes > 1000


if __name__ == "__main__":
    load_lava()
    print(*np.sum([compare(*decays, each) for decays in DECAYS for each in STRENGTHS], axis=0))
