"""Modelled time: every step is as long as its slowest core, however long the run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import spike_timing_program as stdp
from compiled_program import compiled, stimulus
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.backends import tensor
from compiler.backends.simulator import infer, simulate
from compiler.energy import Band, Coefficients, Ledger, estimate
from compiler.energy.duration import duration
from compiler.energy.ledger import StepWork
from compiler.events import CORE_KINDS, steps
from compiler.events.moments import Cause
from compiler.events.profiles import moments_of, profiles
from compiler.events.steps import StepRecord, StepRecorder
from compiler.passes.placing.place import place
from compiler.targets import load_machine, load_target

MACHINE = load_target("loihi2-sim").machine
COEFFICIENTS = Coefficients(load_machine("loihi1"))
SYNAPSES = ("axon_in", "synaptic_operation_dense")
NEURONS = ("neuron_update_idle", "neuron_update_active", "spike", "axon_out")


def time_of(kind: str) -> Band:
    line = COEFFICIENTS.time(kind)
    assert isinstance(line, Band)
    return line


@given(st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_a_phase_is_the_sum_of_its_slowest_halves_step_by_step(seed: int) -> None:
    random = np.random.default_rng(seed)
    cores, causes, count = (int(random.integers(1, n)) for n in (6, 5, 30))
    counts = np.zeros((cores, len(CORE_KINDS), causes))
    for kind in (*SYNAPSES, *NEURONS):
        counts[:, CORE_KINDS.index(kind)] = random.integers(0, 1000, (cores, causes))
    shares = random.random((count, causes)) ** 3
    shares /= shares.sum(0)
    sums = tuple(dict(zip(CORE_KINDS, core.sum(1), strict=True)) for core in counts)
    ledger = Ledger(0, {}, sums, steps=StepWork(counts, shares))
    found = duration(ledger, COEFFICIENTS)

    def seconds(draw: int | None) -> float:
        each = {
            kind: time_of(kind).value if draw is None else time_of(kind).samples[draw]
            for kind in (*SYNAPSES, *NEURONS)
        }
        return sum(
            max(
                sum(float(core[CORE_KINDS.index(kind)] @ step) * each[kind] for kind in half)
                for core in counts
                for half in (SYNAPSES, NEURONS)
            )
            for step in shares
        )

    assert isinstance(found, Band) and found.value == pytest.approx(seconds(None))
    for draw in (0, *range(1000, 1040)):  # of the first it is exact as well
        exact = seconds(draw)
        assert found.samples[draw] <= exact * (1 + 1e-9)
        assert found.samples[draw] == pytest.approx(exact, rel=0.005 if draw else 1e-9)
    together = duration(replace(ledger, steps=None), COEFFICIENTS)
    assert together.value <= found.value * (
        1 + 1e-9
    )  # the busiest in all is not always the slowest


@pytest.mark.parametrize("learn", [False, True])
def test_time_by_hand_of_two_layers_on_two_cores(learn: bool) -> None:
    """Layer 2 looks at a fixation one step later than layer 1, and at the next one at once."""
    program = compiled((20, 16, 12), plastic=learn)
    shown = stimulus(program, 6)
    events = simulate(program, shown).events if learn else infer(program, shown)[1]
    few = MACHINE.limits.neurons_per_core.model_copy(update={"value": 17})
    limits = MACHINE.limits.model_copy(update={"neurons_per_core": few})
    small = MACHINE.model_copy(update={"limits": limits})
    placement = place(program, small)
    assert events.record is not None and events.record.sent.shape == (6, 3, events.steps)
    (told, spiked, sent2), updates = events.record.sent.swapaxes(0, 1), events.record.active
    assert (told[:, 1:] == 0).all() and told.sum() == events.projections[0].forward_messages
    each = {kind: Coefficients(small).time(kind).value for kind in (*SYNAPSES, *NEURONS)}
    seconds = 0.0
    # fixations follow at once, or with a phase of learning between
    length = events.steps + (2 if learn else 0)
    for step in range(6 * length + 2):
        work = []
        for layer, (heard, heard_level, sends, neurons, reaches) in enumerate(
            ((told, 0, spiked, 16, 1), (spiked, 1, sent2, 12, 0)), 1
        ):
            came = at(heard, step, heard_level, length)
            work.append(came * (each["axon_in"] + neurons * each["synaptic_operation_dense"]))
            left = at(sends, step, layer - 0, length)
            active = at(updates[:, layer], step, layer, length)
            there = at(np.ones_like(sends), step, layer, length)
            work.append(
                active * each["neuron_update_active"]
                + (there * neurons - active) * each["neuron_update_idle"]
                + left * (each["spike"] + reaches * each["axon_out"])
            )
        seconds += max(work)
    found = estimate(events, placement, small).inference.time
    overhead = duration(
        Ledger(events.inference.time_steps, {}, (), longest=(0, 0)), Coefficients(small)
    )
    hops = found.value - overhead.value - seconds
    assert 0 <= hops < 0.01 * found.value or hops == pytest.approx(0, abs=1e-12)


def at(counts: np.ndarray, step: int, level: int, length: int) -> int:
    """What a population of that level does in a step of the chip, fixations so many steps apart."""
    fixation, tau = divmod(step - level, length)
    inside = 0 <= fixation < len(counts) and tau < counts.shape[1]
    return int(counts[fixation, tau]) if inside else 0


def test_levels_that_run_behind_are_lined_up() -> None:
    program = compiled((20, 16, 12), plastic=False)
    events = infer(program, stimulus(program, 3))[1]
    causes = [moments_of(events, c) for c in (Cause("sent", "layer1"), Cause("active", "layer2"))]
    spread = profiles(events, causes)
    assert spread.shape == (3 * events.steps + 2, 2) and spread.sum(0) == pytest.approx([1, 1])
    assert spread[0, 0] == spread[-1, 0] == 0 and (spread[:2, 1] == 0).all()
    assert profiles(replace(events, record=None), causes) is None


@given(st.integers(1, 40), st.lists(st.integers(1, 60), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_a_record_is_spread_evenly_and_the_same_in_parts(rows: int, parts: list[int]) -> None:
    total = sum(parts)
    counts, notes = np.arange(total * 6).reshape(total, 3, 2), np.arange(total * 5).reshape(-1, 5)

    def recorded(stretches: list[int]) -> StepRecord:
        recorder = StepRecorder(3, 2, 5)
        recorder.arrays = tuple(kept[:rows].copy() for kept in recorder.arrays)
        done = 0
        for stretch in stretches:
            recorder.make_room(done + stretch)
            part = slice(done, done + stretch)
            recorder.put(done, counts[part], -counts[part], notes[part])
            done += stretch
        return recorder.record(done)

    found = recorded(parts)
    assert found == recorded([total])
    assert np.array_equal(found.sent, counts[:: found.stride])
    assert np.array_equal(found.active, -counts[:: found.stride])
    assert np.array_equal(found.noted, notes[:: found.stride])
    assert len(found.sent) <= rows and (found.stride == 1) == (total <= rows)


@pytest.mark.parametrize("of", ["clapp", "stdp"])
def test_engines_record_alike_however_long_the_run(
    of: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "NUMBERS", 200)
    program, shown = {
        "clapp": lambda: (p := compiled((20, 16, 12)), stimulus(p, 50)),
        "stdp": lambda: (p := stdp.compiled(stdp.network()), stdp.stimulus(p, 50)),
    }[of]()
    whole = simulate(program, shown)
    assert whole.events.record is not None and whole.events.record.stride > 1
    first = simulate(program, shown.part(0, 17))
    rest = simulate(first.program, shown.part(17, 50), state=first.state)
    assert rest.events.record == whole.events.record
    assert tensor.simulate([program], [shown])[0].events.record == whole.events.record
    records = [infer(program, shown, threads=n)[1].record for n in (1, 3)]
    assert records[0] == records[1] == tensor.infer(program, shown)[1].record
    seconds = estimate(whole.events, place(program, MACHINE), MACHINE)
    assert "one fixation in" in seconds.timing and "of 50" in seconds.timing
