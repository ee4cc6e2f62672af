"""Emitted projects: they run without this package, equal to the bit, and can be found wrong."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import plastic_maps
import pytest
import spike_timing_program
from compiled_program import compiled, network
from conv_network import conv_network
from test_cli import call, shell

import clapp_neuro
from clapp_neuro.errors import InputError
from compiler.backends import lava
from compiler.backends.lava.project.carried import PACKAGE, carried_sources
from compiler.backends.lava.project.compose import npz
from compiler.backends.lava.project.licence import LICENCE
from compiler.backends.lava.project.stored import read_arrays, read_program
from compiler.bundle import write_bundle
from compiler.passes.lowering.consolidation import Consolidation
from compiler.pipeline import compile_network
from compiler.program import Program, Tally
from compiler.targets import load_target

ROOT = Path(__file__).resolve().parents[1]
BACKEND = ROOT / "compiler" / "backends" / "lava"
KINDS = ("clapp", "espp", "lpl", "stdp", "reward-stdp", "conv", "kernels", "pair")
FIXATIONS = 40  # so that whole units are carried
FEWER = {"conv": 6, "kernels": 20}  # kernels: one carry, which no second one takes back
RATE = 2**-9
SPIKE_TIMING = {"stdp": spike_timing_program.RULE, "reward-stdp": spike_timing_program.REWARDED}
# All that this package depends on, but what a project needs: numpy, and what Lava asks for.
HIDDEN = (
    *("clapp_neuro", "compiler", "hw_configs", "torch", "torchvision", "snntorch", "norse"),
    *("numba", "llvmlite", "pydantic", "safetensors", "typer", "rich", "matplotlib", "sklearn"),
    *("skimage", "PIL", "tensorboard"),
)
SITECUSTOMIZE = """
import sys

class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {hidden!r}:
            raise ModuleNotFoundError("hidden: " + name, name=name)

sys.meta_path.insert(0, Hide())
"""


def program_of(kind: str) -> Program:
    if kind == "conv":
        source = conv_network((6, 6), (1, 3, 4), (1, 2))
        return compile_network(source, load_target("loihi2-lava")).program
    if kind == "kernels":
        source = plastic_maps.network(layers=(4, 3), patch=6, rate=2**-7)
        return compile_network(source, load_target("loihi2-lava"), averaged=3).program
    if kind == "pair":
        how = Consolidation("pair", 3)
        target = load_target("loihi2-lava")
        return compile_network(network((20, 12, 8), rate=RATE), target, consolidation=how).program
    if kind in SPIKE_TIMING:
        return spike_timing_program.compiled(spike_timing_program.network(rule=SPIKE_TIMING[kind]))
    return compiled((20, 12, 8), method=kind, rate=RATE)


def stimulus_of(program: Program, fixations: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(5)
    shape = (fixations, program.populations[0].size)
    seen = random.integers(0, 256, shape) * (random.random(shape) < 0.6)
    classes = {g.modulator: range(-1, g.classes) for g in program.gates if g.classes}
    signals = {
        f"{m}.signal": random.choice(classes.get(m, (-1, 1)), fixations) for m in program.modulators
    }
    return {"input.intensities": seen.astype(np.uint8), **signals}


@pytest.fixture(scope="module")
def emitted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A project of each kind; tests that change one copy it."""
    folder = tmp_path_factory.mktemp("emitted")
    projects = {}
    for kind in KINDS:
        bundle = write_bundle(folder / f"{kind}.clapp", program_of(kind))
        stimulus = folder / f"{kind}.npz"
        fixations = FEWER.get(kind, FIXATIONS)
        stimulus.write_bytes(npz(stimulus_of(program_of(kind), fixations)))
        result = clapp_neuro.emit(bundle, folder / kind, stimulus=stimulus)
        assert (result.path, result.fixations) == (folder / kind, fixations)
        projects[kind] = result.path
    return projects


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which this package, and what only it needs, cannot be imported."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "sitecustomize.py").write_text(SITECUSTOMIZE.format(hidden=HIDDEN))
    return {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}


