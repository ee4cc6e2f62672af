"""The compiled file: what is written is read again, everything else is refused in a sentence."""

from __future__ import annotations

import errno
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compiled_program import compiled

from clapp_neuro.errors import InputError
from compiler.backends.simulator import simulate
from compiler.bundle import ARRAYS, DOCUMENT, read_bundle, write_bundle
from compiler.report import Note
from compiler.trace import Stimulus


@pytest.mark.parametrize(
    ("plastic", "method"), [(True, "clapp"), (True, "espp"), (True, "lpl"), (False, "clapp")]
)
def test_round_trip_and_equal_bytes(tmp_path: Path, plastic: bool, method: str) -> None:
    program = compiled(plastic=plastic, method=method)
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


def test_what_cannot_be_written_leaves_the_older_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.clapp"
    older = write_bundle(path, compiled()).read_bytes()

    def full(file: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("clapp_neuro.files.os.fsync", full)
    with pytest.raises(InputError, match="No space left"):
        write_bundle(path, compiled((7, 5)))
    assert path.read_bytes() == older
    assert [p.name for p in tmp_path.iterdir()] == [path.name]  # nothing half-written beside it


def test_an_interrupted_write_leaves_the_older_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.clapp"
    older = write_bundle(path, compiled()).read_bytes()

    def stopped(arrays: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr("compiler.bundle.save_tensors", stopped)
    with pytest.raises(KeyboardInterrupt):
        write_bundle(path, compiled((7, 5)))
    assert path.read_bytes() == older
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("widths", "steps", "seed"), [((3, 1), 2, 0), ((9, 5, 4, 2), 16, 3), ((6, 6), 127, 2**31)]
)
def test_learned_programs_make_the_round_trip(
    tmp_path: Path, widths: tuple[int, ...], steps: int, seed: int
) -> None:
    program = replace(compiled(widths, steps), seed=seed)
    random = np.random.default_rng(seed)
    seen = random.integers(0, 256, (80, widths[0])).astype(np.uint8)
    labels = {"saccade": random.choice([-1, 1], 80).astype(np.int8)}
    learned = simulate(program, Stimulus({"input": seen}, labels)).program
    assert read_bundle(write_bundle(tmp_path / "learned.clapp", learned)) == (learned, ())


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


def test_a_program_of_the_first_version_is_read(tmp_path: Path) -> None:
    """It knew comparators with one margin and no norm, no averages and no maps."""

    def older(document: dict[str, Any]) -> None:
        document["version"] = 1
        for gate in document["program"]["gates"]:
            del gate["left"], gate["norm"]
        for population in document["program"]["populations"]:
            del population["averages"], population["shape"]
            if population["soma"] is not None:
                del population["soma"]["bias"]
            for value in population["post_values"]:
                del value["rectified"]

        for synapses in document["program"]["synapses"]:
            del synapses["connection"]

    assert read_bundle(with_document(tmp_path, older))[0] == compiled()


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
        lambda d: d["program"]["gates"][0].update(modulator="nobody"),
        lambda d: d["program"].update(seed="one"),
        lambda d: d.update(program=[]),
        lambda d: d.update(notes=[{"stage": 1}]),
    ],
    ids=[
        "shape",
        "range",
        "name",
        "timetable",
        "rule",
        "missing",
        "gate",
        "type",
        "list",
        "notes",
    ],
)
def test_damage_inside_is_found(tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    with pytest.raises(InputError, match="damaged"):
        read_bundle(with_document(tmp_path, change))


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"format": "another", "version": 1}'],
    ids=["empty", "cut", "list", "null", "bytes", "format"],
)
def test_another_document_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.clapp"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(DOCUMENT, content)
        archive.writestr(ARRAYS, b"")
    with pytest.raises(InputError, match="holds no clapp-neuro program"):
        read_bundle(path)


def test_damaged_arrays_are_found(tmp_path: Path) -> None:
    source = zipfile.ZipFile(io.BytesIO(whole(tmp_path)))
    path = tmp_path / "arrays.clapp"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(DOCUMENT, source.read(DOCUMENT))
        archive.writestr(ARRAYS, source.read(ARRAYS)[:-5])
    with pytest.raises(InputError, match="damaged"):
        read_bundle(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        read_bundle(tmp_path / "nowhere.clapp")
