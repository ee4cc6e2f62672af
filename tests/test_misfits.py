"""What engines would run wrong in silence: timing, stimuli and thresholds that do not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from compiled_program import compiled, network

from clapp_neuro.errors import InputError
from compiler.backends.simulator import infer, simulate
from compiler.backends.simulator.operations import Field
from compiler.bundle import read_bundle, write_bundle
from compiler.pipeline import compile_network
from compiler.program import Program
from compiler.targets import load_target
from compiler.trace import Stimulus
from compiler.unfinished import Unfinished, from_parts, misfit, to_parts


def without_messages(program: Program) -> Program:
    first, *rest = program.populations
    return replace(program, populations=(replace(first, messages=()), *rest))


def with_odd_period(program: Program) -> Program:
    return replace(program, timetable=replace(program.timetable, period=15))


@pytest.mark.parametrize("spoil", [without_messages, with_odd_period])
def test_a_timetable_that_cannot_be_run_is_damage(tmp_path: Path, spoil) -> None:  # type: ignore[no-untyped-def]
    path = write_bundle(tmp_path / "odd.clapp", spoil(compiled()))
    with pytest.raises(InputError, match="damaged"):
        read_bundle(path)


@pytest.mark.parametrize("plastic", [True, False])
def test_programs_of_the_compiler_pass_the_same_checks(tmp_path: Path, plastic: bool) -> None:
    program = compiled((12, 8, 6, 4), plastic=plastic)
    assert read_bundle(write_bundle(tmp_path / "good.clapp", program))[0] == program


@pytest.mark.parametrize(
    ("shape", "signals"), [((50, 12), 3), ((50, 11), 50), ((0, 12), 5), ((50, 12), None)]
)
def test_a_stimulus_that_does_not_fit_is_refused(
    shape: tuple[int, int], signals: int | None
) -> None:
    program = compiled()
    given = {} if signals is None else {"saccade": np.ones(signals, np.int8)}
    with pytest.raises(InputError, match=r"shape|signals"):
        simulate(program, Stimulus({"input": np.zeros(shape, np.uint8)}, given))


@pytest.mark.parametrize("scale", [1e-9, 1e-6, 1e-3, 1e-1, 1.0, 1e3])
def test_small_weights_fire_as_in_real_numbers(scale: float) -> None:
    """Weights too small for a 24-bit threshold get a coarser unit; no threshold wraps."""
    source = network((12, 8), plastic=False)
    (projection,) = source.projections
    small = replace(projection, weights=projection.weights * scale)
    scaled = replace(source, projections=(small,))
    program = compile_network(scaled, load_target("loihi2-sim")).program
    soma = program.populations[1].soma
    assert soma is not None
    assert 0 < soma.threshold < 2**23
    counts, _ = infer(program, Stimulus({"input": np.full((1, 12), 255, np.uint8)}, {}))
    membrane, expected, spiked = np.zeros(8), np.zeros(8), np.zeros(8)
    for _ in range(8):
        membrane = 0.9 * membrane + small.weights.sum(axis=1) - spiked
        spiked = (membrane > 1).astype(float)
        expected += spiked
    assert np.abs(counts["layer1"][0] - expected).max() <= 1


def interrupted(method: str) -> tuple[Program, Stimulus, Unfinished]:
    program = compiled(method=method)
    random = np.random.default_rng(4)
    labels = {"saccade": random.choice([-1, 1], 30).astype(np.int8)}
    seen = Stimulus({"input": random.integers(0, 256, (30, 12)).astype(np.uint8)}, labels)
    part = simulate(program, seen.part(0, 10))
    return part.program, seen, Unfinished(0, 30, part.state)


def test_a_run_from_before_there_were_averages_goes_on() -> None:
    program, seen, run = interrupted("clapp")
    older = replace(run, state=replace(run.state, fields=run.state.fields[: Field.MEAN]))
    read = from_parts(*to_parts(older))
    assert misfit(read, program) is None
    again = simulate(program, seen.part(10, 30), state=read.state)
    assert again.program == simulate(program, seen.part(10, 30), state=run.state).program


def test_a_variance_below_zero_is_damage() -> None:
    program, _, run = interrupted("lpl")
    assert misfit(run, program) is None
    fields = run.state.fields.copy()
    fields[Field.VARIANCE, -1] = -1
    broken = replace(run, state=replace(run.state, fields=fields))
    assert misfit(broken, program) == "a variance is below 0"


def test_a_run_from_before_steps_were_recorded_goes_on_without() -> None:
    program, seen, run = interrupted("clapp")
    older = from_parts(*to_parts(replace(run, state=replace(run.state, record=None))))
    assert older.state.record is None and misfit(older, program) is None
    again = simulate(program, seen.part(10, 30), state=older.state)
    assert again.events.record is None
    whole = simulate(program, seen.part(10, 30), state=from_parts(*to_parts(run)).state)
    assert whole.events.record is not None and again.program == whole.program


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stride": 3}, "steps are of one fixation in 3, not in 1"),
        ({"sent": np.zeros((9, 3, 8), np.int32)}, "sent is int32"),
        ({"active": np.zeros((10, 3, 8), np.int64)}, "active is int64"),
        ({"active": np.full((10, 3, 8), -1, np.int32)}, "active has a count below 0"),
    ],
)
def test_a_record_of_another_run_is_damage(changes: dict, words: str) -> None:
    program, _, run = interrupted("clapp")
    assert run.state.record is not None and run.state.record.sent.shape == (10, 3, 8)
    damaged = replace(run.state, record=replace(run.state.record, **changes))
    assert words in (misfit(replace(run, state=damaged), program) or "")
