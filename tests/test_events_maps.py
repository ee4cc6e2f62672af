"""Events of kernels that learn: from hand-made counters, and from a run, synapse by synapse."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import plastic_maps
import pytest
from conv_network import dense_connected
from core_shares import assert_shares_add_up

from compiler.backends.simulator import infer, simulate
from compiler.energy import Band, Coefficients, NotPublished, estimate
from compiler.energy.conventional import dense_operations
from compiler.events import (
    Events,
    count_events,
    forward_shares,
    learning_shares,
    neurobench,
    per_core,
    traffic,
)
from compiler.events.columns import GateCount, PopulationCount, SynapseCount
from compiler.events.records import ProjectionEvents
from compiler.passes.placing.place import place
from compiler.program import Program
from compiler.targets import load_target
from compiler.targets.figures import Missing
from compiler.terms import Connection
from compiler.trace import FixationTrace, Stimulus

TARGET = load_target("loihi2-sim")
FIXATIONS = 12


@pytest.fixture(scope="module")
def program() -> Program:
    """A pooled layer of 4 channels on 6x6 positions, then one of 3 on 3x3."""
    return plastic_maps.program(averaged=5)


@pytest.fixture(scope="module")
def shown() -> Stimulus:
    random = np.random.default_rng(5)
    return Stimulus(
        {"input": random.integers(0, 256, (FIXATIONS, 36)).astype(np.uint8)},
        {"saccade": random.choice([-1, 1], FIXATIONS).astype(np.int8)},
    )


@pytest.fixture(scope="module")
def events(program: Program, shown: Stimulus) -> Events:
    return simulate(program, shown).events


def named(events: Events, name: str) -> ProjectionEvents:
    return next(s for s in events.projections if s.name == name)


def by_hand(program: Program, learn: bool = True) -> Events:
    """Counters of a run of three fixations that never was."""
    populations = np.zeros((len(program.populations), len(PopulationCount)), np.int64)
    synapses = np.zeros((len(program.synapses), len(SynapseCount)), np.int64)
    gates = np.zeros((len(program.gates), len(GateCount)), np.int64)
    rows = {p.name: row for p, row in zip(program.populations, populations, strict=True)}
    for name, spikes, active, counts, previous in (
        ("layer1", 200, 900, 60, 0),
        ("layer1.pool", 90, 300, 25, 24),
        ("layer1.mean", 0, 40, 11, 10),
    ):
        rows[name][PopulationCount.SPIKES] = spikes
        rows[name][PopulationCount.ACTIVE_UPDATES] = active
        rows[name][PopulationCount.COUNT_MESSAGES] = counts
        rows[name][PopulationCount.PREVIOUS_MESSAGES] = previous
    of = {s.name: row for s, row in zip(program.synapses, synapses, strict=True)}
    of["layer2.forward"][SynapseCount.OPERATIONS] = 1500
    of["layer1.pool"][SynapseCount.OPERATIONS] = 200
    of["layer1.mean"][SynapseCount.OPERATIONS] = 90
    if learn:
        of["layer1.dendrite"][SynapseCount.OPERATIONS] = 8 * 36
        of["layer1.feedback"][SynapseCount.OPERATIONS] = 7 * 36
        of["layer1.inhibition"][SynapseCount.OPERATIONS] = 26 * 4
        of["layer2.forward"][SynapseCount.ROWS_LEARNED] = 17
        of["layer2.forward"][SynapseCount.AVERAGED] = 588
    return count_events(program, 3, populations, synapses, gates, learn=learn)


def test_messages_that_are_no_counts_travel_along_all_axons(program: Program) -> None:
    events = by_hand(program)
    mean = next(p for p in events.populations if p.name == "layer1.mean")
    kinds = [m.quantity.value for m in program.population("layer1.mean").messages]
    counted = 11 * kinds.count("count") + 10 * kinds.count("previous_count")
    assert mean.graded_messages == counted + 8 + 7
    dendrite = named(events, "layer1.dendrite")
    assert dendrite.messages == mean.graded_messages
    assert dendrite.delivered_operations == 8 * 36
    assert dendrite.ignored_operations == (mean.graded_messages - 8) * 36
    # plastic synapses of the mean are visited, and do not deliver what is not for them
    prediction = named(events, "layer1.prediction")
    assert prediction.learning_visits == mean.graded_messages * 4
    assert prediction.delivered_operations == 11 * 4
    pool = next(p for p in events.populations if p.name == "layer1.pool")
    assert named(events, "layer1.inhibition").delivered_operations == 26 * 4
    assert pool.graded_messages == 25 + 24 + 26


def test_means_are_learning(program: Program) -> None:
    events = by_hand(program)
    sums = named(events, "layer1.mean")
    assert sums.forward_operations == sums.forward_messages == 0
    assert sums.delivered_operations == 90  # one a spike
    assert events.inference.synaptic_operations == 200 + 1500
    mean = next(p for p in events.populations if p.name == "layer1.mean")
    assert mean.active_updates == mean.idle_updates == 0
    period = program.timetable.period
    assert mean.phase_active_updates + mean.phase_idle_updates == 3 * period * 4
    assert mean.phase_active_updates > 40
    assert named(events, "layer2.forward").plastic_updates == 17 * 3
    assert events.learning.averaged == 588


def test_without_learning_there_are_no_means(program: Program) -> None:
    events = by_hand(program, learn=False)
    assert all(n == 0 for n in asdict(events.learning).values())
    assert named(events, "layer1.mean").synaptic_operations == 0
    assert events.inference.synaptic_operations == 200 + 1500


def test_operations_of_a_run_are_those_of_its_synapses(
    program: Program, shown: Stimulus, events: Events
) -> None:
    """Each spike, and each intensity, times the synapses that its own neuron has."""
    counts, forward = infer(program, shown)
    sent = {**counts, "input": shown.intensities["input"] != 0}
    for s in program.synapses:
        if s.connection in (Connection.UNTIED, Connection.POOL):
            fan_out = dense_connected(program, s.name).sum(0)
            expected = int((sent[s.source] @ fan_out).sum())
            assert named(events, s.name).forward_operations == expected
            assert named(forward, s.name).forward_operations == expected
    # layers learn after they have spiked, so the first fixation sends the same
    pooled = counts["layer1.pool"].sum()
    assert named(events, "layer1.mean").delivered_operations == pytest.approx(pooled, rel=0.05)
    assert events.inference.ignored_synaptic_operations == 0


def test_what_is_spread_is_counted_a_channel_at_a_time(program: Program, shown: Stimulus) -> None:
    """Predictions and winners that are not 0, of a run watched step by step."""
    from compiler.backends.simulator import trace

    steps: list[FixationTrace] = list(trace(program, shown, learn=True))
    events = simulate(program, shown).events
    predicted = sum(np.count_nonzero(t.apical["layer1.mean"]) for t in steps)
    spread = named(events, "layer1.dendrite").delivered_operations
    assert spread == predicted * 36
    winners = sum(np.count_nonzero(t.counts["layer1.pool"]) for t in steps)
    assert named(events, "layer1.inhibition").delivered_operations == winners * 4


def test_a_run_hangs_together(program: Program, events: Events) -> None:
    learning = events.learning
    assert 0 < learning.plastic_updates <= learning.learning_visits
    averagings = FIXATIONS // 5
    real = {s.name: int(dense_connected(program, s.name).sum()) for s in program.synapses}
    for s in events.projections:
        assert s.plastic_updates <= s.learning_visits
        untied = s.name.endswith("forward")
        assert s.averaged == (averagings * real[s.name] if untied else 0)
    updates = learning.active_updates + learning.idle_updates
    somata = [p for p in program.populations if p.soma is not None]
    means = 4 + 3
    after = program.timetable.period - program.timetable.steps
    neurons = sum(p.size for p in somata)
    comparators = len(program.gates) * program.timetable.period
    each = neurons * after + means * program.timetable.steps + comparators
    assert updates == FIXATIONS * each


def test_shares_of_cores_add_up_to_the_whole(program: Program, events: Events) -> None:
    few = TARGET.machine.limits.neurons_per_core.model_copy(update={"value": 40})
    limits = TARGET.machine.limits.model_copy(update={"neurons_per_core": few})
    placement = place(program, TARGET.machine.model_copy(update={"limits": limits}))
    sent = traffic(events, placement, TARGET.machine.routing)
    learned = learning_shares(events, placement, *sent)
    shares = per_core(placement, forward_shares(events, placement, sent[0]), learned)
    assert len(shares) > 4
    assert_shares_add_up(shares, events)
    slices = placement.slice_counts()
    for flow in sent:
        assert 0 < flow.axons_out.sum() < flow.axons_in.sum()  # the host's arrive, too
    arriving = sum(s.forward_messages * placement.receiving[s.name] for s in events.projections)
    assert sent[0].axons_in.sum() == pytest.approx(arriving)
    assert max(slices.values()) > 1


def test_averaging_is_managements_energy(program: Program, events: Events) -> None:
    machine, placement = TARGET.machine, place(program, TARGET)
    alone = replace(events, projections=tuple(replace(s, averaged=0) for s in events.projections))
    costs = [estimate(e, placement, machine).learning for e in (events, alone)]
    both, without = (c.management for c in costs if c is not None)
    assert isinstance(both, Band) and isinstance(without, Band)
    each = Coefficients(machine).energy("averaged_synapse")
    assert isinstance(each, Band)
    assert both.value - without.value == pytest.approx(events.learning.averaged * each.value)
    assert both.high / both.low > 10 and both.grade == "C"
    unknown = machine.energy.model_copy(update={"averaged_synapse": Missing(missing="not stated")})
    silent = machine.model_copy(update={"energy": unknown})
    line = estimate(events, placement, silent).learning
    assert line is not None and isinstance(line.management, NotPublished)
    assert line.management.parts == ("averaged synapse",)
    never = estimate(alone, placement, silent).learning
    assert never is not None and isinstance(never.management, Band)


def test_metrics_of_the_forward_pass_leave_the_means_out(program: Program, events: Events) -> None:
    metrics = neurobench(program, events)
    steps = program.timetable.steps
    size = {s.name: int(dense_connected(program, s.name).sum()) for s in program.synapses}
    dense = size["layer1.forward"] + steps * (size["layer1.pool"] + size["layer2.forward"])
    assert metrics["synaptic_operations"]["Dense"] == dense
    chances = FIXATIONS * steps * (144 + 36 + 27)
    spikes = sum(p.spikes for p in events.populations)
    assert metrics["activation_sparsity"] == pytest.approx(1 - spikes / chances)
    assert metrics["learning"]["averaged"] == events.learning.averaged / FIXATIONS
    (forward, learned), (updates, _) = dense_operations(events, program)
    assert forward == FIXATIONS * dense and updates == chances
    assert learned > FIXATIONS * steps * (size["layer1.mean"] + size["layer2.mean"])
