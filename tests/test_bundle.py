"""The compiled file: what is written is read again, everything else is refused in a sentence."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from compiled_program import compiled

from clapp_neuro.errors import InputError
from compiler.bundle import DOCUMENT, read_bundle, write_bundle
from compiler.report import Note


@pytest.mark.parametrize("plastic", [True, False])
def test_round_trip_and_equal_bytes(tmp_path: Path, plastic: bool) -> None:
    program = compiled(plastic=plastic)
    notes = (Note("fold", "input", "scale", 0.25), Note("quantize", "x", "nothing"))
    first = write_bundle(tmp_path / "a.clapp", program, notes)
    second = write_bundle(tmp_path / "b.clapp", program, notes)
    assert read_bundle(first) == (program, notes)
    assert first.read_bytes() == second.read_bytes()


def whole(tmp_path: Path) -> bytes:
    return write_bundle(tmp_path / "good.clapp", compiled()).read_bytes()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda good: b"",
        lambda good: b"just some text\n",
        lambda good: good[: len(good) // 2],
        lambda good: bytes(range(256)) * 40,
        lambda good: pickle.dumps({"format": "clapp-neuro program"}),
    ],
    ids=["empty", "text", "truncated", "random", "pickle"],
)
def test_what_is_no_bundle_is_refused(tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "bad.clapp"
    path.write_bytes(spoil(whole(tmp_path)))
    with pytest.raises(InputError, match=r"bad\.clapp"):
        read_bundle(path)


def with_document(tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    source = zipfile.ZipFile(io.BytesIO(whole(tmp_path)))
    path = tmp_path / "changed.clapp"
    with zipfile.ZipFile(path, "w") as archive:
        for name in source.namelist():
            content = source.read(name)
            if name == DOCUMENT:
                document = json.loads(content)
                change(document)
                content = json.dumps(document).encode()
            archive.writestr(name, content)
    return path


def test_a_newer_version_is_refused_by_name(tmp_path: Path) -> None:
    path = with_document(tmp_path, lambda d: d.update(version=99))
    with pytest.raises(InputError, match=r"version 99.*upgrade"):
        read_bundle(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["program"]["populations"][1].update(size=9),
        lambda d: d["program"].update(weight_max=1),
        lambda d: d["program"]["synapses"][0].update(name="other"),
        lambda d: d["program"]["timetable"].update(steps=0),
        lambda d: d["program"]["synapses"][0].update(rule=None),
        lambda d: d["program"].pop("gates"),
    ],
    ids=["shape", "range", "name", "timetable", "rule", "missing"],
)
def test_damage_inside_is_found(tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    with pytest.raises(InputError, match="damaged"):
        read_bundle(with_document(tmp_path, change))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        read_bundle(tmp_path / "nowhere.clapp")
