"""A sweep: every network once, resumed where it stopped, and the front that no setting beats."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clapp_neuro.cli import main
from clapp_neuro.errors import InputError
from clapp_neuro.verbs import energy_sweep
from clapp_neuro.verbs.energy_sweep import ENERGIES, QUICK, Grid, pareto, sweep
from clapp_neuro.verbs.energy_sweep_figure import plot_sweep

SMALL = Grid(
    steps=(4,),
    widths=((12, 8),),
    margins=(0.5, 1.0),
    seeds=(0, 1),
    fixations=40,
    images=2,
    readout=60,
)


def call(*arguments: object) -> int:
    """The exit code of a command."""
    with pytest.raises(SystemExit) as end:
        main([str(a) for a in arguments])
    return end.value.code if isinstance(end.value.code, int) else 0


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12))
def test_the_front_is_what_nothing_beats(points):
    front = pareto(points)
    assert front
    for i, (energy, accuracy) in enumerate(points):
        better = [
            (e, a)
            for e, a in points
            if e <= energy and a >= accuracy and (e, a) != (energy, accuracy)
        ]
        assert (i in front) == (not better)


def test_a_sweep_goes_on_where_it_stopped_and_ends_the_same(tmp_path, monkeypatch):
    whole = sweep(tmp_path / "whole.json", SMALL)
    assert len(whole.points) == 2 and not whole.failed
    for point in whole.points:
        for kind in ENERGIES:
            low, value, high = getattr(point, kind)
            assert 0 < low < value < high
        least, middle, most = point.accuracy
        assert 0 <= least <= middle <= most <= 1
        assert point.learning[1] > point.inference[1]
    assert all(whole.fronts[kind] for kind in ENERGIES)

    trained = []
    original = energy_sweep._result

    def interrupted(network, grid, data):  # type: ignore[no-untyped-def]
        if len(trained) == 2:
            raise KeyboardInterrupt
        trained.append(network.name)
        return original(network, grid, data)

    path = tmp_path / "parts.json"
    monkeypatch.setattr(energy_sweep, "_result", interrupted)
    with pytest.raises(InputError, match="2 of 4 networks are in"):
        sweep(path, SMALL)
    monkeypatch.setattr(energy_sweep, "_result", original)
    seen: list[str] = []
    again = sweep(path, SMALL, report=lambda done, total, note: seen.append(f"{done}/{total}"))
    assert seen == ["2/4", "2/4", "3/4", "4/4"]
    assert replace(again, path=whole.path) == whole
    assert json.loads(path.read_text()) == json.loads((tmp_path / "whole.json").read_text())


def test_a_network_that_cannot_be_had_is_named_and_the_others_stay(tmp_path, monkeypatch):
    original = energy_sweep._compiled

    def silent(network, *arguments):  # type: ignore[no-untyped-def]
        if network.margin == 0.5:
            raise InputError("layer 1 fell silent")
        return original(network, *arguments)

    monkeypatch.setattr(energy_sweep, "_compiled", silent)
    found = sweep(tmp_path / "some.json", replace(SMALL, seeds=(0,)))
    assert [p.margin for p in found.points] == [1.0]
    assert list(found.failed.values()) == ["layer 1 fell silent"]
    none = sweep(tmp_path / "none.json", replace(SMALL, margins=(0.5,), seeds=(0,)))
    with pytest.raises(InputError, match="nothing to draw"):
        plot_sweep(none, tmp_path / "none.png")


def test_the_command(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(energy_sweep, "QUICK", replace(SMALL, margins=(1.0,), seeds=(0,)))
    out, picture, report, sheet = (tmp_path / n for n in ("s.json", "s.png", "r.json", "s.csv"))
    words = ("energy", "--sweep", "--quick", "--out", out, "--plot", picture, "--json", report)
    words += ("--csv", sheet)
    assert call(*words) == 0
    shown = capsys.readouterr().out
    assert "T 4, 12-8, margin 1" in shown and "Pareto front" in shown
    assert picture.read_bytes().startswith(b"\x89PNG")
    told = json.loads(report.read_text())
    assert told["points"][0]["setting"] == told["fronts"]["inference"][0]
    (row,) = csv.DictReader(sheet.open())
    assert (row["setting"], row["widths"]) == ("T 4, 12-8, margin 1", "12-8")
    (point,) = told["points"]
    assert [float(row[f"learning {b}"]) for b in ("low", "value", "high")] == point["learning"]
    assert float(row["accuracy"]) == point["accuracy"][1] and row["inference front"] == "1"
    assert call(*words) == 0  # nothing is trained again: the file has it all


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "give either a compiled program"),
        (("x.clapp", "--sweep"), "give either a compiled program"),
        (("x.clapp", "--quick"), "are for --sweep"),
        (("--sweep", "--images", 3, "--compare", "all"), "--compare, --images: for one compiled"),
    ],
)
def test_what_does_not_go_together_is_refused(words, message, capsys):
    assert call("energy", *words) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("content", ["[]", "{", '{"settings": {}, "networks": []}', "null"])
def test_a_file_of_something_else_is_left_alone(tmp_path, content):
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(InputError, match="no results file"):
        sweep(path, SMALL)
    assert path.read_text() == content


def test_results_of_another_grid_are_not_mixed(tmp_path):
    path = tmp_path / "s.json"
    path.write_text(json.dumps({"settings": json.loads(json.dumps(vars(SMALL))), "networks": {}}))
    with pytest.raises(InputError, match="steps differ"):
        sweep(path, QUICK)
