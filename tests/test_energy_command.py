"""`clapp-neuro energy` as a user runs it: one table, one sentence, files, machines of one's own."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

import clapp_neuro
from clapp_neuro.cli import main
from clapp_neuro.verbs import energy_csv, energy_figure, energy_here, energy_looked
from clapp_neuro.verbs.energy import EnergyResult
from clapp_neuro.verbs.sight import images_of
from compiler.backends.simulator import simulate
from compiler.bundle import read_bundle
from compiler.energy import Measured, NotMeasured
from compiler.energy.estimate import TITLES


def call(*arguments: object) -> int:
    """The exit code of a command."""
    with pytest.raises(SystemExit) as end:
        main([str(a) for a in arguments])
    return end.value.code if isinstance(end.value.code, int) else 0


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.pt"
    experiment = clapp_neuro.with_settings(
        clapp_neuro.load_preset("fashion-dense"),
        encoder={"layers": (24, 16)},
        train={"mode": "online", "steps": 60},
    )
    clapp_neuro.train(experiment, path)
    clapp_neuro.compile(path)
    return path.with_suffix(".clapp")


@pytest.fixture(scope="module")
def result(bundle: Path) -> EnergyResult:
    return clapp_neuro.energy(bundle, compare="all", images=3, readout_images=60)


def test_one_table_and_one_sentence(bundle, tmp_path, capsys):
    files = {kind: tmp_path / f"energy.{kind}" for kind in ("json", "csv", "png")}
    options = ("--json", files["json"], "--csv", files["csv"], "--plot", files["png"], "--events")
    few = ("--images", 3, "--readout-images", 60)
    assert call("energy", bundle, "--compare", "all", *few, *options) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for words in (
        "dynamic, × loihi2",
        "comparator sums",
        "modulator fan-out",
        "from loihi1",
        "core, an image",
    ):
        assert words in shown
    assert "It may be concluded" in shown and "it may not be concluded" in shown
    told = json.loads(files["json"].read_text())
    assert told["conclusion"].count(".") == 1, "one sentence"
    cores, kinds = told["estimate"]["cores"], told["estimate"]["learning"]["events"]
    updates = sum(core["learning"]["plastic_update"] for core in cores)
    assert updates == pytest.approx(kinds["plastic_update"]["count"])
    assert 0 < told["accuracy"]["chip"] <= 1 and 0 < told["accuracy"]["reference"] <= 1
    assert told["comparison"]["machines"]["loihi2"]["derived_from"] == ["loihi1"]
    assert files["png"].read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader(files["csv"].open()))
    here = [row for row in rows if row["line"] == "measured"]
    assert {row["machine"] for row in here} == {"this CPU", "this GPU"}
    assert all(bool(row["value"]) != row["note"].startswith("not measured") for row in here)
    rows = [row for row in rows if row not in here]
    assert {row["line"] for row in rows} == set(TITLES)
    machines = told["comparison"]["machines"]
    assert {f"{r['machine']}-{r['variant']}".strip("-") for r in rows} == set(machines)
    for row in rows:
        if row["value"]:
            assert float(row["low"]) <= float(row["value"]) <= float(row["high"]), row
        else:
            assert row["note"], row
    (one,) = (
        r for r in rows if (r["machine"], r["phase"], r["line"]) == ("loihi1", "inference", "total")
    )
    same = machines["loihi1"]["inference"]["per_image"]["total"]["value"]
    assert float(one["value"]) == pytest.approx(same)


def test_the_sentence_says_only_what_the_bands_say(result):
    comparison, sentence = result.comparison, result.conclusion
    for estimate in comparison.estimates:
        ratio = comparison.multiple(estimate.name, learning=False)
        if estimate.name == comparison.reference:
            continue
        assert estimate.title in sentence
        claimed = sentence.split("; it may not")[0].split("an amount that")[0].split(" takes ")[1]
        named = re.split(", | and |; |less than |more than ", claimed)
        assert (estimate.title in named) == (ratio.low > 1 or ratio.high < 1), estimate.title


def test_a_machine_is_added_by_one_file(bundle, tmp_path):
    """What docs/energy.md says of adding a machine, done."""
    chip = {
        "extends": "loihi2",
        "name": "mine",
        "title": "My chip",
        "energy": {"synaptic_operation_dense": {"value": 1e-12, "low": 5e-13, "high": 2e-12}},
    }
    figure = {
        "value": 2e-9,
        "low": 1e-9,
        "high": 4e-9,
        "unit": "J",
        "grade": "A",
        "source": "my own measurement",
        "conditions": "my bench, 1 V",
    }
    processor = {
        "kind": "conventional",
        "name": "bench",
        "title": "My processor",
        "energy": {
            "synaptic_operation": figure,
            "neuron_update": figure,
            "event_operation": {"missing": "never tried"},
            "event_update": {"missing": "never tried"},
        },
    }
    for name, data in (("mine", chip), ("bench", processor)):
        (tmp_path / f"{name}.json").write_text(json.dumps(data))
    everything = f"all,{tmp_path}/mine.json"
    beside = clapp_neuro.energy(bundle, compare=everything, images=1, readout_images=0).comparison
    assert {"mine", "loihi2", "truenorth", "gpu-dense"} < {e.name for e in beside.estimates}
    names = f"loihi1,{tmp_path}/mine.json,{tmp_path}/bench.json"
    found = clapp_neuro.energy(bundle, compare=names, images=2, readout_images=0)
    by_name = {e.name: e for e in found.comparison.estimates}
    assert [*by_name] == ["loihi2", "loihi1", "mine", "bench-dense", "bench-events"]
    kinds = {item.kind: item for item in by_name["mine"].inference_events}
    dense = kinds["synaptic_operation_dense"]
    assert dense.energy.value == pytest.approx(dense.count * 1e-12)
    assert "set in" in dense.energy.source
    spikes = {item.kind: item for item in by_name["loihi1"].inference_events}["spike"]
    assert kinds["spike"].energy.value == pytest.approx(spikes.energy.value)
    macs = by_name["bench-dense"].inference_events[0]
    assert macs.energy.value == pytest.approx(macs.count * 2e-9) and macs.energy.grade == "A"
    assert str(by_name["bench-events"].inference.dynamic) == "never tried"


@pytest.mark.parametrize("target", ["kapoho-point-sim", "mine.json"])
def test_a_programs_own_machine_is_what_others_are_compared_with(bundle, tmp_path, target):
    """Also where it is a board, or a file of the user's, and nobody names it."""
    model = bundle.with_suffix(".pt")
    if target == "mine.json":
        target = str(tmp_path / target)
        Path(target).write_text('{"extends": "loihi2", "limits": {"chips": 2}}')
    clapp_neuro.compile(model, target, tmp_path / "own.clapp")
    found = clapp_neuro.energy(tmp_path / "own.clapp", compare="all", images=1, readout_images=0)
    own = "kapoho-point" if "kapoho" in target else "mine"
    names = [e.name for e in found.comparison.estimates]
    assert names[0] == found.comparison.reference == own and "loihi2" in names
    for name in names:
        ratio = found.comparison.multiple(name, learning=False)
        assert ratio is not None and ratio.low <= ratio.value <= ratio.high
    chip = found.comparison.multiple("loihi2", learning=True)
    assert (chip.low, chip.high) == pytest.approx((1, 1))  # of the same coefficients
    assert found.conclusion.startswith("It may be concluded")
    assert found.estimate.title in found.conclusion


