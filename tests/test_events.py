"""Events derived from counters: every number of a small case, and conservation over cores."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from compiled_program import compiled
from core_shares import assert_shares_add_up

from compiler.backends.simulator import infer, simulate
from compiler.events import (
    count_events,
    forward_shares,
    learning_shares,
    neurobench,
    per_core,
    traffic,
)
from compiler.events.columns import GateCount, PopulationCount, SynapseCount
from compiler.passes.placing.place import place
from compiler.targets import load_target
from compiler.trace import Stimulus

FIXATIONS, STEPS = 5, 8
WIDTHS = (12, 8, 6)


def counters(program):
    """Hand-made counters: layer 1 spiked 30 times, layer 2 12 times, over five fixations."""
    populations = np.zeros((len(program.populations), len(PopulationCount)), np.int64)
    for i, (spikes, active, counts, previous, scores) in enumerate(
        [(0, 0, 55, 44, 0), (30, 200, 20, 15, 18), (12, 100, 10, 8, 9)]
    ):
        row = populations[i]
        row[PopulationCount.SPIKES] = spikes
        row[PopulationCount.ACTIVE_UPDATES] = active
        row[PopulationCount.COUNT_MESSAGES] = counts
        row[PopulationCount.PREVIOUS_MESSAGES] = previous
        row[PopulationCount.SCORE_MESSAGES] = scores
        row[PopulationCount.POST_WRITES] = 7 * (i > 0)
    synapses = np.zeros((len(program.synapses), len(SynapseCount)), np.int64)
    synapses[:, SynapseCount.ROWS_LEARNED] = 4
    synapses[:, SynapseCount.CARRIED] = 3
    synapses[:, SynapseCount.CARRY_VISITS] = 50
    gates = np.zeros((len(program.gates), len(GateCount)), np.int64)
    gates[:, GateCount.POSITIVE], gates[:, GateCount.NEGATIVE] = 2, 1
    return populations, synapses, gates


def counted(learn=True):
    program = compiled(WIDTHS, STEPS)
    populations, synapses, gates = counters(program)
    if not learn:  # as the engine leaves them
        synapses[:], gates[:] = 0, 0
        populations[:, PopulationCount.POST_WRITES] = 0
        populations[:, PopulationCount.SCORE_MESSAGES] = 0
    return program, count_events(program, FIXATIONS, populations, synapses, gates, learn=learn)


def stimulus(fixations, inputs):
    random = np.random.default_rng(3)
    images = random.integers(0, 256, (fixations, inputs)).astype(np.uint8)
    return Stimulus(
        {"input": images}, {"saccade": random.choice([-1, 1], fixations).astype(np.int8)}
    )


def test_forward_operations_are_what_drives_a_soma():
    _, events = counted()
    first, *_ = (p for p in events.projections if p.name == "layer1.forward")
    second = next(p for p in events.projections if p.name == "layer2.forward")
    assert first.forward_operations == first.graded_operations == 55 * 8  # one message each
    assert second.forward_operations == 30 * 6  # one a spike
    assert events.inference.synaptic_operations == 55 * 8 + 30 * 6
    assert events.inference.active_updates == 300
    assert events.inference.idle_updates == FIXATIONS * STEPS * 14 - 300


def test_one_axon_list_makes_every_message_reach_every_projection():
    program, events = counted()
    layer1 = program.population("layer1")
    graded = sum(15 if m.quantity.value == "previous_count" else 20 for m in layer1.messages)
    sent = 30 + graded + 18
    own = [p for p in events.projections if p.source == "layer1"]
    assert [p.messages for p in own] == [sent] * 3  # prediction, retrodiction, forward of layer 2
    prediction = next(p for p in own if p.name == "layer1.prediction")
    assert prediction.delivered_operations == 20 * 8
    assert prediction.ignored_operations == (sent - 20) * 8
    assert prediction.learning_visits == sent * 8
    assert prediction.plastic_updates == 4 * 8
    assert prediction.trace_writes == sent
    gate = next(g for g in events.gates if g.population == "layer1")
    assert gate.score_operations == 18
    assert gate.ignored_operations == 30 + graded


def test_the_modulator_is_counted_as_spikes_of_its_own():
    _, events = counted()
    gate = events.gates[0]
    assert gate.broadcasts == 3 and gate.broadcast_operations == 3 * gate.fan_out
    assert gate.label_messages == FIXATIONS


def test_time_steps_are_split_between_showing_and_learning():
    program, events = counted()
    assert events.time_steps == FIXATIONS * program.timetable.period
    assert events.inference.time_steps == FIXATIONS * STEPS
    assert events.learning.time_steps == events.time_steps - FIXATIONS * STEPS
    updates = events.learning.active_updates + events.learning.idle_updates
    comparators = len(events.gates) * events.time_steps
    assert updates == events.learning.time_steps * 14 + comparators


def test_a_run_without_learning_has_no_learning_events():
    _, events = counted(learn=False)
    assert all(n == 0 for n in asdict(events.learning).values())
    assert events.inference.synaptic_operations == 55 * 8 + 30 * 6


def test_counters_of_another_program_are_refused():
    program = compiled(WIDTHS, STEPS)
    populations, synapses, gates = counters(program)
    with pytest.raises(ValueError, match="PopulationCount"):
        count_events(program, FIXATIONS, populations[:-1], synapses, gates, learn=True)


def test_a_modulator_that_neurons_hear_directly_is_counted():
    """LPL has no comparator: y itself reaches every neuron of every layer."""
    program = compiled((20, 16, 12), STEPS, method="lpl")
    events = simulate(program, stimulus(30, 20)).events
    assert [p.signal_messages for p in events.populations] == [0, 30, 30]
    deaf = replace(events, populations=tuple(
        replace(p, signal_messages=0) for p in events.populations
    ))  # fmt: skip
    operations = events.learning.synaptic_operations - deaf.learning.synaptic_operations
    assert operations == 30 * (16 + 12)
    assert events.learning.host_messages - deaf.learning.host_messages == 2 * 30
    machine = load_target("loihi2-sim").machine
    placement = place(program, machine)
    both = [traffic(e, placement, machine.routing)[1].axons_in.sum() for e in (events, deaf)]
    assert both[0] - both[1] == 2 * 30  # two layers on a core


@pytest.mark.parametrize("method", ["clapp", "espp", "lpl"])
def test_shares_of_cores_add_up_to_the_whole(method):
    program = compiled((40, 100, 60), STEPS, method=method)
    target = load_target("loihi2-sim")
    small = target.machine.model_copy(
        update={
            "limits": target.machine.limits.model_copy(
                update={
                    "neurons_per_core": target.machine.limits.neurons_per_core.model_copy(
                        update={"value": 30}
                    )
                }
            )
        }
    )
    placement = place(program, small)
    events = simulate(program, stimulus(20, 40)).events
    sent = traffic(events, placement, small.routing)
    learned = learning_shares(events, placement, *sent)
    shares = per_core(placement, forward_shares(events, placement, sent[0]), learned)
    assert len(shares) == len(placement.cores) > 3
    assert_shares_add_up(shares, events)
    arriving = [p.messages * placement.receiving[p.name] for p in events.projections if p.plastic]
    assert sum(s.learning["trace_write"] for s in shares) == pytest.approx(sum(arriving))


def test_the_simulators_events_hang_together():
    program = compiled((20, 16, 12), STEPS)
    events = simulate(program, stimulus(60, 20)).events
    learning = events.learning
    assert 0 < learning.plastic_updates <= learning.learning_visits
    assert learning.ignored_synaptic_operations <= learning.synaptic_operations
    for p in events.populations:
        assert 0 <= p.spikes <= p.neurons * events.fixations * STEPS
        assert p.silent + p.saturated <= p.neurons * events.fixations
    assert json.loads(json.dumps(events.to_json()))["inference"]["time_steps"] == 60 * STEPS


def test_inference_alone_counts_the_same_forward_operations_as_a_static_network_would():
    program = compiled((20, 16, 12), STEPS)
    _, events = infer(program, stimulus(30, 20))
    spikes = {p.name: p.spikes for p in events.populations}
    second = next(p for p in events.projections if p.name == "layer2.forward")
    assert second.synaptic_operations == spikes["layer1"] * 12
    assert all(p.ignored_operations == 0 for p in events.projections)


def test_neurobench_metrics_have_their_published_names():
    program, events = counted()
    metrics = neurobench(program, events)
    assert {
        "footprint",
        "connection_sparsity",
        "activation_sparsity",
        "synaptic_operations",
        "membrane_updates",
    } <= set(metrics)
    assert metrics["activation_sparsity"] == pytest.approx(1 - 42 / (FIXATIONS * STEPS * 14))
    assert metrics["synaptic_operations"]["Dense"] == 12 * 8 + STEPS * 8 * 6
    assert metrics["membrane_updates"] == 300 / FIXATIONS
    assert metrics["synaptic_operations"]["Effective_ACs"] <= 30 * 6 / FIXATIONS
