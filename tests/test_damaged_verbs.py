"""Each verb refuses a damaged file in a sentence, or takes the valid other model it became."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import snntorch as snn
import torch
from damage import CASES, damaged
from test_check import write as write_nir
from test_cli import call
from test_frontend_checkpoint import checkpoint
from torch import nn

import clapp_neuro
import compiler
from clapp_neuro.checkpoint import save_checkpoint
from clapp_neuro.errors import InputError
from clapp_neuro.verbs.source import Reading
from compiler.bundle import read_bundle, write_bundle
from compiler.exports.onnx import write_onnx

SAMPLES = np.ones((8, 2, 4))

PROGRAM_VERBS: dict[str, Callable[[Path, Path], object]] = {
    "answer": lambda path, out: clapp_neuro.answer(path, SAMPLES, out),
    "run": lambda path, out: clapp_neuro.run(path, samples=SAMPLES),
    "energy": lambda path, out: clapp_neuro.energy(path, samples=SAMPLES),
    "verify": lambda path, out: clapp_neuro.verify(path, against="tensor"),
    "adapt": lambda path, out: clapp_neuro.adapt(path, drift="invert", images=10),
    "emit": lambda path, out: clapp_neuro.emit(path, out),
}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("program")
    how = Reading(dt=1e-3, steps=8)
    write_nir(folder / "net.nir")
    clapp_neuro.compile(folder / "net.nir", "loihi2-sim", folder / "net.clapp", reading=how)
    return (folder / "net.clapp").read_bytes()


@pytest.fixture(scope="module")
def broken(program: bytes, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """What no longer reads. A flip where the archive's head says nothing leaves the same program,
    since sums are kept of all contents; it never makes another one."""
    folder, found = tmp_path_factory.mktemp("broken"), []
    path, again = folder / "net.clapp", folder / "again.clapp"
    for content in damaged(program):
        path.write_bytes(content)
        try:
            kept, notes = read_bundle(path)
        except InputError:
            found.append(content)
        else:
            write_bundle(again, kept, notes)
            assert again.read_bytes() == program
    assert len(found) > 0.9 * CASES
    return found


@pytest.mark.parametrize("verb", PROGRAM_VERBS)
def test_a_broken_program_is_refused(verb: str, broken: list[bytes], tmp_path: Path) -> None:
    path, out = tmp_path / "net.clapp", tmp_path / "out"
    for content in broken:
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"net\.clapp"):
            PROGRAM_VERBS[verb](path, out)
    assert not out.exists()


def test_commands_end_with_2_and_a_sentence(
    program: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, samples = tmp_path / "net.clapp", tmp_path / "samples.npy"
    np.save(samples, SAMPLES)
    path.write_bytes(program[: len(program) // 2])
    for command in (
        ("answer", path, samples),
        ("run", path, "--input", samples),
        ("energy", path, "--input", samples),
        ("verify", path, "--against", "tensor"),
        ("adapt", path, "--drift", "invert"),
        ("emit", path, "--out", tmp_path / "project"),
    ):
        assert call(*command) == 2, command
        said = capsys.readouterr().err
        assert "net.clapp" in said, command
        assert "Traceback" not in said


def nir_file(path: Path) -> None:
    write_nir(path)


def onnx_file(path: Path) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), snn.Leaky(beta=0.9, init_hidden=True))
    write_onnx(path, compiler.from_snntorch(net, torch.rand(1, 3)))


def checkpoint_file(path: Path) -> None:
    save_checkpoint(path, checkpoint(encoder={"layers": (8, 6)}))


@pytest.mark.parametrize("verb", ["compile", "export", "check"])
@pytest.mark.parametrize(
    ("name", "write", "head"),
    [("m.nir", nir_file, None), ("m.onnx", onnx_file, None), ("m.pt", checkpoint_file, 4000)],
)
def test_a_damaged_model_is_refused_or_another_one(
    verb: str, name: str, write: Callable[[Path], None], head: int | None, tmp_path: Path
) -> None:
    path, refused = tmp_path / name, 0
    write(path)
    whole = path.read_bytes()
    how = None if name == "m.pt" else Reading(dt=1e-3, steps=4)
    for case, content in enumerate(damaged(whole, head)):
        path.write_bytes(content)
        out = tmp_path / f"{case}{'.onnx' if verb == 'export' else '.clapp'}"
        if verb == "check":
            result = clapp_neuro.check(path, reading=how)
            assert not any(f.kind == "unforeseen" for f in result.findings), result.findings
            refused += not result.supported
            continue
        try:
            if verb == "compile":
                clapp_neuro.compile(path, "loihi2-sim", out, static=True, reading=how)
            else:
                clapp_neuro.export(path, out, reading=how)
        except InputError:
            refused += 1
            assert not out.exists()
        else:
            assert out.exists()
    assert refused > CASES // 3
