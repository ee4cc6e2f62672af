"""Published workloads are built as published; estimates stand beside what was measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from test_cli import shell

import clapp_neuro
from clapp_neuro.verbs.energy_check import EnergyCheck
from compiler.energy.silicon import backpropagation, cases
from compiler.energy.silicon.check import Case, Reading
from compiler.energy.silicon.keyword_spotting import COPIES, keyword_spotting
from compiler.energy.silicon.lsnn import lsnn
from compiler.energy.silicon.pilot_net import CORES, pilot_net
from compiler.events.neurobench import synapses_of
from compiler.passes.placing.place import place
from compiler.program import Program
from compiler.targets import load_machine, published


@pytest.fixture(scope="module")
def result() -> EnergyCheck:
    return clapp_neuro.energy_check()


def sizes(program: Program) -> dict[str, int]:
    return {p.name: p.size for p in program.populations}


def synapses(program: Program) -> int:
    return sum(int(np.count_nonzero(s.weights)) for s in program.synapses)


def test_the_lsnn_is_the_published_one_and_fits_one_core() -> None:
    program = lsnn().program
    assert sizes(program) == {
        "input": 80,
        "recurrent": 240,
        "after-hyperpolarisation": 100,
        "output": 10,
    }
    assert [np.count_nonzero(s.weights) for s in program.synapses] == [4263, 10566, 846]
    assert program.timetable.steps == 840
    assert len(place(program, load_machine("loihi1")).cores) == 1


def test_keyword_spotting_and_its_copies_are_the_published_ones() -> None:
    alone, many = keyword_spotting().program, keyword_spotting(COPIES).program
    assert list(sizes(alone).values()) == [390, 256, 256, 29]
    assert synapses(alone) == 390 * 256 + 256 * 256 + 256 * 29 == 172_800
    neurons = sum(sizes(many).values()) - sum(sizes(alone).values())
    assert (neurons / COPIES, (synapses(many) - synapses(alone)) / COPIES) == (2_560, 720_896)
    assert many.timetable.steps == 10


def test_pilotnet_has_the_published_number_of_neurons() -> None:
    program = pilot_net().program
    assert sum(sizes(program).values()) == 158_509
    maps = ((24, 99, 32, 3), (36, 49, 15, 24), (48, 24, 7, 36), (64, 22, 4, 48), (64, 20, 2, 64))
    published = sum(c * h * w * below * 9 for c, h, w, below in maps)
    published -= 64 * 22 * 48 * 3 * 2  # of the fourth, which reads a padded column at either end
    published += 2560 * 100 + 100 * 50 + 50 * 10 + 10
    assert sum(synapses_of(program, s) for s in program.synapses) == published
    cores = len(place(program, load_machine("loihi2")).cores)
    assert CORES / 2 < cores < CORES * 2  # how it was placed is not published


def test_backpropagation_has_the_published_layers() -> None:
    classified, learned = (
        w().program for w in (backpropagation.inference, backpropagation.learning)
    )
    forward = sizes(classified)
    assert (forward["x"], forward["h"], forward["o"]) == (400, 400, 10)
    assert (classified.timetable.steps, learned.timetable.steps) == (4, 12)
    on_chip = [p for p in learned.populations if p.soma is not None]
    # two populations of the input, six of the hidden layer, seven of the output, twelve gates
    assert sum(p.size for p in on_chip) == 2 * 400 + 6 * 400 + 7 * 10 + 12
    plastic = [s for s in learned.synapses if s.rule is not None]
    assert sum(s.weights.size for s in plastic) == 3 * 160_000 + 5 * 4_000
    assert not classified.plastic


def test_counts_come_from_the_network_not_from_a_formula() -> None:
    """Half of the synapses gone is half of the operations, and nothing else."""
    workload = lsnn()
    events = workload.events("value")
    counted = {s.name: s.forward_operations for s in events.projections}
    for s in workload.program.synapses:
        sent = next(p for p in events.populations if p.name == s.source)
        messages = sent.spikes + sent.forward_messages
        expected = messages * np.count_nonzero(s.weights) / sent.neurons
        assert counted[s.name] == pytest.approx(expected, rel=0.05)
        assert counted[s.name] != expected  # which neuron spiked matters


def test_rates_are_those_stated() -> None:
    workload = lsnn()
    for end in ("low", "value", "high"):
        for p in workload.events(end).populations:
            if p.name in workload.rates:
                cued = p.name == "input"
                steps = 547 if cued else 547 + 56  # with ink, and of the cue
                chances, rate = p.neurons * steps, workload.rates[p.name].at(end)
                found = (p.spikes + p.forward_messages - (56 if cued else 0)) / chances
                assert found == pytest.approx(rate, abs=4 * (rate / chances) ** 0.5)


def test_all_measurements_are_there_and_nothing_is_left_out(result: EnergyCheck) -> None:
    names = [m["name"] for m in published()["measurements"]]
    assert [c.name for c in result.cases] == names
    assert {"smnist-lsnn-core-dynamic", "kws-slope-per-copy", "nbp-learning"} <= set(names)
    data = result.to_json()
    listed = [c["name"] for c in (*data["cases"], *data["times"])]
    assert sorted(listed) == sorted(names)
    assert len(data["not_built"]) == len(published()["not_built"]) > 0
    for case in data["cases"]:
        assert {"name", "estimate_j", "low_j", "high_j", "measured_j", "source"} <= case.keys()
        assert case["low_j"] <= case["estimate_j"] <= case["high_j"]
        assert case["ratio"] == pytest.approx(case["estimate_j"] / case["measured_j"])


def test_core_dynamic_estimates_are_independent_of_what_they_are_held_against(
    result: EnergyCheck,
) -> None:
    independent = {c.name for c in result.cases if c.independent}
    assert {
        "smnist-lsnn-core-dynamic",
        "kws-slope-per-copy",
        "pilotnet-lif-step",
        "nbp-inference",
    } <= independent


def test_a_measurement_that_a_coefficient_comes_from_is_said_to_check_nothing(
    result: EnergyCheck,
) -> None:
    cited = {m["name"]: m["cited_as"] for m in published()["measurements"]}
    for case in result.cases:
        assert case.reading is not None
        named = any(name in case.reading.source for name in cited[case.name])
        assert case.independent != named
        if named:
            assert "no check" in case.verdict


def test_what_lies_outside_says_so_with_a_reason() -> None:
    def case(measured: float) -> Case:
        reading = Reading(2.0, 1.0, 3.0, "A", "x")
        return Case("n", "w", "m", "J", measured, "s", reading, True, "few spikes", "l", {}, ())

    assert case(2.5).verdict == "within"
    assert case(3.5).verdict == case(0.5).verdict == "OUTSIDE: few spikes"
    assert case(4.0).ratio == 0.5


def test_the_result_is_the_same_again(result: EnergyCheck) -> None:
    assert [c.to_json() for c in cases()] == [c.to_json() for c in result.cases]


def test_what_lies_outside_is_red(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "250")
    rows = shell(tmp_path, "energy-check").stdout.splitlines()
    red = [row for row in rows if "\x1b[31m" in row]
    outside = [row for row in rows if "OUTSIDE" in row]
    assert outside and set(outside) <= set(red)
    assert not [row for row in red if "within" in row or "no check" in row]


def test_the_command(tmp_path: Path, result: EnergyCheck) -> None:
    done = shell(tmp_path, "energy-check", "--json", "check.json")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "check.json").read_text()) == json.loads(
        json.dumps(result.to_json())
    )
    for m in published()["measurements"]:
        assert m["what"].split(",")[0] in done.stdout
    assert ("OUTSIDE" in done.stdout) == any(c.independent and not c.within for c in result.cases)
    assert shell(tmp_path, "energy-check", "--json", "none/check.json").returncode == 2