def python(
    folder: Path, environment: dict[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, *arguments]
    return subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize("name", HIDDEN)
def test_a_project_is_run_where_this_package_cannot_be_imported(
    alone: dict[str, str], tmp_path: Path, name: str
) -> None:
    done = python(tmp_path, alone, "-c", f"import {name}")
    assert done.returncode == 1
    assert f"ModuleNotFoundError: hidden: {name}" in done.stderr


@pytest.mark.parametrize(
    ("kind", "learn"),
    [
        ("clapp", False),
        ("conv", False),
        ("kernels", False),
        *((kind, True) for kind in KINDS if kind != "conv"),
    ],
)
def test_its_run_equals_ours_to_the_bit(
    emitted: dict[str, Path], alone: dict[str, str], kind: str, learn: bool
) -> None:
    folder, program = emitted[kind], program_of(kind)
    done = python(folder, alone, "run.py", *(["--learn"] if learn else []))
    assert done.returncode == 0, done.stdout + done.stderr
    expected = read_arrays(folder / ("expected_learning.npz" if learn else "expected.npz"))
    compared = sum(array.size for array in expected.values())
    assert f"equal: {compared} values, 0 differ" in done.stdout
    somata = [p for p in program.populations if p.soma is not None]
    layers = [p for p in somata if learn or not isinstance(p.soma, Tally)]
    for p in layers:
        assert expected[f"{p.name}.counts"].any() and f"{p.name}: {p.size} neurons" in done.stdout
    if not learn:
        assert expected.keys() == {f"{p.name}.counts" for p in layers}
        return
    assert ("a winner's spike in" in done.stdout) == (kind == "kernels")
    before = read_arrays(folder / "weights.npz")
    plastic = [s for s in program.synapses if s.rule is not None]
    for s in program.synapses:
        changed = expected[f"{s.name}.weights"] != before[f"{s.name}.weights"]
        assert changed.any() == s.changes
        assert s.rule is None or expected[f"{s.name}.tags"].any() != s.paired
    gates = {f"{g.name}.{what}" for g in program.gates for what in ("scores", "gates")}
    assert expected.keys() == before.keys() | gates | {f"{p.name}.counts" for p in layers} | {
        f"{s.name}.tags" for s in plastic
    }
    assert any(expected[name].any() for name in gates) == bool(gates)
    assert bool(gates) == (kind not in ("lpl", "stdp"))
    assert ("layer1.mean" in expected) == (kind == "lpl")


def changed(project: Path, folder: Path, name: str, places: dict[tuple[int, ...], int]) -> Path:
    """A copy of a project with some values of one of its weights other than they were."""
    copy = Path(shutil.copytree(project, folder / "copy"))
    arrays = read_arrays(copy / "weights.npz")
    for place, value in places.items():
        arrays[name][place] = value
    np.savez(copy / "weights.npz", **arrays)  # type: ignore[arg-type]
    return copy


def test_a_changed_weight_is_found(
    emitted: dict[str, Path], alone: dict[str, str], tmp_path: Path
) -> None:
    name, places = "layer2.prediction.weights", {(2, 5): 90}
    before = read_arrays(emitted["clapp"] / "weights.npz")[name]
    assert before[2, 5] not in (90, 89, 91)
    done = python(changed(emitted["clapp"], tmp_path, name, places), alone, "run.py", "--learn")
    assert done.returncode == 1, done.stderr
    assert f"{name}: " in done.stdout and "expected" in done.stdout
    assert "different: " in done.stdout and "equal: " not in done.stdout


def test_changed_code_is_found(
    emitted: dict[str, Path], alone: dict[str, str], tmp_path: Path
) -> None:
    """What runs is the project's own copy of the neuron."""
    copy = Path(shutil.copytree(emitted["conv"], tmp_path / "copy"))
    soma = copy / PACKAGE / "soma.py"
    text = soma.read_text()
    assert text.count("np.abs(x) * decay") == 1
    soma.write_text(text.replace("np.abs(x) * decay", "np.abs(x) // 2 * decay"))
    done = python(copy, alone, "run.py")
    assert done.returncode == 1, done.stderr
    assert "layer1.counts: " in done.stdout


@pytest.mark.parametrize(
    "begin",
    [
        "        self.membrane = clip_24_bits(potential)\n",
        "    def __post_init__(self) -> None:\n",
    ],
)
def test_a_process_that_fails_ends_the_run_with_its_traceback(
    emitted: dict[str, Path], alone: dict[str, str], tmp_path: Path, begin: str
) -> None:
    """While it runs, and while it is built."""
    copy = Path(shutil.copytree(emitted["clapp"], tmp_path / "copy"))
    soma = copy / PACKAGE / "soma.py"
    text = soma.read_text()
    assert text.count(begin) == 1
    soma.write_text(text.replace(begin, f"{begin}        raise ArithmeticError('a slip')\n"))
    done = python(copy, alone, "run.py")
    assert done.returncode == 2
    assert re.search("a process of Lava ended early|Lava failed", done.stderr)
    assert "ArithmeticError: a slip" in done.stderr


def test_what_cannot_run_is_a_sentence(
    emitted: dict[str, Path], alone: dict[str, str], tmp_path: Path
) -> None:
    conv = python(emitted["conv"], alone, "run.py", "--learn")
    assert (conv.returncode, conv.stdout) == (2, "")
    assert conv.stderr == "run.py: this network has no plastic synapses: leave --learn out\n"
    copy = changed(emitted["clapp"], tmp_path, "layer1.forward.weights", {(0, 0): -128})
    done = python(copy, alone, "run.py")
    assert done.returncode == 2
    assert (
        done.stderr == "run.py: weights of layer1.forward are beyond ±127, which Lava would wrap\n"
    )
    (copy / "weights.npz").write_bytes(npz({"layer1.forward.weights": np.zeros((12, 20), np.int8)}))
    done = python(copy, alone, "run.py")
    assert done.returncode == 2
    assert done.stderr.startswith("run.py: weights.npz has no array 'layer1.prediction.weights'")
    hidden = Path(alone["PYTHONPATH"], "sitecustomize.py").read_text()
    (copy / "sitecustomize.py").write_text(hidden.replace("'clapp_neuro'", "'lava', 'clapp_neuro'"))
    done = python(emitted["conv"], {**alone, "PYTHONPATH": str(copy)}, "run.py")
    assert done.returncode == 2
    assert "Lava is not installed" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_stored_is_the_program(emitted: dict[str, Path], kind: str) -> None:
    assert read_program(emitted[kind]) == program_of(kind)


def test_equal_programs_give_equal_files(emitted: dict[str, Path], tmp_path: Path) -> None:
    first = emitted["espp"]
    bundle = write_bundle(tmp_path / "again.clapp", program_of("espp"))
    again = clapp_neuro.emit(bundle, tmp_path / "again", stimulus=first / "stimulus.npz")
    names = {str(path.relative_to(first)) for path in first.rglob("*") if path.is_file()}
    written = {file.path for file in again.files}
    assert written <= names
    assert {n for n in names - written if "__pycache__" not in n} == set()
    for name in written:
        assert (first / name).read_bytes() == (again.path / name).read_bytes(), name


def test_it_imports_the_standard_library_numpy_scipy_lava_and_itself(
    emitted: dict[str, Path],
) -> None:
    imported = set()
    for name in carried_sources():
        for node in ast.walk(ast.parse((emitted["clapp"] / name).read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0 and node.module is not None
                imported.add(node.module.split(".")[0])
    # scipy is what Lava's sparse synapses are made of, and installed with it
    assert imported - set(sys.stdlib_module_names) == {"numpy", "scipy", "lava", PACKAGE}


def test_its_modules_are_ours(emitted: dict[str, Path]) -> None:
    """Line by line the backend's sources, but for names of modules and the order of imports."""
    here = {
        "soma": "compiler/backends/lava/soma.py",
        "build": "compiler/backends/lava/build.py",
        "processes/plastic": "compiler/backends/lava/processes/plastic.py",
        "processes/untied": "compiler/backends/lava/processes/untied.py",
        "processes/population": "compiler/backends/lava/processes/population.py",
        "rounding": "compiler/rounding.py",
    }
    for name, source in here.items():
        ours = (ROOT / source).read_text().splitlines()
        theirs = (emitted["clapp"] / PACKAGE / f"{name}.py").read_text().splitlines()
        assert len(ours) == len(theirs)
        other = set(theirs) - set(ours)
        assert all(PACKAGE in line for line in other), other
    text = "".join(path.read_text() for path in (emitted["clapp"] / PACKAGE).rglob("*.py"))
    assert "compiler.backends" not in text and "clapp_neuro" not in text


def test_it_passes_the_linter_and_is_small(emitted: dict[str, Path]) -> None:
    words = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "."]
    done = subprocess.run(words, cwd=emitted["clapp"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    sources = carried_sources()
    assert max(text.count("\n") for text in sources.values()) < 300
    backend = {path.relative_to(BACKEND).as_posix() for path in BACKEND.rglob("*.py")}
    backend |= {path.removeprefix("project/") for path in backend}
    ours = {path.removeprefix(f"{PACKAGE}/") for path in sources}
    # of the compiler only the words that a program is written in, no pass and no other engine
    words = {path for path in ours - backend if not path.startswith("program/")}
    assert words == {
        f"{name}.py"
        for name in (
            "averages",
            "connectivity",
            "dendrites",
            "errors",
            "padding",
            "parts",
            "products",
            "rounding",
            "terms",
        )
    }


def test_the_licence_is_ours(emitted: dict[str, Path]) -> None:
    assert (ROOT / "LICENSE").read_text() == LICENCE
    assert (emitted["clapp"] / "LICENSE").read_text() == LICENCE


def test_the_readme_names_what_is_there(emitted: dict[str, Path]) -> None:
    for kind, project in emitted.items():
        text = (project / "README.md").read_text()
        rows = [line for line in text.splitlines() if line.startswith("| `")]
        named = [row.split("`")[1] for row in rows]
        assert len(named) > 10 and all((project / name).exists() for name in named)
        listed = {name for name in os.listdir(project) if not name.startswith(".")}
        assert listed - {PACKAGE, "README.md"} <= set(named)
        for s in program_of(kind).synapses:
            assert f"| {s.name} | {s.source} | {s.target}, {s.compartment.value} |" in text
        assert ("run.py --learn" in text) == (kind != "conv")
        install = lava.project.compose.INSTALL.split(" && ")
        assert all(line in text.splitlines() for line in install)
        assert (project / "requirements.txt").read_text().splitlines()[-1] in install[1]


def test_as_typed(tmp_path: Path, alone: dict[str, str]) -> None:
    """From training on, with fixations of the program's own data."""
    preset = clapp_neuro.load_preset("fashion-dense")
    settings = {"mode": "online", "steps": 20}
    small = clapp_neuro.with_settings(preset, data={}, encoder={"layers": (24, 16)}, train=settings)
    clapp_neuro.train(small, tmp_path / "model.pt")
    assert call("compile", tmp_path / "model.pt") == 0
    words = "emit model.clapp --backend lava --out project --fixations 3 --json emit.json"
    done = shell(tmp_path, *words.split())
    assert done.returncode == 0, done.stderr
    assert "project: 3 fixations; try it with: python run.py --learn" in done.stdout
    values = json.loads((tmp_path / "emit.json").read_text())
    assert values.keys() == {"path", "backend", "fixations", "learns", "files"}
    assert (values["path"], values["backend"], values["learns"]) == ("project", "lava", True)
    for file in values["files"]:
        content = (tmp_path / "project" / file["path"]).read_bytes()
        assert len(content) == file["bytes"]
        lines = None if file["path"].endswith(".npz") else content.count(b"\n")
        assert file["lines"] == lines
    run = python(tmp_path / "project", alone, "run.py", "--learn")
    assert run.returncode == 0, run.stderr
    assert "3 fixations" in run.stdout and "equal: " in run.stdout
    again = shell(tmp_path, *words.split())
    assert again.returncode == 2
    assert (
        again.stderr == "clapp-neuro: cannot write 'project': it is not empty, give a new folder\n"
    )


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("bundle") / "m.clapp", program_of("clapp"))


GOOD = stimulus_of(program_of("clapp"), 5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"saccade.signal": None}, r"holds input.intensities: give input.intensities, saccade.sig"),
        ({"retina": np.zeros(5)}, "holds input.intensities, retina, saccade.signal: give"),
        ({"input.intensities": np.zeros((5, 20))}, r"is float64 of shape \(5, 20\), not uint8 of"),
        ({"input.intensities": np.zeros((5, 19), np.uint8)}, r"shape \(5, 19\), not .* \(F, 20\)"),
        ({"input.intensities": np.zeros(20, np.uint8)}, r"shape \(20,\), not uint8"),
        ({"saccade.signal": np.full(5, 2)}, "is not an integer from -1 to 1"),
        ({"saccade.signal": np.ones(5)}, "is not an integer from -1 to 1"),
        ({"saccade.signal": np.ones(4, np.int8)}, "5 of input.intensities, 4 of saccade.signal"),
    ],
)
def test_a_stimulus_that_does_not_fit_is_refused(
    bundle: Path, tmp_path: Path, changes: dict[str, np.ndarray | None], message: str
) -> None:
    arrays = {name: array for name, array in (GOOD | changes).items() if array is not None}
    path = tmp_path / "mine.npz"
    path.write_bytes(npz(arrays))
    with pytest.raises(InputError, match=message):
        clapp_neuro.emit(bundle, tmp_path / "p", stimulus=path)
    assert os.listdir(tmp_path) == ["mine.npz"]


