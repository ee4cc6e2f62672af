"""Modelled time of learning: what happens in each step, on all engines, is what the run counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import plastic_maps
import pytest
import readout_program
import spike_timing_program as stdp
import test_lower_traces as traces
from compiled_program import compiled, stimulus
from fuzz.cases import Case, cases
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recorded_moments import require_shares, require_sums, steps_of

from clapp_neuro.errors import InputError
from compiler.backends import tensor
from compiler.backends.simulator import simulate, trace
from compiler.energy import Band, Coefficients, compare, estimate
from compiler.energy.duration import duration
from compiler.energy.ledger import KINDS, ledgers
from compiler.events import CORE_KINDS
from compiler.passes.placing.place import place
from compiler.passes.placing.placement import Placement
from compiler.program import Program
from compiler.targets import NeuromorphicMachine, load_target
from compiler.trace import Stimulus

MACHINE = load_target("loihi2-sim").machine
SYNAPSES = {
    "axon_in", "synaptic_operation_dense", "synaptic_operation_sparse",
    "synaptic_operation_convolution", "modulator_operation", "comparator_sum", "learning_visit",
    "plastic_update", "carry",
}  # fmt: skip
NEURONS = {"neuron_update_idle", "neuron_update_active", "spike", "axon_out"}
Made = tuple[Program, Stimulus]


def of_method(method: str) -> Callable[[], Made]:
    return lambda: (p := compiled((20, 16, 12), method=method), stimulus(p, 24))


PROGRAMS: dict[str, Callable[[], Made]] = {
    **{method: of_method(method) for method in ("clapp", "espp", "lpl")},
    "readout": lambda: (p := readout_program.readout_program(), readout_program.images(p, 24)),
    "stdp": lambda: (p := stdp.compiled(stdp.network()), stdp.stimulus(p, 24)),
    "traces": lambda: (p := traces.compiled(), traces.shown(p, 24)),
    "copies": lambda: (p := plastic_maps.program(2), stimulus(p, 8)),
    "in turn": lambda: (p := plastic_maps.program(2, sequential=True), stimulus(p, 8)),
    # its one position has its turn in a step in which it is busy anyway
    "one position": lambda: (
        p := plastic_maps.program(2, sequential=True, layers=(16,), pool=(), patch=1),
        stimulus(p, 40),
    ),
}


def on_small_cores(program: Program) -> tuple[Placement, NeuromorphicMachine]:
    """Placed on several cores, where the machine's own would hold everything on one."""
    few = MACHINE.limits.neurons_per_core.model_copy(update={"value": 17})
    limits = MACHINE.limits.model_copy(update={"neurons_per_core": few})
    small = MACHINE.model_copy(update={"limits": limits})
    return place(program, small), small


@pytest.mark.parametrize("of", PROGRAMS)
def test_every_step_of_learning_is_recorded_alike_and_adds_up(of: str) -> None:
    program, shown = PROGRAMS[of]()
    events = simulate(program, shown).events
    assert events == tensor.simulate([program], [shown])[0].events
    require_sums(events)
    assert any(s.plastic_updates for s in events.projections), "nothing was learned"
    require_shares(events, place(program, MACHINE), MACHINE)


@pytest.mark.parametrize("of", ["stdp", "in turn", "traces", "readout"])
def test_every_machine_takes_what_any_rule_did(of: str) -> None:
    """No kind of event happens less than never, and all machines have a line for the network."""
    program, shown = PROGRAMS[of]()
    events = simulate(program, shown).events
    found = compare(events, program)
    assert not found.refused and len(found.estimates) > 10
    for each in found.estimates:
        for item in (*each.inference_events, *each.learning_events):
            assert item.count >= 0, (each.name, item.kind)


@given(cases(least=1, most=3))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None)
def test_steps_of_random_programs_add_up_on_both_engines(case: Case | None) -> None:
    if case is None or not case.stimulus.fixations:
        return
    events = simulate(case.program, case.stimulus).events
    assert events == tensor.simulate([case.program], [case.stimulus])[0].events
    require_sums(events)
    try:
        placement = place(case.program, MACHINE)
    except InputError:  # drawn for another machine
        return
    require_shares(events, placement, MACHINE)


