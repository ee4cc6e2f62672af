"""What the draws are of: all kinds of programs, that spike, learn, saturate and can be stored."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from fuzz.agreement import difference
from fuzz.cases import Case, cases, read_case, write_case
from hypothesis import HealthCheck, given, settings

from clapp_neuro.errors import InputError
from compiler.backends import simulator
from compiler.products import direct, general, transfers
from compiler.soundness import fault
from compiler.terms import Connection


def seen_in(draws: int) -> tuple[Counter[str], list[Case]]:
    """What happens in so many draws, and some of them."""
    happened: Counter[str] = Counter()
    kept: list[Case] = []

    @settings(
        max_examples=draws,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(cases())
    def look(case: Case | None) -> None:
        if case is None:
            happened["refused"] += 1
            return
        kept.append(case)
        program = case.program
        happened["maps"] += any(p.shape is not None for p in program.populations)
        happened["inference"] += not case.learn
        kernels = [s.name for s in program.synapses if s.connection is Connection.UNTIED]
        happened["kernels that learn"] += bool(kernels)
        happened["kernels in turn"] += any(s.in_turn for s in program.synapses)
        happened["traces of spikes"] += any(gate.serial for gate in program.gates)
        happened["readouts"] += any(gate.points for gate in program.gates)
        happened["pairs"] += bool(program.low)
        happened["rounded into weights"] += any(
            s.rule is not None and not s.paired and (transfers(s.rule) or direct(s.rule))
            for s in program.synapses
        )
        happened["other widths"] += (program.weight_max, program.tag_max) != (127, 255)
        happened["any time step"] += any(general(s) for s in program.synapses)
        happened["no fixation"] += case.stimulus.fixations == 0
        if not (case.learn and program.plastic and case.stimulus.fixations):
            return
        ran = simulator.simulate(program, case.stimulus)
        neurons = [p for p in ran.events.populations if not p.host]
        happened["silent"] += any(p.silent for p in neurons)
        happened["saturated"] += any(p.saturated for p in neurons)
        happened["in between"] += any(
            p.silent + p.saturated < p.neurons * ran.events.fixations for p in neurons
        )
        happened["gates open"] += bool(ran.gates.any())
        happened["tags change"] += any(
            not np.array_equal(s.tags, t.tags)
            for s, t in zip(program.synapses, ran.program.synapses, strict=True)
            if s.tags is not None
        )
        happened["kernels change"] += any(
            p.plastic_updates > 0 for p in ran.events.projections if p.name in kernels
        )
        happened["averages"] += any(p.averaged for p in ran.events.projections)
        happened["losers forget"] += any(
            s.connection is Connection.UNPOOL for s in program.synapses
        )
        for counted in ("post_clipped", "membrane_clipped"):
            happened[counted] += any(getattr(p, counted) for p in neurons)
        for counted in ("carries", "tag_clipped", "weight_clipped"):
            happened[counted] += any(getattr(p, counted) for p in ran.events.projections)

    look()
    return happened, kept


def test_draws_are_of_all_kinds(tmp_path) -> None:
    """A hunt in which nothing spikes or learns would find nothing."""
    draws = 600
    # hypothesis also draws constants of the modules that are loaded: in a process of its own they
    # are the same ones whatever tests ran before
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        happened, kept = process.submit(seen_in, draws).result()
    assert happened["refused"] < draws / 4
    for what in ("maps", "kernels that learn", "any time step", "inference"):
        assert happened[what] > draws / 20, happened
    for what in ("tags change", "in between", "gates open"):
        assert happened[what] > draws / 20, happened
    for what in (
        "silent",
        "saturated",
        "no fixation",
        "carries",
        "weight_clipped",
        "rounded into weights",
    ):
        assert happened[what] >= 3, happened
    drawn = ("kernels in turn", "traces of spikes", "readouts", "pairs")
    for what in ("kernels change", "averages", "losers forget", "other widths", *drawn):
        assert happened[what] >= 10, happened
    for what in ("post_clipped", "membrane_clipped"):
        assert happened[what] >= 1, happened
    assert all(fault(case.program) is None for case in kept)
    widths = {p.size for case in kept for p in case.program.populations}
    assert {1, 2, 3, 16, 17} <= widths
    case = next(c for c in kept if c.learn and c.program.plastic and c.stimulus.fixations)
    again = read_case(write_case(tmp_path / "case.clapp", case))
    assert again.program == case.program and repr(again) == repr(case)
    assert (again.learn, again.split) == (case.learn, case.split)
    for kind in ("intensities", "signals"):
        ours, theirs = getattr(case.stimulus, kind), getattr(again.stimulus, kind)
        assert ours.keys() == theirs.keys()
        assert all(np.array_equal(ours[k], theirs[k]) for k in ours)
    (tmp_path / "case.npz").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"case\.npz' is not the stimulus of a case"):
        read_case(tmp_path / "case.clapp")
    assert difference("tensor", case) is None