def test_bad_files_and_options_are_a_sentence_and_write_nothing(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.npz").write_text("no arrays")
    np.save(tmp_path / "one.npy", np.zeros(3))
    (tmp_path / "one.npy").rename(tmp_path / "one.npz")
    np.savez(tmp_path / "objects.npz", **{"input.intensities": np.array([{}], object)})
    (tmp_path / "good.npz").write_bytes(npz(GOOD))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    before = sorted(os.listdir(tmp_path))
    out = ("--out", tmp_path / "p")
    good = ("--stimulus", tmp_path / "good.npz")
    cases = {
        "unknown backend 'lawa': did you mean 'lava'?": (bundle, *out, "--backend", "lawa"),
        "text.npz' is not a whole npz file": (bundle, *out, "--stimulus", tmp_path / "text.npz"),
        "one.npz' is not a whole npz file": (bundle, *out, "--stimulus", tmp_path / "one.npz"),
        "objects.npz' is not a whole": (bundle, *out, "--stimulus", tmp_path / "objects.npz"),
        "cannot read": (bundle, *out, "--stimulus", tmp_path / "absent.npz"),
        "is not a compiled program": (tmp_path / "text.npz", *out),
        "6 fixations of the 5 in": (bundle, *out, *good, "--fixations", 6),
        "0 fixations of the 5 in": (bundle, *out, *good, "--fixations", 0),
        "choose from the program's own data": (bundle, *out, *good, "--seed", 1),
        "does not say which data": (bundle, *out),
        "it is not empty": (bundle, *good, "--out", tmp_path / "full"),
        "it is a file": (bundle, *good, "--out", tmp_path / "text.npz"),
        "make it first": (bundle, *good, "--out", tmp_path / "none" / "p"),
        "you are in it": (bundle, *good, "--out", "."),
    }
    for message, arguments in cases.items():
        assert call("emit", *arguments) == 2, message
        err = capsys.readouterr().err
        assert message in err and err.count("\n") == 1, err
    assert sorted(os.listdir(tmp_path)) == before


def test_what_lava_cannot_express_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wide = compile_network(conv_network((1, 1), (30, 1), kernel=7), load_target("loihi2-lava"))
    bundle, stimulus = tmp_path / "b.clapp", tmp_path / "s.npz"
    for message, program in {
        "tags up to 300, at most 255 fit": replace(program_of("clapp"), tag_max=300),
        "the sums of layer1.forward may need more than the 24 bits": replace(
            wide.program, weight_max=127
        ),
    }.items():
        stimulus.write_bytes(npz(stimulus_of(program, 5)))
        write_bundle(bundle, program)
        assert call("emit", bundle, "--out", tmp_path / "p", "--stimulus", stimulus) == 2
        err = capsys.readouterr().err
        assert "Lava cannot run this program" in err and message in err
    assert sorted(os.listdir(tmp_path)) == ["b.clapp", "s.npz"]


def test_an_empty_folder_is_filled(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "s.npz").write_bytes(npz(GOOD))
    (tmp_path / "p").mkdir()
    result = clapp_neuro.emit(bundle, tmp_path / "p", stimulus=tmp_path / "s.npz", fixations=2)
    assert result.fixations == 2
    assert len(read_arrays(tmp_path / "p" / "stimulus.npz")["input.intensities"]) == 2
    assert sorted(os.listdir(tmp_path)) == ["p", "s.npz"]
