"""The benchmark of rounding: what is found never exceeds what was stated."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "benchmarks"


@pytest.mark.parametrize("bits", [8, 5])
def test_what_is_found_is_within_the_interval_and_that_within_the_bound(monkeypatch, bits):
    monkeypatch.syspath_prepend(FOLDER)
    rounding = importlib.import_module("rounding")
    (row,) = rounding.measure("recurrent", bits, rounding.recurrent(), samples=3)
    assert 0 < row.found <= row.on_samples * (1 + 1e-9)
    assert row.on_samples < row.stated and 0 < row.near < 0.01
    assert len(row.cells) == len(rounding.HEADER)
