"""The measurement of changing worlds: its arithmetic, and a small one through to its page."""

from __future__ import annotations

import importlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clapp_neuro.reproduce.intervals import interval
from clapp_neuro.verbs.adapt import Setting

ROOT = Path(__file__).parent.parent
SHIPPED = str(ROOT / "clapp_neuro" / "data" / "shipped")
MODULES = ("scales", "chips", "plan", "collect", "shares", "ceiling", "report")


@pytest.fixture
def parts(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks" / "adapt")
    return {name: importlib.import_module(name) for name in MODULES}


def standing(old, new, kept):
    """Two seeds of a network with one layer."""
    kinds = {"old": old, "new": new, "new_by_old": new, "new_kept": new, "old_kept": kept}
    test = {kind: [[value] for value in values] for kind, values in kinds.items()}
    return {"seeds": [0, 1], "test": test, "validation": test}


def test_what_came_back_is_a_share_of_what_was_lost(parts):
    found = {"frozen": standing([80.0, 82.0], [70.0, 71.0], [80.0, 82.0]), "native": None}
    look = standing([79.0, 80.0], [78.0, 79.0], [75.0, 74.0])
    points = parts["shares"].ledger("dim", found, look)
    assert points.cost.tolist() == [10.0, 11.0]
    assert points.won.tolist() == [8.0, 8.0]
    assert points.share == pytest.approx(16 / 21)
    assert points.forgotten.tolist() == [1.0, 2.0]
    assert points.unlearned.tolist() == [5.0, 8.0]


def test_new_classes_cost_what_a_chip_has_that_knows_only_them(parts):
    found = {"frozen": standing([80.0, 82.0], [90.0, 91.0], [80.0, 82.0]), "native": None}
    look = standing([79.0, 80.0], [92.0, 93.0], [75.0, 74.0])
    unknown = parts["shares"].ledger("new-classes", found, look)
    assert (unknown.cost, unknown.share) == (None, None)
    found["native"] = standing([70.0, 70.0], [94.0, 95.0], [70.0, 70.0])
    points = parts["shares"].ledger("new-classes", found, look)
    assert points.cost.tolist() == [4.0, 4.0]
    assert points.share == pytest.approx(0.5)


def test_next_to_no_cost_is_not_shared_out(parts):
    found = {"frozen": standing([80.0, 80.0], [79.7, 79.9], [80.0, 80.0]), "native": None}
    look = standing([80.0, 80.0], [80.0, 80.0], [80.0, 80.0])
    assert parts["shares"].ledger("dim", found, look).share is None


def test_what_can_come_back_is_what_a_chip_raised_there_has_more(parts):
    """Of 10 points lost a chip raised there has 2 more than the frozen one; learning on wins 3."""
    looks = [{**standing([80.0, 80.0], [73.0, 73.0], [70.0, 70.0]), "fixations": 90}]
    known = {
        "frozen": standing([80.0, 80.0], [70.0, 70.0], [80.0, 80.0]),
        "course": {"seeds": [0, 1], "looks": looks},
        "native": standing([75.0, 75.0], [72.0, 72.0], [75.0, 75.0]),
        "pixels": None,
        "settings": {},
    }
    found = {
        "scale": {"far": "far", "far_looks": [90], "born": 90, "looks": [90]},
        "drifts": {"noise": known},
    }
    section = parts["ceiling"].ceiling_section
    assert "| 3.00 ± 0.00 | 30% | 150% |" in section(found)
    known["native"] = standing([75.0, 75.0], [70.1, 70.1], [75.0, 75.0])
    assert "| 30% | – |" in section(found)
    native, known["native"] = known["native"], None
    assert section(found) == ""
    looks[0] = {**standing([79.0, 79.0], [78.0, 78.0], [70.0, 70.0]), "fixations": 90}
    known["settings"]["far"] = {"seeds": [0, 1], "looks": looks}
    assert "| 80% | – | 1.00 ± 0.00 |" in section(found)
    assert "met by `noise`" in section(found)
    known["native"] = native
    native["test"]["new"] = [[74.0], [74.0]]
    assert "| 80% | 200% | 1.00 ± 0.00 |" in section(found)


def test_intervals_are_students(parts):
    assert interval(np.array([1.0, 2.0, 3.0])) == pytest.approx(2.4841, abs=1e-3)
    assert interval(np.array([1.0])) == 0


def test_a_small_measurement_writes_its_page_and_goes_on(parts, tmp_path):
    small = replace(
        parts["scales"].SCALES["trial"],
        born=90,
        batches=1,
        labelled=100,
        seeds=(0,),
        long=60,
        settings=(Setting(), Setting(every=8)),
    )
    folder = tmp_path / "measured"
    with ThreadPoolExecutor(1) as pool:
        parts["plan"].everything(small, folder, SHIPPED, pool)
        kept = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
        parts["plan"].everything(small, folder, SHIPPED, pool)
    again = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    assert kept == again
    found = parts["collect"].summarise(small, folder)
    dim, new = found["drifts"]["dim"], found["drifts"]["new-classes"]
    assert [look["fixations"] for look in dim["course"]["looks"]] == [90, 180]
    assert np.shape(dim["frozen"]["test"]["new"]) == (1, 2)
    assert new["frozen"]["test"]["new_kept"] is None
    assert (dim["tested"], new["tested"]) == (500, 250)
    assert list(dim["settings"]) == ["margin x 1, rate x 1, tags every 8", "margin x 4, rate x 1"]
    far = dim["settings"]["margin x 4, rate x 1"]
    assert [look["fixations"] for look in far["looks"]] == [180, 270]
    assert list(new["settings"]) == ["margin x 1, rate x 1, tags every 8"]
    assert dim["native"]["seeds"] == new["native"]["seeds"] == dim["pixels"]["seeds"] == [0]
    assert list(found["unchanged"]["all"]) == ["margin x 1, rate x 1", "margin x 4, rate x 1"]
    assert list(found["unchanged"]["old-classes"]) == ["margin x 1, rate x 1"]
    # what was chosen on is not what is reported
    stored = json.loads((folder / "0" / "course-dim-1-1-None.json").read_text())
    assert found["drifts"]["dim"]["frozen"]["test"]["old"] == [
        pytest.approx([100 * share for share in stored["frozen"]["test"]["old"]])
    ]
    parts["report"].write_page(found, tmp_path)
    page = (tmp_path / "adapt.md").read_text()
    for title in ("came back", "can come back", "all pixels", "trained offline", "label", "soun"):
        assert title in page
    assert "Not measured yet" not in page
    for name in ("adapt.png", "adapt_trade.png"):
        assert (tmp_path / name).stat().st_size > 10_000


def test_the_page_says_what_is_missing(parts, tmp_path):
    found_by_seed = {"seeds": [0], "source": "some", "tested": 5}
    standing_of_one = {**standing([80.0], [70.0], [80.0]), **found_by_seed, "dead": [[0]]}
    look = {**standing_of_one, "fixations": 90, "gate": [[0.5]]}
    scale = replace(parts["scales"].SCALES["trial"], drifts=("dim", "noise"))
    found = {
        "scale": scale.to_json(),
        "drifts": {
            "dim": {
                **found_by_seed,
                "frozen": standing_of_one,
                "course": {"seeds": [0], "looks": [look]},
                "network": None,
                "native": None,
                "pixels": None,
                "settings": {},
            }
        },
        "unchanged": {"all": {}},
        "long": [],
    }
    parts["report"].write_page(found, tmp_path)
    page = (tmp_path / "adapt.md").read_text()
    for words in (
        "learns on: `dim`, `noise`",
        "float network: `dim`, `noise`",
        "x 0.25, rate x 1: `dim`",
        "x 4, rate x 1: `dim`",
        "raised there: `dim`",
        "world stays: all, margin x 1, rate x 1, all, margin x 4, rate x 1",
    ):
        assert words in page