@pytest.mark.parametrize("of", ["clapp", "espp", "copies"])
def test_synapses_change_in_the_steps_in_which_they_are_updated(of: str) -> None:
    """Held against the engine step by step, which knows nothing of records."""
    program, shown = PROGRAMS[of]()
    events = simulate(program, shown).events
    period, changed = program.timetable.period, 0
    before = {s.name: (s.weights, s.tags) for s in program.synapses if s.changes}
    for fixation, seen in enumerate(trace(program, shown)):
        for s in (s for s in program.synapses if s.rule is not None):
            level = program.population(s.target).level
            weights, tags = before[s.name]
            for tau in range(period):
                now = seen.weights[s.name][tau], seen.tags[s.name][tau]
                step = fixation * period + level + tau
                updates = steps_of(events, "updated", s.name)[step]
                carries = steps_of(events, "carried", s.name)[step]
                if s.averaged == 0 or tau + level < period - 1:  # there the processor writes, too
                    moved = np.count_nonzero(now[0] != weights)
                    assert moved <= carries, "a weight moves when units are carried"
                    assert updates or carries or np.array_equal(now[1], tags)
                    changed += int(not np.array_equal(now[1], tags))
                weights, tags = now
            before[s.name] = weights, tags
        for p in program.populations:
            for part, value in enumerate(p.post_values):
                step = fixation * period + p.level + value.step
                written = np.count_nonzero(seen.post[p.name][part])
                assert steps_of(events, "written", p.name)[step] >= written > -1
    assert changed > 5


@pytest.mark.parametrize("of", ["clapp", "readout", "stdp", "copies"])
def test_a_step_lasts_as_long_as_its_slowest_core_with_all_that_it_does(of: str) -> None:
    program, shown = PROGRAMS[of]()
    events = simulate(program, shown).events
    placement, machine = on_small_cores(program)
    coefficients = Coefficients(machine)
    inference, learning = ledgers(events, placement, machine.routing)
    each = dict.fromkeys(CORE_KINDS, 0.0)
    for kind in SYNAPSES | NEURONS:
        line = coefficients.time(KINDS[kind].coefficient or kind)
        assert isinstance(line, Band)
        each[kind] = line.value
    seconds = []
    for ledger in (inference, learning):
        assert ledger.steps is not None
        total = 0.0
        for step in ledger.steps.profiles:
            work = ledger.steps.counts @ step
            total += max(
                sum(each[kind] * core[CORE_KINDS.index(kind)] for kind in half)
                for core in work
                for half in (SYNAPSES, NEURONS)
            )
        seconds.append(total)
    fixed = duration(replace(learning, cores=(), steps=None), coefficients, inference)
    found = estimate(events, placement, machine).learning
    assert found is not None and isinstance(found.time, Band) and isinstance(fixed, Band)
    assert found.time.value == pytest.approx(fixed.value + seconds[1] - seconds[0])
    assert found.time.low <= found.time.value <= found.time.high
    # all that happens together takes no less than the busiest core alone
    busiest = duration(replace(learning, steps=None), coefficients, inference)
    assert isinstance(busiest, Band) and seconds[1] > 0
    most = max(
        sum(each[kind] * (core[kind] + inference.cores[row][kind]) for kind in half)
        for row, core in enumerate(learning.cores)
        for half in (SYNAPSES, NEURONS)
    )
    assert seconds[1] >= most * (1 - 1e-9)


@given(st.integers(0, 2**16))
@settings(max_examples=5, deadline=None)
def test_what_happens_in_no_recorded_fixation_lies_where_it_may_happen(seed: int) -> None:
    """Of a long run some fixations are recorded; a carry may be in none of them."""
    program = compiled((12, 8, 6))
    shown = stimulus(program, 40, seed)
    events = simulate(program, shown).events
    assert events.record is not None
    noted = events.record.noted.copy()
    noted[:] = 0
    silent = replace(events, record=replace(events.record, noted=noted))
    placement, machine = on_small_cores(program)
    work = ledgers(silent, placement, machine.routing)[1].steps
    assert work is not None
    carried = work.counts[:, CORE_KINDS.index("carry")] @ work.profiles.T
    last = np.arange(carried.shape[1]) % program.timetable.period == program.timetable.period - 1
    assert (carried[:, ~last] == 0).all()
    assert carried.sum() == pytest.approx(sum(s.carries for s in events.projections))
