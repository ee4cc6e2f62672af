"""The benchmark of training compares two implementations of the same updates."""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path

import pytest

from clapp_neuro.config import with_settings
from clapp_neuro.errors import InputError
from clapp_neuro.show import dump

FOLDER = Path(__file__).parent.parent / "benchmarks"
LAYERS = [4, 6, 6, 8, 8, 8]
TENSORS = 6 * (2 + 2 * 5)  # weights and bias; W_pred and W_retro of each prediction step


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)  # its processes import it by name
    return importlib.import_module("training")


def arguments(**changes):
    return argparse.Namespace(
        **{"preset": None, "batch": 2, "precision": None, "compile": False, **changes}
    )


def tiny(benchmark, **changes):
    return with_settings(benchmark.experiment_of(arguments(**changes)), encoder={"layers": LAYERS})


@pytest.mark.parametrize("batch", [2, 4])
def test_local_rule_is_what_autograd_computes(benchmark, batch):
    found = benchmark.differences(tiny(benchmark, batch=batch), "cpu")
    assert len(found) == TENSORS
    assert max(found.values()) < benchmark.TOLERANCE


def test_a_preset_of_dense_layers(benchmark):
    experiment = benchmark.experiment_of(arguments(preset="fashion-dense-rate"))
    assert max(benchmark.differences(experiment, "cpu").values()) < benchmark.TOLERANCE


def test_presets_that_plain_modules_do_not_cover(benchmark):
    with pytest.raises(InputError, match="rate"):
        benchmark.experiment_of(arguments(preset="fashion-dense"))


def test_figures(benchmark, tmp_path, capsys):
    figures = benchmark.measure(tiny(benchmark), "cpu", 2, True)
    benchmark.show(figures)
    assert "largest relative difference" in capsys.readouterr().out
    dump(tmp_path / "figures.json", figures)
    read = json.loads((tmp_path / "figures.json").read_text())
    assert read["equal"] and read["steps"] == 2
    assert {"device_name", "torch", "threads", "experiment", "memory_measure"} <= read.keys()
    assert set(read["contenders"]) == set(benchmark.NAMES)
    for one in read["contenders"].values():
        assert {"images_a_second", "step", "peak_bytes", "weights_bytes", "moments_bytes"} == set(
            one
        )
    assert set(read["ratios"]) == {"blocked", "end_to_end"}
    for ratio in read["ratios"].values():
        assert set(ratio) == {"speed", "speed_low", "speed_high", "memory"}


def test_options_of_training_are_timed_side_by_side(benchmark, capsys, monkeypatch):
    precision = importlib.import_module("precision")
    monkeypatch.setitem(precision.OPTIONS["float32, compiled"], "compile", False)  # a minute less
    monkeypatch.setitem(precision.OPTIONS["bfloat16, compiled"], "compile", False)
    figures = precision.measure(tiny(benchmark), "cpu", 2)
    precision.show(figures)
    assert "times as fast as float32" in capsys.readouterr().out
    options = figures["options"]
    assert list(options) == list(precision.OPTIONS)
    assert options["float32"]["against_float32"]["speed"] == 1
    assert figures["steps"] == figures["rounds"] == 2
