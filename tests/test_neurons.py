"""Any neurons, recurrence, delays and sequences: engines do what the docstrings say."""

from __future__ import annotations

import numpy as np
from fuzz.recurrent import recurrent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain_neurons import presentations

from clapp_neuro.errors import InputError
from compiler.backends import simulator, tensor
from compiler.ir import Network
from compiler.pipeline import compile_network
from compiler.program import Program
from compiler.soundness import fault
from compiler.targets import load_target
from compiler.trace import Stimulus

TARGET = load_target("loihi2-sim")


def compiled(network: Network) -> Program:
    return compile_network(network, TARGET).program


def shown(program: Program, fixations: int, seed: int) -> Stimulus:
    """Anything that its inputs may be given, from silence to as much as there may be."""
    random = np.random.default_rng(seed)
    seen = {}
    for p in program.populations:
        if p.soma is None:
            steps = (program.timetable.steps,) if p.sequence else ()
            shape = (fixations, *steps, p.size)
            most = p.sequence or 255
            least = 0 if most in (1, 255) and not p.sequence > 1 else -most
            values = random.integers(least, most + 1, shape)
            share = random.choice([0.0, 0.2, 1.0])
            values = values * (random.random(shape) < share)
            seen[p.name] = values.astype(np.int16 if p.sequence else np.uint8)
    return Stimulus(seen, {})


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(recurrent(), st.integers(0, 2**32 - 1))
def test_the_simulator_does_what_is_written(network: Network, seed: int) -> None:
    try:
        program = compiled(network)
    except InputError:
        return
    assert fault(program) is None
    stimulus = shown(program, 2, seed)
    sums = {}
    for trace, (spikes, potentials, cells) in zip(
        simulator.trace(program, stimulus, learn=False),
        presentations(program, stimulus),
        strict=True,
    ):
        for name, own in spikes.items():
            assert np.array_equal(trace.spikes[name], own > 0), name
            assert np.array_equal(trace.membrane[name], potentials[name]), name
            assert np.array_equal(trace.counts[name], own.sum(0)), name
            for what in ("wrapped", "clipped", "active"):
                total = sum(getattr(cell, what) for cell in cells[name])
                sums[name, what] = sums.get((name, what), 0) + total
            sums[name, "spikes"] = sums.get((name, "spikes"), 0) + own.sum()
    counts, events = simulator.infer(program, stimulus, threads=1)
    others, theirs = tensor.infer(program, stimulus)
    assert events == theirs
    assert all(np.array_equal(counts[name], others[name]) for name in counts)
    for one, other in zip(
        simulator.trace(program, stimulus, learn=False),
        tensor.trace(program, stimulus, learn=False),
        strict=True,
    ):
        for name in one.membrane:
            assert np.array_equal(one.membrane[name], other.membrane[name])
            assert np.array_equal(one.spikes[name], other.spikes[name])
    for p in events.populations:
        if not p.host:
            assert p.spikes == sums[p.name, "spikes"] == counts[p.name].sum()
            assert p.current_wrapped == sums[p.name, "wrapped"]
            assert p.membrane_clipped == sums[p.name, "clipped"]
            assert p.active_updates == sums[p.name, "active"]
