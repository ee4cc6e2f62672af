"""The benchmark of growth: its exponent, and one small series through its processes."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def scaling(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)  # its processes import it by name
    return importlib.import_module("scaling")


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_a_power_is_found_whatever_comes_before_the_last_decade(scaling, power):
    sizes = [1, 5, 100, 300, 1000]
    measured = [7.0, 7.0, *(0.01 * n**power for n in sizes[2:])]
    assert scaling.exponent(sizes, measured) == pytest.approx(power)
    assert scaling.exponent([1, 10], [0, 0]) is None
    assert scaling.exponent([1, 100], [1, 1]) is None


def test_a_series_is_measured_in_processes_of_its_own(scaling, monkeypatch, capsys):
    few = scaling.Series("layers", (1, 3), lambda n: scaling.dense((8,) * n, True), True)
    monkeypatch.setitem(scaling.SERIES, "few", few)
    found = scaling.measure("few")
    assert [size["layers"] for size in found["sizes"]] == [1, 3]
    assert [size["synapses"] for size in found["sizes"]] == [196 * 8, 196 * 8 + 2 * 64]
    for size in found["sizes"]:
        assert 0 < size["seconds"] < 60
        assert size["peak_bytes"] >= size["idle_bytes"] > 2**20
    assert capsys.readouterr().out.count("few: ") == 2
