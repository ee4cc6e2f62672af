"""Convolutions and pools in the simulator, against plain numpy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from conv_network import conv_network, dense_connected, plain_spikes
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.backends.simulator import infer, simulate, trace
from compiler.connectivity import fan_in, synapse_count
from compiler.pipeline import compile_network
from compiler.program import Program
from compiler.targets import load_target
from compiler.trace import Stimulus

TARGET = load_target("loihi2-sim")


@st.composite
def maps(draw: Callable[..., int]) -> Program:
    """One to three convolutions of any width, pooled where something is left to pool."""
    sides = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    widths = st.sampled_from([1, 2, 3, 16, 17, 33, 64, 81])
    channels = tuple(draw(st.lists(widths, min_size=2, max_size=4)))
    most = 0
    while min(sides) >> (most + 1):
        most += 1
    layers = range(1, len(channels))
    pools = tuple(layer for layer in layers if draw(st.booleans()))[:most]
    return compile_network(
        conv_network(
            sides,
            channels,
            pools,
            kernel=draw(st.sampled_from([1, 3, 5])),
            steps=draw(st.integers(2, 8)),
            seed=draw(st.integers(0, 2**32)),
            gain=draw(st.sampled_from([0.0, 1.0, 3.0, 50.0])),
            reset=draw(st.sampled_from(["subtract", "zero"])),
        ),
        TARGET,
    ).program


def stimulus(program: Program, fixations: int, seed: int, share: float = 0.7) -> Stimulus:
    random = np.random.default_rng(seed)
    shape = (fixations, program.populations[0].size)
    seen = random.integers(0, 256, shape) * (random.random(shape) < share)
    return Stimulus({"input": seen.astype(np.uint8)}, {})


@given(maps(), st.integers(0, 2**32), st.sampled_from([0.0, 0.3, 1.0]))
@settings(max_examples=60, deadline=None)
def test_maps_are_what_their_docstrings_say(program: Program, seed: int, share: float) -> None:
    """Spikes at every step, counts, and every single synaptic operation."""
    seen = stimulus(program, 3, seed, share)
    counts, events = infer(program, seen, threads=2)
    shown = list(trace(program, seen, learn=False))
    operations = dict.fromkeys((s.name for s in program.synapses), 0)
    for f, intensities in enumerate(seen.intensities["input"]):
        expected = plain_spikes(program, intensities)
        for name, spikes in expected.items():
            assert np.array_equal(shown[f].spikes[name], spikes), name
            assert np.array_equal(shown[f].counts[name], spikes.sum(0)), name
            assert np.array_equal(counts[name][f], spikes.sum(0)), name
        for s in program.synapses:
            fan_out = (dense_connected(program, s.name)).sum(0)
            sent = expected.get(s.source, (intensities != 0)[np.newaxis])
            operations[s.name] += int((sent * fan_out).sum())
    assert {p.name: p.forward_operations for p in events.projections} == operations


@given(maps(), st.integers(1, 9), st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_threads_and_runs_with_learning_on_count_the_same(
    program: Program, fixations: int, threads: int
) -> None:
    """Nothing of a map learns, so a run with learning on differs in its phases only."""
    seen = stimulus(program, fixations, 1)
    counts, events = infer(program, seen, threads=threads)
    last = program.populations[-1].name
    only, same = infer(program, seen, threads=1, keep=(last,))
    learning = simulate(program, seen).events
    assert events == same and only.keys() == {last}
    assert np.array_equal(only[last], counts[last])
    for ours, theirs in zip(learning.projections, events.projections, strict=True):
        assert ours.forward_operations == theirs.forward_operations
        assert ours.forward_messages == theirs.forward_messages
    assert learning.inference == events.inference


@given(maps())
@settings(max_examples=30, deadline=None)
def test_synapses_are_counted_without_listing_them(program: Program) -> None:
    for s in program.synapses:
        source, target = program.population(s.source).map, program.population(s.target).map
        connected = dense_connected(program, s.name)
        shape = s.weights.shape
        assert synapse_count(s.connection, shape, source, target) == connected.sum()
        assert connected.sum(1).max() <= fan_in(s.connection, shape)


def test_a_pool_passes_the_first_to_spike_and_nobody_else() -> None:
    program = compile_network(conv_network((8, 8), (1, 4), (1,), steps=8), TARGET).program
    seen = stimulus(program, 20, 3)
    passed = other = 0
    for t in trace(program, seen, learn=False):
        below = t.spikes["layer1"].reshape(8, 4, 4, 2, 4, 2).transpose(0, 1, 2, 4, 3, 5)
        below = below.reshape(8, 4, 4, 4, 4)
        above = t.spikes["layer1.pool"].reshape(8, 4, 4, 4)
        waited = (np.cumsum(below, 0) == 0).sum(0)
        winner = waited.argmin(-1)  # of equals the first, in reading order
        heard = np.take_along_axis(below, winner[np.newaxis, ..., np.newaxis], -1)[..., 0]
        assert np.array_equal(above, heard)
        passed += above.sum()
        other += below.sum() - above.sum()
    assert passed > 50 and other > 50


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_dark_and_bright_are_silent_and_saturated(share: float) -> None:
    network = conv_network((4, 4), (1, 3), (1,), gain=80.0 if share else 0.0)
    program = compile_network(network, TARGET).program
    bright = Stimulus({"input": np.full((2, 16), 255 * int(share), np.uint8)}, {})
    counts, events = infer(program, bright)
    pooled = {p.name: p for p in events.populations}["layer1.pool"]
    assert pooled.silent + pooled.saturated + (counts["layer1.pool"] % 6 != 0).sum() == 2 * 12
    assert pooled.saturated > 0 if share else pooled.silent > 0
