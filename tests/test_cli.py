"""The command line as a user runs it: the whole path, exit codes, and bad input."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from importlib import resources
from pathlib import Path

import pytest
import torch
from ctrl_c import interrupted

from clapp_neuro.checkpoint import load_checkpoint
from clapp_neuro.cli import app, main
from compiler.backends import lava
from compiler.bundle import VERSION

COMMANDS = (
    "train", "probe", "reproduce", "check", "compile", "run", "answer", "adapt", "verify", "emit",
    "export", "energy", "energy-check", "targets", "doctor",
)  # fmt: skip
VERIFY_KEYS = {
    "equal", "mismatches", "fixations", "time_steps", "weights_compared", "first_difference",
}  # fmt: skip


COMMAND = (sys.executable, "-m", "clapp_neuro.cli")


def shell(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own, as typed in `folder`."""
    words = [*COMMAND, *(str(a) for a in arguments)]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=120)


def call(*arguments: object) -> int:
    """The exit code of a command."""
    with pytest.raises(SystemExit) as end:
        main([str(a) for a in arguments])
    code = end.value.code
    return code if isinstance(code, int) else 0


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.pt"
    preset = ("--preset", "fashion-dense", "--mode", "online", "--steps", 40)
    assert call("train", *preset, "--out", path) == 0
    return path


@pytest.fixture(scope="module")
def bundle(model: Path) -> Path:
    assert call("compile", model, "--target", "loihi2-sim") == 0
    return model.with_suffix(".clapp")


def test_the_whole_path_as_typed(tmp_path: Path) -> None:
    path = {
        "train": "train --preset fashion-dense --mode online --steps 30 --out model.pt",
        "compile": "compile model.pt --target loihi2-sim",
        "run": "run model.clapp --learn --images 4 --out learned.clapp",
        "verify": "verify learned.clapp --against reference --fixations 20",
        "energy": "energy learned.clapp --compare all --images 2",
        "targets": "targets",
    }
    values = {}
    for name, words in path.items():
        done = shell(tmp_path, *words.split(), "--json", f"{name}.json")
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()
        assert "Traceback" not in done.stderr
        values[name] = json.loads((tmp_path / f"{name}.json").read_text())
    assert values["train"]["step"] == 30
    assert values["train"]["interrupted"] is False
    assert values["compile"]["path"] == "model.clapp"  # beside its input where --out is absent
    assert values["compile"]["placement"]["cores"]
    assert values["run"]["fixations"] == 36
    assert values["run"]["out"] == "learned.clapp"
    assert values["verify"].keys() >= VERIFY_KEYS
    assert values["verify"]["agreement"].keys() == {
        "layer1 counts", "layer2 counts", "layer2 on the chip's spikes"
    }  # fmt: skip
    assert values["energy"].keys() >= {"source", "images", "estimate", "comparison", "this_cpu"}
    assert {"loihi1-sim", "loihi2-sim", "loihi2-lava"} <= {t["name"] for t in values["targets"]}
    made = {f"{name}.json" for name in path} | {"model.pt", "model.clapp", "learned.clapp"}
    assert {file.name for file in tmp_path.iterdir()} == made


def test_ctrl_c_leaves_a_checkpoint_that_resumes(tmp_path: Path) -> None:
    words = "train --preset fashion-dense --mode online --steps 500000 --out model.pt"
    code, err = interrupted(tmp_path, *words.split())
    assert code == 2
    assert "go on with: clapp-neuro train --resume model.pt --out model.pt" in err
    assert "Traceback" not in err
    model = tmp_path / "model.pt"
    step = load_checkpoint(model).step
    assert 0 < step < 500_000
    further = tmp_path / "further.pt"
    assert call("train", "--resume", model, "--steps", step + 20, "--out", further) == 0
    assert load_checkpoint(further).step == step + 20


def test_run_learns_and_writes(bundle: Path, tmp_path: Path) -> None:
    out, report = tmp_path / "learned.clapp", tmp_path / "run.json"
    assert call("run", bundle, "--learn", "--images", 5, "--out", out, "--json", report) == 0
    assert out.exists()
    values = json.loads(report.read_text())
    assert values["fixations"] == 45
    assert set(values["loss"]) == {"layer1", "layer2"}
    assert call("run", bundle, "--images", 3) == 0


