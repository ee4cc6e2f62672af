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
MODULES = ("settings", "runs", "summary", "jobs", "spread", "page")


@pytest.fixture
def parts(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)  # its processes import them by name
    return {name: importlib.import_module(name) for name in MODULES}


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
    settings, lowerings = parts["settings"], ("pair-32", "direct", "stock")
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
    assert np.shape(found["variants"]["pair-32"]["loss_gain"]) == (1, 2)
    pair = found["variants"]["pair-32"]
    assert pair["management_energy"]["value"] > 0 == found["default"]["management_energy"]["value"]
    kept = parts["summary"].kept(found)["ways"]
    assert kept.keys() == {"carry", "pair", "direct"}
    assert kept["pair"]["loss_gain"] == pair["loss_gain"][0]
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
