"""The measurement of learning on the chip: its parts, and a small one through its processes."""

from __future__ import annotations

import importlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parent.parent / "benchmarks" / "on_chip"
MODULES = ("settings", "pair", "runs", "summary", "jobs", "spread", "page")


@pytest.fixture
def parts(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)  # its processes import them by name
    return {name: importlib.import_module(name) for name in MODULES}


def test_a_pair_carries_whole_units_and_loses_nothing(parts):
    random = np.random.default_rng(0)
    weights = random.integers(-120, 121, 1000).astype(np.int8)
    tags = random.integers(-127, 128, 1000).astype(np.int16)
    before = 64 * weights.astype(int) + tags
    parts["pair"].carry(weights, tags, 127)
    assert np.array_equal(64 * weights.astype(int) + tags, before)
    assert np.abs(tags).max() <= 32


def test_a_full_weight_keeps_what_it_cannot_take(parts):
    weights, tags = np.array([127], np.int8), np.array([100], np.int16)
    parts["pair"].carry(weights, tags, 127)
    assert (weights[0], tags[0]) == (127, 100)


def test_intervals_are_students(parts):
    assert parts["spread"].interval([1.0, 2.0, 3.0]) == pytest.approx(2.4841, abs=1e-3)
    assert parts["spread"].interval([1.0]) == 0


def test_what_is_kept_is_of_the_means(parts):
    way = {"untrained": [[80.0], [82.0]], "online": [[82.0], [84.0]], "accuracy": [[81.0], [84.0]]}
    assert parts["spread"].kept_of_means(way) == pytest.approx([0.75])


def test_where_every_seed_keeps_the_same_share_the_interval_is_nothing(parts):
    way = {"untrained": [[80.0], [80.0]], "online": [[82.0], [84.0]], "accuracy": [[81.0], [82.0]]}
    assert parts["spread"].interval_of_kept(way) == pytest.approx([0.0], abs=1e-9)
    way["accuracy"] = [[81.5], [82.0]]
    assert parts["spread"].interval_of_kept(way)[0] > 0.1


def test_a_small_measurement_writes_its_page_and_goes_on(parts, tmp_path):
    settings, lowerings = parts["settings"], ("pair", "direct", "stock")
    small = replace(
        settings.SCALES["trial"]["dense"], fixations=320, labelled=100, lowerings=lowerings
    )
    data = str(Path(__file__).parent.parent / "clapp_neuro" / "data" / "shipped")
    with ThreadPoolExecutor(1) as pool:
        parts["jobs"].everything(small, tmp_path / "dense", data, pool)
        kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")}
        parts["jobs"].everything(small, tmp_path / "dense", data, pool)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")} == kept
    found = parts["summary"].summarise({"dense": small}, tmp_path, "trial")
    assert np.shape(found["default"]["gain_recovered"]) == (2, 2)
    assert np.shape(found["default"]["loss_gain"]) == (2, 2)
    assert found["variants"].keys() == {*lowerings}
    lava = found["networks"]["dense"]["lava"]
    assert lava["fixations"] == small.prefix
    assert lava["values"] > 100_000
    assert lava["differences"] == 0
    assert np.shape(found["variants"]["pair"]["loss_gain"]) == (1, 2)
    # what was chosen on is not what is reported
    run = json.loads((tmp_path / "dense" / "0" / "untrained.json").read_text())
    assert found["default"]["untrained"][0] == run["accuracy"]["test"]
    parts["page"].write_page(found, tmp_path)
    page = (tmp_path / "on_chip.md").read_text()
    for title in (
        "chip − float",
        "no tag: each update",
        "pair of 8-bit",
        "Kept of the gain",
        "all equal",
    ):
        assert title in page
    assert (tmp_path / "on_chip.png").stat().st_size > 10_000