@pytest.mark.parametrize("against", ["lava", "reference"])
def test_verify(bundle: Path, tmp_path: Path, against: str) -> None:
    report = tmp_path / "verify.json"
    arguments = ("--against", against, "--learn", "--fixations", 2, "--json", report)
    assert call("verify", bundle, *arguments) == 0
    values = json.loads(report.read_text())
    assert values.keys() >= VERIFY_KEYS
    assert values["equal"] is True
    assert values["fixations"] == 2


def test_a_difference_is_exit_code_1(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from compiler.backends import simulator

    def altered(program, stimulus, learn, timeout):  # type: ignore[no-untyped-def]
        for shown in simulator.trace(program, stimulus, learn):
            shown.membrane["layer2"][3, 7] += 1
            yield shown

    monkeypatch.setattr(lava, "trace", altered)
    assert call("verify", bundle, "--fixations", 2) == 1
    assert "fixation 0, step 3: membrane of layer2[7]" in capsys.readouterr().out


def test_energy_and_targets(bundle: Path, tmp_path: Path) -> None:
    report = tmp_path / "energy.json"
    assert call("energy", bundle, "--compare", "all", "--images", 3, "--json", report) == 0
    values = json.loads(report.read_text())
    assert {"loihi1", "loihi2", "spinnaker2"} <= set(values["comparison"]["machines"])
    assert call("targets", "--json", tmp_path / "targets.json") == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(command, "--help") == 0
    assert "Example: clapp-neuro" in capsys.readouterr().out
    assert len(app.registered_commands) == len(COMMANDS)


def spoiled(kind: str, good: Path, path: Path) -> Path:
    content = {
        "text": b"hello\n",
        "empty": b"",
        "truncated": good.read_bytes()[: good.stat().st_size // 3],
        "random": os.urandom(4096),
        "pickle": pickle.dumps([1, 2, 3]),
    }[kind]
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("kind", ["text", "empty", "truncated", "random", "pickle"])
def test_what_is_no_model_is_refused(
    kind: str, model: Path, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("compile", spoiled(kind, model, tmp_path / "bad.pt")) == 2
    assert call("probe", tmp_path / "bad.pt") == 2
    assert call("run", spoiled(kind, bundle, tmp_path / "other.clapp")) == 2
    complaints = capsys.readouterr().err.strip().splitlines()
    assert len(complaints) == 3
    assert all(line.startswith("clapp-neuro: ") and "bad" in line for line in complaints[:2])
    assert not (tmp_path / "bad.clapp").exists()


def test_bad_input_as_typed_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_text("hello\n")
    (tmp_path / "model.clapp").write_text("precious\n")
    done = shell(tmp_path, "compile", "model.pt")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("clapp-neuro: 'model.pt' ")
    assert done.stdout == ""
    assert (tmp_path / "model.clapp").read_text() == "precious\n"


def test_a_file_is_never_executed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "executed"),)

    torch.save({"weights": Hostile()}, tmp_path / "hostile.pt")
    (tmp_path / "bare.pt").write_bytes(pickle.dumps(Hostile()))
    for name in ("hostile.pt", "bare.pt"):
        assert call("compile", tmp_path / name) == 2
        assert call("run", tmp_path / name) == 2
    assert capsys.readouterr().err.count("could run code") == 2
    assert not (tmp_path / "executed").exists()


def test_a_foreign_checkpoint_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(torch.nn.Linear(3, 2).state_dict(), tmp_path / "foreign.pt")
    assert call("compile", tmp_path / "foreign.pt") == 2
    resumed = tmp_path / "resumed.pt"
    assert call("train", "--resume", tmp_path / "foreign.pt", "--out", resumed) == 2
    assert capsys.readouterr().err.count("not a clapp-neuro checkpoint") == 2
    assert [file.name for file in tmp_path.iterdir()] == ["foreign.pt"]


def test_a_newer_bundle_is_refused(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    newer = tmp_path / "newer.clapp"
    with zipfile.ZipFile(bundle) as old, zipfile.ZipFile(newer, "w") as new:
        document = json.loads(old.read("program.json"))
        document["version"] = VERSION + 1
        new.writestr("program.json", json.dumps(document))
        new.writestr("arrays.safetensors", old.read("arrays.safetensors"))
    for command in ("run", "verify", "energy"):
        assert call(command, newer) == 2
    complaints = capsys.readouterr().err
    words = f"program version {VERSION + 1}, this clapp-neuro reads up to {VERSION}: upgrade"
    assert complaints.count(words) == 3


def test_a_layer_too_large_lists_every_limit(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = resources.files("hw_configs").joinpath("loihi2.json").read_text("utf-8")
    small = json.loads(text)
    out = tmp_path / "out.clapp"
    for name, value, complaint in (
        ("fan_in_per_neuron", 100, "fan-in"),
        ("chips", 1, "chip"),
    ):
        small["limits"][name] |= {"value": value, "low": value, "high": value}
        small["limits"]["usable_cores_per_chip"] |= {"value": 2, "low": 2, "high": 2}
        (tmp_path / f"{name}.json").write_text(json.dumps(small))
        target = tmp_path / f"{name}.json"
        assert call("compile", model, "--target", target, "--out", out) == 2
        refusal = capsys.readouterr().err
        assert complaint in refusal
        assert "exceeds" in refusal
        small = json.loads(text)
    assert not out.exists()


def test_names_are_corrected(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("compile", model, "--target", "loihi2-simm") == 2
    assert call("train", "--preset", "fashion-dens", "--out", model.parent / "x.pt") == 2
    preset = ("--preset", "fashion-dense", "--out", model.parent / "x.pt")
    assert call("train", *preset, "--method", "clap") == 2
    complaints = capsys.readouterr().err
    assert call("verify", model, "--against", "lavaa") == 2
    complaints += capsys.readouterr().err
    for name in ("'loihi2-sim'", "'fashion-dense'", "'clapp'", "'lava'"):
        assert f"did you mean {name}?" in complaints
    assert not (model.parent / "x.pt").exists()


def test_a_target_that_cannot_learn_lists_every_limit(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.clapp"
    assert call("compile", model, "--target", "loihi1-sim", "--out", out) == 2
    complaint = capsys.readouterr().err
    assert "layer1" in complaint
    assert "layer2" in complaint
    assert not out.exists()


def test_zero_images_and_nan_weights_are_refused(
    model: Path, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("run", bundle, "--images", 0) == 2
    assert call("energy", bundle, "--images", 0) == 2
    assert call("verify", bundle, "--fixations", 0) == 2
    content = torch.load(model, weights_only=True)
    content["weights"]["layer2.forward"][1, 2] = float("nan")
    torch.save(content, tmp_path / "nan.pt")
    assert call("compile", tmp_path / "nan.pt") == 2
    complaint = capsys.readouterr().err
    assert complaint.count("at least 1") == 3
    assert not (tmp_path / "nan.clapp").exists()
    assert "layer2.forward" in complaint


def test_a_full_disk_keeps_the_older_file(
    model: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = shutil.copy(bundle, bundle.with_name("kept.clapp"))
    before = Path(kept).read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    assert call("compile", model, "--out", kept) == 2
    assert "No space left" in capsys.readouterr().err
    assert Path(kept).read_bytes() == before
    assert not list(bundle.parent.glob("*.part"))


def test_results_that_cannot_be_printed() -> None:
    with open("/dev/full", "w") as full:
        words = [*COMMAND, "targets"]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr == "clapp-neuro: cannot print the result: No space left on device\n"


def test_nowhere_to_write_is_said_before_the_work(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for option in ("--json", "--out"):
        assert call("run", bundle, "--learn", "--images", 9000, option, tmp_path / "no" / "x") == 2
        said = capsys.readouterr()
        assert "there is no folder" in said.err and said.out == ""
    same = tmp_path / "x"
    assert call("run", bundle, "--learn", "--images", 1, "--out", same, "--json", same) == 2
    assert not same.exists()
