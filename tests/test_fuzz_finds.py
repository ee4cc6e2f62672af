"""Where an engine is made wrong, it is found, and the case is made small, written, reproduced."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
import rerun_case
from fuzz.cases import read_case
from fuzz.hunt import EnginesDisagreeError, hunt
from fuzz.learning_maps import learning_maps
from fuzz.networks import dense, maps, timed
from hypothesis import strategies as st

from compiler.backends.tensor import maps as tensor_maps
from compiler.backends.tensor import somata, sum_of_products, synapses

FEW = st.integers(1, 6)  # neurons of a layer, or channels of a map


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
        (tensor_maps, "neighbours", wrong_pool, "membrane of", maps(FEW), 60),
        (synapses, "average", wrong_average, "tags of", learning_maps(FEW), 24),
        (tensor_maps, "hear_winners", wrong_winner, "counts of|post of", learning_maps(FEW), 24),
        (sum_of_products, "follow", wrong_trace, "weights of|tags of", timed(), 24),
    ],
)
def test_a_wrong_engine_is_found_and_its_case_is_small_written_and_reproduced(
    module, name, wrong, words, sources, few, tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(module, name, wrong)
    monkeypatch.setattr("fuzz.hunt.SHRINKS", 200)  # enough for few neurons, and some seconds
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
