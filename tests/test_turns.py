"""Kernels that learn in turn: when positions have their turns, the tied rule, what is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import plastic_maps
import pytest
from compiled_program import stimulus
from hypothesis import given, settings
from hypothesis import strategies as st
from varied_maps import with_numbers

from clapp_neuro.errors import InputError
from compiler.backends.simulator import simulate, trace
from compiler.bundle import read_bundle, write_bundle
from compiler.energy.ledger import ledgers
from compiler.ir import Compartment, Network, Population, Projection, Schedule
from compiler.passes.placing.place import place
from compiler.program import MEMBRANE_MAX, Product, Program, SumOfProducts, Synapses
from compiler.real_numbers.rule import change
from compiler.soundness import fault
from compiler.targets import load_target
from compiler.terms import Connection, Quantity
from compiler.turns import (
    Turns,
    buffers_of,
    counts_of,
    in_turn,
    learners_of,
    post_values_of,
    traces_of,
    turns_of,
)

TARGET = load_target("loihi2-sim")


@given(st.integers(1, 7), st.integers(1, 7), st.sampled_from([1, 3, 5, 7]))
def test_a_position_that_has_its_turn_hears_what_it_sees_and_nothing_else(
    height: int, width: int, kernel: int
) -> None:
    """Of two slots, one right after the other; -1 is nothing, as at the border of a map."""
    turns, half = Turns(height, width, kernel), kernel // 2
    place = np.arange(height * width).reshape(height, width)
    framed = np.pad(place, half, constant_values=-1)
    learned, slots = {}, (0, turns.duration)
    for slot in slots:
        for p, turn in enumerate(turns.of_positions()):
            learned[turns.learned(slot) + int(turn)] = divmod(p, width)
    assert len(learned) == 2 * height * width, "one position at a time"
    assert max(turns.of_positions()) == turns.span - 1
    for dy, dx in np.ndindex(kernel, kernel):
        wait = turns.depth - ((dy - half) * turns.stride + dx - half)
        assert 0 <= wait < turns.kept
        heard = dict.fromkeys(learned, -1)
        for slot in slots:
            for p, turn in enumerate(turns.of_positions()):
                # sent by the level below, received a step later, a level later
                time = turns.sent(slot, 1) + int(turn) + 1 - 1 + wait
                if time in heard:
                    assert heard[time] == -1, "two messages in one step"
                    heard[time] = p
        for time, (row, column) in learned.items():
            assert heard[time] == framed[row + dy, column + dx]


def open_program(**how: Any) -> Program:
    """Two layers that learn whenever there is a label."""
    made = plastic_maps.program(averaged=3, sequential=True, rate=2.0**-14, **how)
    program = with_numbers(made, 7, how.get("kernel", 3))
    return replace(program, gates=tuple(replace(g, margin=MEMBRANE_MAX) for g in program.gates))


def exactly_rounded(program: Program) -> Program:
    """The same with products that are whole units of the tag: nothing is rounded."""

    def of_synapses(s: Synapses) -> Synapses:
        if not in_turn(s):
            return s
        assert s.rule is not None
        _, carry = s.rule.dt
        dt = (Product(-4, ("x0", "x1", s.rule.register)), carry)
        rule = replace(s.rule, dt=dt)
        return replace(s, rule=rule, tags=np.zeros_like(s.tags), averaged=1000)

    registers = {s.target: s.rule.register for s in program.synapses if in_turn(s) and s.rule}
    populations = tuple(
        replace(
            p,
            post_values=tuple(
                replace(v, granularity=16, shift=v.shift + 5)
                if v.register == registers.get(p.name)
                else v
                for v in p.post_values
            ),
        )
        for p in program.populations
    )
    synapses = tuple(map(of_synapses, program.synapses))
    return replace(program, populations=populations, synapses=synapses)


@pytest.mark.parametrize(
    "how",
    [
        {"layers": (4, 3), "pool": (1,), "patch": 6},
        {"layers": (3, 5), "pool": (), "patch": 5, "coding": "on-off"},
        {"layers": (2, 2), "pool": (2,), "patch": 4, "kernel": 5},
        {"layers": (3, 2), "pool": (), "patch": 4, "kernel": 1},
    ],
)
def test_the_change_is_the_sum_over_all_positions(how: dict[str, Any]) -> None:
    """The rule of a kernel that all positions share, corners included, in exact integers."""
    program, fixations = exactly_rounded(open_program(**how)), 30
    assert fault(program) is None
    seen = stimulus(program, fixations, 3)
    previous = {p.name: np.zeros(p.size, int) for p in program.populations}
    expected = {s.name: np.zeros(s.weights.shape) for s in program.synapses if in_turn(s)}
    for f, t in enumerate(trace(program, seen)):
        counts = {n: c.astype(int) for n, c in t.counts.items()}
        counts["input"] = seen.intensities["input"][f].astype(int)
        for s in filter(in_turn, program.synapses):
            target, source = program.population(s.target), program.population(s.source)
            turns = turns_of(program, s)
            for slot in s.slots:
                m = source.message(turns.sent(slot, 1))
                z = previous if m.quantity is Quantity.PREVIOUS_COUNT else counts
                x1 = (z[s.source] >> m.drop) << (m.lift - 1)
                steps = [v.step for v in target.post_values]
                y = t.post[s.target][steps.index(slot)]
                shapes = tuple(Population(q.name, q.size, 0, shape=q.map) for q in (source, target))
                real = Projection(
                    s.name, s.source, s.target, Compartment.SOMA, s.weights.astype(float),
                    connection=Connection.CONVOLUTION,
                )  # fmt: skip
                summed = change(Network(shapes, (real,), Schedule(1)), real, x1, y)
                assert not (summed % 128).any()
                expected[s.name] += summed / 128
        previous = counts
    assert max(np.abs(changes).max() for changes in expected.values()) > 20
    learned = simulate(program, seen).program
    for s in filter(in_turn, learned.synapses):
        assert np.array_equal(s.tags, expected[s.name]), s.name


def test_the_management_processor_carries_whole_units() -> None:
    """After every third fixation, of all that learns; the kernels that are seen change with it."""
    program = open_program(layers=(4, 3), patch=6)
    plastic = [s for s in program.synapses if s.rule is not None]
    carried = 0
    for t in trace(program, stimulus(program, 7)):
        for s in plastic:
            last = program.timetable.last_tau(program.population(s.target).level)
            weights, tags = (a[s.name].astype(int) for a in (t.weights, t.tags))
            assert (weights[:last] == weights[0]).all() and (weights[last:] == weights[last]).all()
            units = 64 * 2**s.fine
            whole = units * weights[last - 1] + tags[last - 1]
            if t.fixation % 3 == 2:
                inside = np.abs(whole) < units * 127
                assert np.array_equal((units * weights[last] + tags[last])[inside], whole[inside])
                assert (np.abs(tags[last][inside]) <= units // 2).all()
                carried += int((weights[last] != weights[0]).sum())
            else:
                assert (weights[last] == weights[0]).all()
    assert carried > 20


def test_the_interval_must_be_whole() -> None:
    with pytest.raises(InputError, match="carried every 0 fixations"):
        plastic_maps.program(averaged=0, sequential=True)


def test_a_compiled_file_keeps_turns(tmp_path: Any) -> None:
    program = open_program(layers=(4, 3), patch=6)
    assert read_bundle(write_bundle(tmp_path / "m.clapp", program))[0] == program


PROGRAM = open_program(layers=(4, 3), pool=(), patch=5)
FORWARD = next(s for s in PROGRAM.synapses if s.name == "layer2.forward")


def synapses(**changes: Any) -> Program:
    changed = tuple(replace(s, **changes) if s is FORWARD else s for s in PROGRAM.synapses)
    return replace(PROGRAM, synapses=changed)


def messages(of: Callable[[Any], Any], population: str = "layer1") -> Program:
    populations = tuple(
        replace(p, messages=tuple(map(of, p.messages))) if p.name == population else p
        for p in PROGRAM.populations
    )
    return replace(PROGRAM, populations=populations)


def another_message(step: int) -> Program:
    populations = tuple(
        replace(p, messages=(*p.messages, replace(p.messages[0], step=step, stride=0)))
        if p.name == "layer1"
        else p
        for p in PROGRAM.populations
    )
    return replace(PROGRAM, populations=populations)


FIRST = FORWARD.slots[0]
LAYER1 = PROGRAM.population("layer1")
CARRIED = SumOfProducts(
    dw=(Product(0, ("u9", "sgn(t)")),),
    dt=(Product(-5, ("x0", "x1", "y1")), Product(6, ("u9", "sgn(t)"), sign=-1)),
)


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (synapses(fine=7), "fine is 7"),
        (synapses(averaged=0), "learns at any step beside the map"),
        (synapses(rule=CARRIED), "does not divide"),
        (synapses(slots=(FIRST, FIRST + 1)), "sends nothing in turn"),
        (messages(lambda m: replace(m, stride=m.stride + 1)), "sends two messages in one step"),
        (messages(lambda m: replace(m, stride=0)), "sends nothing in turn"),
        (messages(lambda m: replace(m, quantity=Quantity.RETRO)), "has none"),
        (another_message(LAYER1.messages[0].step + 3), "two messages in one step"),
        # its own post values leave in turn as well
        (another_message(PROGRAM.synapses[0].slots[0] + 3), "two messages in one step"),
        (
            replace(PROGRAM, timetable=replace(PROGRAM.timetable, predict=FORWARD.slots[-1] + 9)),
            "learns in turn for 36 steps|when it has no count|writes",
        ),
    ],
)
def test_what_is_not_in_time_is_refused(program: Program, words: str) -> None:
    assert fault(PROGRAM) is None
    found = fault(program)
    assert found is not None
    assert re.search(words, found), found


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 5), st.integers(1, 4), st.sampled_from([(), (1,), (1, 2)]))
def test_events_are_those_of_buffers_and_learners(seed: int, fixations: int, pool: Any) -> None:
    program = open_program(layers=(3, 2), pool=pool, patch=5)
    seen = stimulus(program, fixations, seed)
    result = simulate(program, seen)
    kept = dict.fromkeys((s.name for s in program.synapses if in_turn(s)), 0)
    post = dict(kept)
    before = {p.name: np.zeros(p.size, int) for p in program.populations}
    for f, t in enumerate(trace(program, seen)):
        now = {**t.counts, "input": seen.intensities["input"][f]}
        for s in filter(in_turn, program.synapses):
            kept[s.name] += int((now[s.source] != 0).sum() + (before[s.source] != 0).sum())
            post[s.name] += int((t.post[s.target] != 0).sum())
        before = now
    events, period = result.events, program.timetable.period
    populations = {p.name: p for p in events.populations}
    projections = {s.name: s for s in events.projections}
    for s in filter(in_turn, program.synapses):
        out, channels = s.weights.shape[:2]
        buffers, learners = populations[buffers_of(s)], populations[learners_of(s)]
        assert (buffers.neurons, learners.neurons) == (channels * 9, out)
        counts, values = projections[counts_of(s)], projections[post_values_of(s)]
        assert counts.delivered_operations == 9 * kept[s.name] == buffers.graded_messages
        assert counts.synaptic_operations == 9 * counts.messages
        assert values.delivered_operations == post[s.name] and values.fan_out == 1
        traces, forward = projections[traces_of(s)], projections[s.name]
        assert traces.trace_writes == traces.messages == buffers.graded_messages
        assert traces.learning_visits == traces.messages * out >= traces.plastic_updates
        assert forward.learning_visits == forward.plastic_updates == forward.trace_writes == 0
        # what is sent in turn travels along the kernels' axons, too, and is ignored there
        assert forward.messages == counts.messages
        for p in (buffers, learners):
            assert p.phase_active_updates > 0 and p.phase_idle_updates > 0
            updates = p.phase_active_updates + p.phase_idle_updates
            assert updates == fixations * period * p.neurons
    placement = place(program, TARGET)
    _, learned = ledgers(events, placement, TARGET.machine.routing)
    total = events.learning
    assert learned.counts.get("plastic_update", 0) == pytest.approx(total.plastic_updates)
    assert learned.counts["neuron_update_active"] == pytest.approx(total.active_updates)
    averaged = {s.name: s.averaged for s in events.projections}
    carried = fixations // 3  # and written into the kernels of the one core
    assert averaged["layer1.forward"] == carried * program.synapses[0].weights.size
    again = sum(averaged[s.name] for s in program.synapses if in_turn(s))
    assert learned.counts.get("averaged_synapse", 0) == sum(averaged.values()) + again
