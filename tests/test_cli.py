"""The command line as a user runs it: the whole path, exit codes, and bad input."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path

import pytest
import torch

from clapp_neuro.cli import app, main
from compiler.backends import lava

COMMANDS = ("train", "probe", "compile", "run", "verify", "energy", "targets", "doctor")
VERIFY_KEYS = {
    "equal", "mismatches", "fixations", "time_steps", "weights_compared", "first_difference",
}  # fmt: skip


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


def test_names_are_corrected(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("compile", model, "--target", "loihi2-simm") == 2
    assert call("train", "--preset", "fashion-dens", "--out", model.parent / "x.pt") == 2
    preset = ("--preset", "fashion-dense", "--out", model.parent / "x.pt")
    assert call("train", *preset, "--method", "clap") == 2
    complaints = capsys.readouterr().err
    for name in ("'loihi2-sim'", "'fashion-dense'", "'clapp'"):
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
    content = torch.load(model, weights_only=True)
    content["weights"]["layer2.forward"][1, 2] = float("nan")
    torch.save(content, tmp_path / "nan.pt")
    assert call("compile", tmp_path / "nan.pt") == 2
    complaint = capsys.readouterr().err
    assert "at least 1" in complaint
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
