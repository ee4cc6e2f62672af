"""`check` says what `compile` says, of any bytes, and never fails."""

from __future__ import annotations

import json
import random
from pathlib import Path

import h5py
import nir
import numpy as np
import onnx
import pytest
from test_cli import call
from test_frontend_checkpoint import checkpoint

import clapp_neuro
from clapp_neuro.checkpoint import save_checkpoint
from clapp_neuro.errors import InputError
from clapp_neuro.verbs.source import Reading

HOW = Reading(dt=1e-3, steps=8)
COMMAND = ("--dt", "1e-3", "--steps", 8)


def write(path: Path, outputs: int = 3) -> Path:
    values = {"tau": 0.02, "r": 20.0, "v_leak": 0.0, "v_threshold": 1.0}
    lif = nir.LIF(**{k: np.full(outputs, v) for k, v in values.items()})
    weight = np.random.default_rng(0).normal(size=(outputs, 4))
    nodes = [nir.Input({"input": np.array([4])}), nir.Linear(weight), lif]
    nir.write(path, nir.NIRGraph.from_list(*nodes, nir.Output({"output": np.array([outputs])})))
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("files")
    found = {name: folder / name for name in ("model.pt", "text.nir", "empty.nir", "odd.nir")}
    found["fine.nir"] = write(folder / "fine.nir")
    save_checkpoint(found["model.pt"], checkpoint())
    found["text.nir"].write_text("this is no graph")
    found["empty.nir"].write_bytes(b"")
    write(found["odd.nir"])
    with h5py.File(found["odd.nir"], "a") as file:
        odd = file["node/nodes"].create_group("odd")
        odd.create_dataset("type", data="Izhikevich")
        del file["node/nodes/lif/r"]
    found["missing.nir"], found["folder"] = folder / "missing.nir", folder
    return found


def reading(name: str) -> Reading | None:
    return HOW if name.endswith("e.nir") or name == "odd.nir" else None


NAMES = ("model.pt", "fine.nir", "odd.nir", "text.nir", "empty.nir", "missing.nir", "folder")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("target", ["loihi2-sim", "nowhere-sim"])
def test_it_says_what_compiling_says(
    name: str, target: str, files: dict[str, Path], tmp_path: Path
) -> None:
    how = reading(name)
    result = clapp_neuro.check(files[name], target, reading=how)
    try:
        clapp_neuro.compile(files[name], target, tmp_path / "out.clapp", reading=how)
    except InputError as error:
        assert not result.supported
        said = str(error)
        first = result.findings[-1] if target == "nowhere-sim" else result.findings[0]
        assert first.what.split(" exceeds")[0].removeprefix("needs ") in said
    else:
        assert result.supported


def test_each_node_and_each_fault_is_there(files: dict[str, Path]) -> None:
    result = clapp_neuro.check(files["odd.nir"], reading=HOW)
    assert result.nodes.keys() == {"input", "linear", "lif", "odd", "output"}
    assert [n for n in result.nodes if not result.is_supported(n)] == ["lif", "odd"]
    whats = {f.node: (f.kind, f.what) for f in result.findings}
    assert whats["lif"] == ("LIF", "LIF has no r")
    assert whats["odd"][0] == "Izhikevich"
    assert all(f.remedy for f in result.findings)


def test_limits_come_with_what_would_mend_them(files: dict[str, Path], tmp_path: Path) -> None:
    small = tmp_path / "small.json"
    small.write_text(json.dumps({"extends": "loihi2", "limits": {"fan_in_per_neuron": 2}}))
    result = clapp_neuro.check(files["model.pt"], str(small), static=True)
    kinds = {f.kind for f in result.findings}
    assert any("fan-in" in kind for kind in kinds)
    assert all(f.group == "target" for f in result.findings)
    assert all((f.node and f.remedy) or f.kind == "suggestion" for f in result.findings)
    assert any("tried: it takes" in f.what for f in result.findings if f.kind == "suggestion")


@pytest.mark.parametrize("name", NAMES)
def test_the_command_ends_with_0_or_1(
    name: str, files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "check.json"
    options = COMMAND if reading(name) else ()
    code = call("check", files[name], *options, "--json", out)
    written = json.loads(out.read_text())
    assert code == (0 if written["supported"] else 1)
    assert str(files[name].name) in capsys.readouterr().out
    assert written["supported"] == (not written["findings"])


def test_any_bytes_are_looked_at_without_failing(tmp_path: Path, files: dict[str, Path]) -> None:
    path = tmp_path / "any"
    for case in range(30):
        draw = random.Random(case)
        whole = files[draw.choice(["model.pt", "fine.nir"])].read_bytes()
        content = bytearray(draw.randbytes(200) if case % 5 == 0 else whole)
        for _ in range(draw.choice([1, 20])):
            content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        path.write_bytes(content)
        result = clapp_neuro.check(path, reading=HOW if case % 2 else None)
        assert not any(f.kind == "unforeseen" for f in result.findings), result.findings


@pytest.mark.parametrize("suffix", ["nir", "onnx"])
def test_a_checkpoint_is_exported_with_its_rules_as_texts(
    suffix: str, files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / f"model.{suffix}"
    assert call("export", files["model.pt"], "--out", out) == 0
    assert "layer1.forward: left out, other tools do not learn by it: clapp" in (
        capsys.readouterr().out
    )
    if suffix == "onnx":
        properties = {p.key: p.value for p in onnx.load(out).metadata_props}
    else:
        properties = nir.read(out).metadata
    assert any("rule of layer1.forward" in key for key in properties)


def test_an_exported_checkpoint_compiles_to_the_same_integers(
    files: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "model.nir"
    clapp_neuro.export(files["model.pt"], out)
    how = Reading(inputs="intensities")
    first = clapp_neuro.compile(files["model.pt"], out=tmp_path / "a.clapp", static=True)
    again = clapp_neuro.compile(out, out=tmp_path / "b.clapp", reading=how)
    programs = first.compiled.program, again.compiled.program
    assert programs[0].timetable.steps == programs[1].timetable.steps
    for one, other in zip(programs[0].synapses, programs[1].synapses, strict=True):
        assert np.array_equal(one.weights, other.weights)
    for mine, its in zip(programs[0].populations, programs[1].populations, strict=True):
        assert mine.soma == its.soma
