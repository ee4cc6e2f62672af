"""The benchmark of long runs: what it counts, and that a long run stays sound."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHIPPED = str(ROOT / "clapp_neuro" / "data" / "shipped")


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks" / "adapt")
    return importlib.import_module("long_run")


def test_each_stretch_is_counted_apart(benchmark, monkeypatch):
    monkeypatch.setattr(benchmark, "IMAGES", 20)
    found = benchmark.measure("fashion-dense", 600, 2, 0, SHIPPED)
    first, *stretches = found["stretches"]
    assert "loss" not in first
    assert [s["fixations"] for s in stretches] == [300, 600]
    for s in stretches:
        assert all(0 < rate < 1 for rate in s["rate"])
        assert all(0 < opened <= 1 for opened in s["gate"])
        assert all(0 <= n <= 256 for n in (*s["dead"], *s["always_on"]))
    assert stretches[1]["post_writes"] > stretches[0]["post_writes"]


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_a_million_fixations_stay_sound(benchmark):
    first, *stretches = benchmark.measure("fashion-dense", 1_000_000, 4, 0, SHIPPED)["stretches"]
    last = stretches[-1]
    for layer in range(2):
        assert last["loss"][layer] < stretches[0]["loss"][layer] < 1  # no stall, no runaway
        assert 0.02 < last["rate"][layer] < 0.5
        assert last["dead"][layer] < 26  # a tenth of the layer
        assert last["always_on"][layer] <= first["always_on"][layer] + 26
    assert last["at_limit"] < 0.01
    assert last["post_clipped"] < 1e-3 * last["post_writes"]