def test_what_it_takes_to_reach_an_accuracy(bundle):
    easy = clapp_neuro.energy(bundle, images=1, readout_images=60, reach=0.01).reach
    assert easy.reached and easy.images == 0 and "before any learning" in easy.sentence()
    start = easy.best
    steps: list[int] = []

    class EnoughError(Exception):
        pass

    def report(done: int, total: int, note: str) -> None:
        steps.append(done)
        if len(steps) == 2:
            raise EnoughError

    with pytest.raises(EnoughError):  # nothing is that accurate: it would go on to the last image
        clapp_neuro.energy(bundle, images=1, readout_images=60, reach=1.0, report=report)
    assert steps == [50, 100] and start < 1


def test_energy_to_an_accuracy_is_that_of_all_that_was_learned_from(bundle, monkeypatch):
    from clapp_neuro.verbs import energy_reach

    told = iter((0.2, 0.3, 0.9))
    monkeypatch.setattr(energy_reach, "_accuracy", lambda *arguments: next(told))
    found = clapp_neuro.energy(bundle, compare="loihi1,gpu", images=1, readout_images=60, reach=0.8)
    reach = found.reach
    assert reach.curve == ((0, 0.2), (50, 0.3), (100, 0.9)) and reach.reached
    assert {*reach.dynamic} == {"loihi2", "loihi1", "gpu-dense", "gpu-events"}
    labels = [row[0] for row in reach.rows()[1:]]
    assert labels[:2] == ["Intel Loihi 2 (from loihi1)", "Intel Loihi"]
    assert reach.to_json()["machines"].keys() == reach.dynamic.keys()
    each = clapp_neuro.energy(bundle, compare="loihi1", images=100, readout_images=0)
    _, loihi = each.comparison.estimates
    assert reach.dynamic["loihi1"].value == pytest.approx(loihi.sample.dynamic.value)
    assert "reached after learning from 100 images" in reach.sentence()


