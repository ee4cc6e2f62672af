"""Events of given spike trains: each synapse counted one after the other, and as the simulator."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import plastic_maps
import pytest
from compiled_program import compiled
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_synapses import listed

from compiler.backends.simulator import infer, trace
from compiler.energy.silicon.workload import dense, population, projection
from compiler.energy.silicon.workload import program as build
from compiler.events.fan_out import fan_out
from compiler.events.spike_trains import count_spike_trains
from compiler.program import Product, SumOfProducts
from compiler.trace import Stimulus


@given(st.integers(0, 2**32), st.sampled_from((0, 4)))
@settings(max_examples=15, deadline=None)
def test_fan_out_is_that_of_the_synapses_listed_one_by_one(seed: int, averaged: int) -> None:
    random = np.random.default_rng(seed)
    programs = (compiled(), plastic_maps.program(averaged=averaged))
    for program in programs:
        for s in program.synapses:
            weights = np.where(random.random(s.weights.shape) < 0.4, 0, s.weights)
            sparse = replace(s, weights=weights)
            plain = listed(program, sparse)
            there = weights.ravel()[plain.at] != 0
            size = program.population(s.source).size
            expected = np.bincount(plain.pre[there], minlength=size)
            assert fan_out(program, sparse).tolist() == expected.tolist()
            every = np.bincount(plain.pre, minlength=size)
            assert fan_out(program, sparse, zeros=True).tolist() == every.tolist()


def test_counts_are_those_of_the_simulator() -> None:
    """The same spikes, counted while they happen and afterwards."""
    program = compiled((12, 9, 7), plastic=False)
    random = np.random.default_rng(4)
    steps = program.timetable.steps
    for _ in range(5):
        shown = random.integers(0, 256, (1, 12)).astype(np.uint8)
        stimulus = Stimulus({"input": shown}, {})
        _, simulated = infer(program, stimulus)
        seen = next(iter(trace(program, stimulus, learn=False)))
        once = np.zeros((steps, 12), bool)  # the intensities are one message each
        once[0] = shown[0] != 0
        counted = count_spike_trains(program, {"input": once, **seen.spikes})
        theirs, ours = simulated.inference, counted.inference
        for name in ("messages", "host_messages", "synaptic_operations", "time_steps"):
            assert getattr(ours, name) == getattr(theirs, name), name
        assert (
            ours.active_updates + ours.idle_updates == theirs.active_updates + theirs.idle_updates
        )


def test_a_neuron_is_active_from_its_first_spike_on_or_only_when_one_arrives() -> None:
    program = build(
        [population("a", 2), population("b", 3, level=2)],
        [projection(0, "a", "b", np.array([[1, 0], [1, 1], [0, 0]], np.int8), 4)],
        4,
        machine="loihi1",
    )
    train = np.array([[0, 0], [1, 0], [0, 1], [0, 0]], bool)
    for holding, active in ((True, 3 + 3), (False, 1 + 2)):
        events = count_spike_trains(program, {"a": train}, holding=holding)
        b = events.populations[1]
        assert (b.active_updates, b.idle_updates) == (active, 12 - active)
        assert events.projections[0].forward_operations == 2 * 3  # a dense list has the zeros
    given_all = count_spike_trains(program, {}, active={"b": np.ones((4, 3), bool)})
    assert given_all.populations[1].active_updates == 12


def test_learning_visits_rows_that_spiked_and_changes_those_with_a_post_value() -> None:
    rule = SumOfProducts(dw=(Product(-7, ("x1", "y1")),), dt=())
    s = replace(projection(0, "a", "b", dense(3, 4), 2), rule=rule, slots=(2, 3))
    program = build(
        [population("a", 4), population("b", 3, level=2)], [s], 2, machine="loihi1", period=5
    )
    train = np.zeros((2, 4), bool)
    train[0, :2] = train[1, 1] = True
    post = {"a to b": np.array([True, False, False])}
    events = count_spike_trains(program, {"a": train}, post=post)
    found = events.learning
    assert (found.learning_visits, found.plastic_updates, found.trace_writes) == (12, 4, 3)
    assert found.time_steps == 3
    assert count_spike_trains(program, {"a": train}).learning.learning_visits == 0


def test_a_train_of_another_shape_is_refused() -> None:
    program = build([population("a", 2)], [], 4, machine="loihi1")
    with pytest.raises(ValueError, match=r"a: a train of \(3, 2\) is not \(4, 2\)"):
        count_spike_trains(program, {"a": np.zeros((3, 2), bool)})
