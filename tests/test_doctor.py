"""`doctor` looks at everything; what fails is a line of its report, never a traceback."""

from __future__ import annotations

import json
import os
import sys
from importlib import metadata
from pathlib import Path

import pytest

from clapp_neuro.cli import main
from clapp_neuro.verbs import doctor as verb
from clapp_neuro.verbs.doctor import PACKAGES, Finding, Report, doctor
from compiler.backends import lava
from compiler.backends.lava import compat

CHECKS = {
    "devices": "_devices",
    "processors": "_processors",
    "simulator": "_simulator",
    "Lava runs": "_lava",
    "Fashion-MNIST": "_fashion",
    "STL-10": "_stl10",
    "energy counter, processor": "_processor_counter",
    "energy counter, GPU": "_gpu_counter",
}
NEEDED = {"devices", "simulator", "Fashion-MNIST"}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Checks that take long succeed at once."""
    for check in CHECKS.values():
        monkeypatch.setattr(verb, check, lambda: "fine")
    return monkeypatch


def found(report: Report, subject: str) -> Finding:
    return next(f for f in report.findings if f.subject == subject)


def test_a_whole_installation_is_ok(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    report = doctor()
    assert report.ok, str(report)
    for name in PACKAGES:
        installed = name != "lava-nc" or compat.installed()
        assert found(report, name).text == (
            metadata.version(name) if installed else "not installed"
        )
    assert found(report, "python").text == ".".join(map(str, sys.version_info[:3]))
    assert {f.subject for f in report.findings} == {"python", *PACKAGES, *CHECKS}
    assert found(report, "Lava runs").ok == compat.installed()
    assert [
        p.name for p in tmp_path.rglob("*") if p.is_file()
    ] == []  # it looked, and wrote nothing
    capsys.readouterr()


@pytest.mark.parametrize("subject", CHECKS)
@pytest.mark.parametrize("error", [RuntimeError("it is\nbroken"), ImportError(), OSError(13, "no")])
def test_a_check_that_fails_is_one_line(
    quick: pytest.MonkeyPatch, subject: str, error: Exception
) -> None:
    def fails() -> str:
        raise error

    quick.setattr(verb, CHECKS[subject], fails)
    report = doctor()
    assert not found(report, subject).ok
    assert found(report, subject).text
    assert report.ok == (subject not in NEEDED)
    assert len(str(report).splitlines()) == len(report.findings)
    assert sum(not f.ok for f in report.findings) == 1


@pytest.mark.parametrize("name", PACKAGES)
def test_only_lava_may_be_missing(quick: pytest.MonkeyPatch, name: str) -> None:
    version = metadata.version

    def missing(asked: str) -> str:
        if asked == name:
            raise metadata.PackageNotFoundError(asked)
        return version(asked)

    quick.setattr(metadata, "version", missing)
    report = doctor()
    assert found(report, name).text == "not installed"
    assert report.ok == (name == "lava-nc")


def test_where_lava_is_missing_its_line_is_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compat, "installed", lambda: False)
    with pytest.raises(ValueError, match="not installed") as refused:
        verb._lava()
    assert compat.INSTALL in str(refused.value)


def test_lava_that_does_not_finish_is_a_line(quick: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise lava.LavaTimeoutError("Lava did not finish within 60 s")

    quick.undo()
    quick.setattr(lava, "run", never)
    line = verb._tried("Lava runs", verb._lava)
    assert line == Finding("Lava runs", False, "Lava did not finish within 60 s")


def test_stl10_is_found_without_being_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    assert "stand in" in verb._stl10()
    os.makedirs("data/stl10_binary")  # empty: reading it would fail
    assert verb._stl10() == "found in 'data'"


@pytest.mark.parametrize(("usable", "code"), [(True, 0), (False, 1)])
def test_the_command_says_it_all(
    quick: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    usable: bool,
    code: int,
) -> None:
    if not usable:
        quick.setattr(verb, "_simulator", lambda: 1 // 0)
    with pytest.raises(SystemExit) as end:
        main(["doctor", "--json", str(tmp_path / "doctor.json")])
    assert (end.value.code or 0) == code
    said = json.loads((tmp_path / "doctor.json").read_text())
    assert said["ok"] == usable
    shown = capsys.readouterr().out
    for finding in said["findings"]:
        assert finding["subject"] in shown
        assert finding["text"] in shown