def test_what_can_be_measured_here_is_beside_the_model(bundle, monkeypatch, capsys, tmp_path):
    class Meter:
        what = "a counter"

        def __init__(self) -> None:
            self.read = 0.0

        def joules(self) -> float:
            self.read += 1.0
            return self.read

    def quickly(meter, work):  # type: ignore[no-untyped-def]
        assert isinstance(meter, Meter | NotMeasured)
        if isinstance(meter, NotMeasured):
            return meter
        work()
        return Measured(meter.what, 6.0, 3.0, 9.0, 12.0, 5.0, 0.3, 5, 1)

    monkeypatch.setattr(energy_here, "open_rapl", Meter)
    monkeypatch.setattr(energy_here, "gpu_meter", lambda: ("cpu", Meter()))  # as if it were a GPU
    monkeypatch.setattr(energy_here, "measure", quickly)
    found = clapp_neuro.energy(bundle, images=3, readout_images=0)
    works = ("DENSE", "LOOP", "LEARNING", "DENSE_LEARNING")
    assert set(found.here.cpu) == {getattr(energy_here, name) for name in works}
    assert set(found.here.gpu) == {energy_here.DENSE, energy_here.INTEGERS_LEARNING}
    for line in (*found.here.cpu.values(), *found.here.gpu.values()):
        assert line.value == 2.0 and line.seconds == pytest.approx(0.1)
    said = found.here.sentences()
    assert any("event loop, inference: 2,000 mJ" in line for line in said)
    assert any(line.startswith("this GPU, an image, dense network in integers") for line in said)
    rows = found.here.rows()
    beside = ("inference", "2,000 mJ [1,000 – 3,000] A", "–", "–", "4,000 mJ A", "–")
    assert (f"this CPU, measured: {energy_here.LOOP}", *beside) in rows
    phases = [row[1] for row in rows]
    assert phases.count("learning") == 3 and phases.count("inference") == 3
    assert energy_figure.plot(found, tmp_path / "one.png").stat().st_size > 1000
    rows = csv.DictReader(energy_csv.write_csv(found, tmp_path / "one.csv").open())
    measured = [row for row in rows if row["line"] == "measured"]
    assert len(measured) == 6 and {float(row["value"]) for row in measured} == {2.0}


def test_what_a_gpu_learns_is_what_the_simulator_learns(bundle, monkeypatch):
    """Few fixations of what is learned in the CPU's loop, and an image's share of them."""
    program, _ = read_bundle(bundle)
    learned = []
    monkeypatch.setattr(energy_here, "LEARNED", 18)
    monkeypatch.setattr(energy_here, "gpu_meter", lambda: ("cpu", object()))

    def once(meter, work):  # type: ignore[no-untyped-def]
        if isinstance(meter, NotMeasured):
            return meter
        learned.append(work())
        return Measured("a counter", 6.0, 6.0, 6.0, 6.0, 0.0, 0.3, 5, 1)

    monkeypatch.setattr(energy_here, "measure", once)
    found = clapp_neuro.energy(bundle, images=4, readout_images=0)
    assert found.here.gpu[energy_here.INTEGERS_LEARNING].value == 3.0  # 18 fixations are 2 images
    (outcome,) = learned[-1]
    looked = energy_looked.look_at_images(program, images_of(program, None), 4, 0, 0)
    same = simulate(program, looked.stimulus.part(0, 18))
    assert outcome.program == same.program and outcome.events == same.events


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--reach", 1.5), "an accuracy of 1.5 cannot be reached"),
        (("--reach", 0.5, "--readout-images", 0), "seen by a readout"),
        (("--readout-images", -1), "give 0 or more"),
        (("--readout-images", 10**9), "give at most that"),
        (("--compare", "loihi3"), "did you mean"),
        (("--compare", "none.json"), "cannot read the machine file"),
        (("--compare", ""), "unknown machine ''"),
        (("--plot", "energy.gif"), "end it in .png, .svg, .pdf"),
        (("--csv", "no/such/folder.csv"), "no/such"),
    ],
)
def test_bad_input_is_one_sentence(bundle, options, words, capsys):
    assert call("energy", bundle, "--images", 1, *options) == 2
    err = capsys.readouterr().err
    assert words in err and "Traceback" not in err
