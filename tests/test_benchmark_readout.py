"""The measurement of the readout on the chip, small, through its processes."""

from __future__ import annotations

import importlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "benchmarks" / "on_chip"
MODULES = ("settings", "measurements", "spread", "summary", "readout_settings", "readout_runs",
           "readout_page", "readout")  # fmt: skip


@pytest.fixture
def parts(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)  # its processes import them by name
    return {name: importlib.import_module(name) for name in MODULES}


def test_a_small_measurement_writes_its_page_and_goes_on(parts, tmp_path):
    readout, page = parts["readout"], parts["readout_page"]
    setting = parts["readout_settings"].Setting((90, 180), 100, (0, 1), (0.001, 0.002))
    data = str(FOLDER.parent.parent / "clapp_neuro" / "data" / "shipped")
    with ThreadPoolExecutor(1) as pool:
        readout.measure(setting, tmp_path, data, pool)
        stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")}
        readout.measure(setting, tmp_path, data, pool)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")} == stamps
    found = readout.summarise(setting, tmp_path, "trial")
    ways = parts["readout_settings"].WAYS
    assert found["scale"] == "trial" and list(found["ways"]) == list(ways) and len(ways) == 5
    for name, way in found["ways"].items():
        assert way["seeds"] == [0, 1] and way["rate"] in setting.rates
        for curve in ("test", "validation", "rewarded"):
            assert [len(run) for run in way[curve]] == [2, 2]
            assert all(0 <= value <= 100 for run in way[curve] for value in run)
        assert len(way["linear"]) == (2 if name in ("learning", "untrained") else 0)
    chosen = found["ways"]["learning"]["validated"]
    assert max(chosen.values()) == chosen[f"{found['ways']['learning']['rate']:g}"]
    page.write_page(json.loads(json.dumps(found)), tmp_path)
    text = (tmp_path / "readout.md").read_text()
    assert "| on the chip, while the layers learn |" in text and "180 |" in text
    assert "one for each position − one for all" in text
    assert (tmp_path / "readout.png").read_bytes().startswith(b"\x89PNG")
