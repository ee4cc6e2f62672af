"""Engines agree on random networks; where one is made wrong, it is found, made small and written.

`FUZZ=3000 python -m pytest -m fuzz -s tests/test_fuzz.py`, or `make fuzz`, draws more of them.
"""

from __future__ import annotations

import os
import re
import shlex
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rerun_case
from fuzz.agreement import difference
from fuzz.cases import Case, cases, read_case, write_case
from fuzz.hunt import EnginesDisagreeError, hunt
from fuzz.learning_maps import learning_maps
from fuzz.networks import dense, maps, timed
from fuzz.recurrent import recurrent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase
from strided_network import strided

from clapp_neuro.errors import InputError
from compiler.backends import simulator
from compiler.backends.tensor import maps as tensor_maps
from compiler.backends.tensor import somata, sum_of_products, synapses
from compiler.ir import Network
from compiler.products import general
from compiler.soundness import fault
from compiler.terms import Connection

ROOT = Path(__file__).parents[1]
DRAWS = {"tensor": 300, "lava": 8}
FEW = st.integers(1, 6)  # neurons of a layer
LAVA_SHARE = 20  # one draw on Lava, which starts a dozen processes, for so many on tensors


@pytest.mark.parametrize("against", DRAWS)
def test_engines_agree(against: str) -> None:
    """Every step, whole runs, every count."""
    hunter = hunt(against, DRAWS[against], most=6 if against == "tensor" else 3)
    assert hunter.drawn >= DRAWS[against] // 2, hunter  # there are not always so many small ones


RECURRENT = {"tensor": 100, "lava": 4}


@pytest.mark.parametrize("against", RECURRENT)
def test_engines_agree_on_recurrent_networks(against: str) -> None:
    """Any neurons, delays, sequences and kernels as well, which compute and do not learn."""
    hunter = hunt(against, RECURRENT[against], most=2, sources=recurrent() | strided())
    assert hunter.drawn >= RECURRENT[against] // 2, hunter
    assert hunter.refused.total() < hunter.drawn / 4


@pytest.mark.fuzz
@pytest.mark.timeout(0)
@pytest.mark.parametrize("sources", [None, recurrent()], ids=["any", "recurrent"])
@pytest.mark.parametrize("against", DRAWS)
def test_engines_agree_on_thousands(
    against: str, sources: st.SearchStrategy[Network] | None
) -> None:
    """FUZZ says how many; what failed before is tried first."""
    asked = int(os.environ.get("FUZZ", "3000"))
    database = DirectoryBasedExampleDatabase(ROOT / ".hypothesis" / "fuzz")
    draws = asked if against == "tensor" else max(1, asked // LAVA_SHARE)
    print()
    most = 6 if against == "tensor" else 3
    print(hunt(against, draws, database=database, loud=True, most=most, sources=sources))


def wrong_threshold(soma, v, fired, drive, right=somata.step):
    """Neurons spike one unit too early."""
    early = replace(soma, threshold=max(0, soma.threshold - 1))
    return right(early, v, fired, drive)


def wrong_rounding(tags, x1, y, exponent, key, tag_max, right=synapses.learn):
    """All synapses of a row share their random bits with those of the next step."""
    return right(tags, x1, y, exponent, key + 1, tag_max)


def wrong_pool(spikes, bits, shape, right=tensor_maps.neighbours):
    """The last of the neighbours wins instead of the first."""
    return right(spikes, bits.flip(0, 1), shape)


def wrong_average(weights, tags, real, weight_max, tag_max, right=synapses.average):
    """The tag is lost."""
    found = right(weights, tags, real, weight_max, tag_max)
    return found[0], 0 * found[1], *found[2:]


def wrong_winner(sent, shifts, source, target, right=tensor_maps.hear_winners):
    """Each neighbour hears what another one should."""
    return right(sent, shifts.flip(0), source, target)


def wrong_trace(values, spiked, trace, words, right=sum_of_products.follow):
    """An impulse is one larger."""
    return right(values, spiked, replace(trace, impulse=trace.impulse + 256), words)


@pytest.mark.parametrize(
    ("module", "name", "wrong", "words", "sources", "few"),
    [
        (somata, "step", wrong_threshold, "membrane of|spikes of", dense(FEW), 24),
        (synapses, "learn", wrong_rounding, "tags of", dense(FEW), 24),
        (tensor_maps, "neighbours", wrong_pool, "membrane of", maps(), 60),
        (synapses, "average", wrong_average, "tags of", learning_maps(), 24),
        (tensor_maps, "hear_winners", wrong_winner, "counts of|post of", learning_maps(), 24),
        (sum_of_products, "follow", wrong_trace, "weights of|tags of", timed(), 24),
    ],
)
def test_a_wrong_engine_is_found_and_its_case_is_small_written_and_reproduced(
    module, name, wrong, words, sources, few, tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(module, name, wrong)
    monkeypatch.setattr("fuzz.hunt.SHRINKS", 600)  # enough for few neurons, and some seconds
    with pytest.raises(EnginesDisagreeError) as caught:
        hunt("tensor", 2000, folder=tmp_path, most=2, sources=sources)
    told = str(caught.value)
    assert re.search(words, told), told
    command = shlex.split(told.splitlines()[-1].removeprefix("reproduce with: "))
    assert command[:2] == ["python", "tests/rerun_case.py"]
    case = read_case(Path(command[2]))
    neurons = [p.size for p in case.program.populations]
    assert sum(neurons) <= few, case

    assert rerun_case.main(command[2:]) == 1
    shown = capsys.readouterr().out
    assert re.search(words, shown) and shown.strip().splitlines()[0].startswith(repr(case))
    monkeypatch.undo()
    assert rerun_case.main(command[2:]) == 0
    assert "simulator and tensor agree" in capsys.readouterr().out


def test_an_engine_that_fails_is_found_too(tmp_path, monkeypatch) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(somata, "step", fails)
    with pytest.raises(EnginesDisagreeError, match="an engine failed: ZeroDivisionError"):
        hunt("tensor", 200, folder=tmp_path)


def test_files_that_are_no_case(tmp_path, capsys) -> None:
    assert rerun_case.main([str(tmp_path / "missing.clapp")]) == 2
    assert "missing.clapp" in capsys.readouterr().err


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
    happened, kept = seen_in(draws)
    assert happened["refused"] < draws / 4
    for what in ("maps", "kernels that learn", "any time step", "inference"):
        assert happened[what] > draws / 20, happened
    for what in ("tags change", "in between", "gates open"):
        assert happened[what] > draws / 20, happened
    for what in ("silent", "saturated", "no fixation", "carries", "weight_clipped"):
        assert happened[what] >= 3, happened
    for what in ("kernels change", "averages", "losers forget"):
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
