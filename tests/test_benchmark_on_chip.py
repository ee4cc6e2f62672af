"""The measurement of learning on the chip: its parts, and a small one through its processes."""

from __future__ import annotations

import importlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clapp_neuro.errors import InputError

FOLDER = Path(__file__).parent.parent / "benchmarks" / "on_chip"
MODULES = ("settings", "measurements", "summary", "jobs", "spread", "page")


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
    found = parts["summary"].summarise({"dense": small}, tmp_path, "trial", tmp_path / "none.json")
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


def test_networks_that_are_not_in_the_folder_stay_as_they_were(parts, tmp_path):
    """One that is measured again takes its place, and each says how it was measured."""
    stored = FOLDER.parent.parent / "docs" / "results" / "on_chip.json"
    before = json.loads(stored.read_text())["networks"]
    networks = parts["settings"].SCALES["short"]
    chosen = replace(networks["conv"], seeds=(0,), rates=(0.5, 1.0), fastest=0.5)
    store_runs(chosen, tmp_path / "conv" / "0")
    found = parts["summary"].summarise({**networks, "conv": chosen}, tmp_path, "trial", stored)
    assert list(found["networks"]) == list(networks)
    for name, network in found["networks"].items():
        assert (network == before.get(name)) == (name != "conv")
    assert found["networks"]["conv"]["rate"] == 0.5  # the other one is better and too fast
    assert found["default"] == before["dense"]["default"]
    parts["page"].write_page(found, tmp_path)
    page = (tmp_path / "on_chip.md").read_text()
    assert "`python benchmarks/on_chip --scale trial --networks conv`" in page
    assert "`python benchmarks/on_chip --scale short --networks dense`" in page
    assert "takes at most 0.50000" in page


def test_nothing_measured_and_nothing_stored_is_said(parts, tmp_path):
    with pytest.raises(InputError, match="no network of scale 'short' has a whole seed"):
        parts["summary"].summarise(
            parts["settings"].SCALES["short"], tmp_path, "short", tmp_path / "none.json"
        )


def store_runs(network, folder):
    """The runs of one seed, of made-up figures."""
    accuracy = {"validation": [1.0, 1.0], "test": [2.0, 2.0], "source": "nothing", "tested": 5}
    curve = {"loss": [[0.5] * 50] * 2, "gate": [[0.5] * 50] * 2}
    costs = (
        "plastic_updates",
        "carry_visits",
        "management_visits",
        "tag_clipped",
        "weight_clipped",
    )
    energy = {"value": 1.0, "low": 0.5, "high": 2.0}
    chip = {**curve, "learning_energy": energy, "silent": [0.0], "saturated": [0.0]}
    runs = {"untrained": {}, "carry-0.500000": {**chip, **dict.fromkeys(costs, 1)}}
    runs |= {f"online-{rate:.6f}": curve for rate in network.rates}
    for n, (name, run) in enumerate(runs.items()):
        learned = {**accuracy, "test": [2.0 + n, 2.0 + n], "validation": [1.0 + n, 1.0 + n]}
        folder.mkdir(parents=True, exist_ok=True)
        stored = json.dumps({**run, "accuracy": learned, "seconds": 1.0})
        (folder / f"{name}.json").write_text(stored)
