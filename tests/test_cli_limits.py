"""Numbers and files just beyond what commands take: one sentence each, exit code 2."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest
from compiled_program import compiled

import clapp_neuro
from clapp_neuro.cli import main
from clapp_neuro.errors import InputError
from compiler.bundle import ARRAYS, DOCUMENT, read_bundle, write_bundle


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.pt"
    experiment = clapp_neuro.load_preset("fashion-dense")
    clapp_neuro.train(clapp_neuro.with_training(experiment, mode="online", steps=0), path)
    clapp_neuro.compile(path)
    return path


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_that_rounding_cannot_take(model: Path, tmp_path: Path, seed: int) -> None:
    with pytest.raises(InputError, match="seed"):
        clapp_neuro.compile(model, out=tmp_path / "out.clapp", seed=seed)
    assert not (tmp_path / "out.clapp").exists()


def test_negative_seeds_of_the_gaze(model: Path) -> None:
    bundle = model.with_suffix(".clapp")
    for verb in (
        lambda: clapp_neuro.run(bundle, learn=True, images=1, seed=-1),
        lambda: clapp_neuro.verify(bundle, against="reference", fixations=1, seed=-1),
        lambda: clapp_neuro.energy(bundle, images=1, seed=-1),
    ):
        with pytest.raises(InputError, match="seed -1"):
            verb()


@pytest.mark.parametrize("number", [0, -5, 10**9])
def test_labelled_images_that_are_not_there(model: Path, number: int) -> None:
    bundle = model.with_suffix(".clapp")
    with pytest.raises(InputError, match="images"):
        clapp_neuro.run(bundle, images=1, probe=True, train_images=number)


def test_more_images_than_there_are(model: Path) -> None:
    bundle = model.with_suffix(".clapp")
    with pytest.raises(InputError, match="999999999 test images"):
        clapp_neuro.run(bundle, images=999_999_999)


def test_deeply_nested_documents_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "deep.clapp"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(DOCUMENT, "[" * 100_000)
        archive.writestr(ARRAYS, b"")
    with pytest.raises(InputError, match=r"deep\.clapp"):
        read_bundle(path)


@pytest.mark.parametrize(("place", "value"), [(6, 1), (8, 77)], ids=["encrypted", "compression"])
def test_zip_features_that_are_not_read(tmp_path: Path, place: int, value: int) -> None:
    path = write_bundle(tmp_path / "odd.clapp", compiled())
    content = bytearray(path.read_bytes())
    for header, offset in ((b"PK\x03\x04", place), (b"PK\x01\x02", place + 2)):
        start = content.find(header)
        while start >= 0:
            content[start + offset] = value
            start = content.find(header, start + 4)
    path.write_bytes(bytes(content))
    with pytest.raises(InputError, match=r"odd\.clapp"):
        read_bundle(path)


def test_a_damaged_data_set_names_our_own_option(tmp_path: Path) -> None:
    (tmp_path / "stl10_binary").mkdir()
    experiment = clapp_neuro.load_preset("stl10-dense")
    with pytest.raises(InputError, match="--data download") as refused:
        clapp_neuro.train(experiment, tmp_path / "x.pt", data=tmp_path)
    assert "download=True" not in json.dumps(str(refused.value))


def test_energy_of_a_program_that_does_not_learn(model: Path, tmp_path: Path) -> None:
    path = clapp_neuro.compile(model, static=True, out=tmp_path / "static.clapp").path
    result = clapp_neuro.energy(path, images=2, compare="all")
    assert result.estimate.learning is None
    assert result.estimate.inference.total.to_json()["value"] > 0


def test_a_machine_of_ones_own_from_compile_to_energy(model: Path, tmp_path: Path) -> None:
    values = json.loads(resources.files("hw_configs").joinpath("loihi2.json").read_text("utf-8"))
    own = tmp_path / "own.json"
    own.write_text(json.dumps({**values, "name": "mine", "title": "My machine"}))
    path = clapp_neuro.compile(model, str(own), tmp_path / "own.clapp").path
    own.unlink()  # the program carries it
    assert clapp_neuro.run(path, images=2).fixations == 18
    assert clapp_neuro.energy(path, images=2).estimate.title == "My machine"


def test_a_wrong_rule_does_not_agree_with_the_reference(model: Path, tmp_path: Path) -> None:
    bundle = model.with_suffix(".clapp")
    assert clapp_neuro.verify(bundle, against="reference", learn=True, fixations=60).equal
    program, notes = read_bundle(bundle)
    turned = tuple(
        replace(p, post_values=tuple(replace(v, multiplier=-v.multiplier) for v in p.post_values))
        for p in program.populations
    )
    path = write_bundle(tmp_path / "turned.clapp", replace(program, populations=turned), notes)
    found = clapp_neuro.verify(path, against="reference", learn=True, fixations=60)
    assert not found.equal
    assert found.mismatches == len(program.synapses)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_time_limits_that_are_none(model: Path, seconds: float) -> None:
    with pytest.raises(InputError, match="time limit"):
        clapp_neuro.verify(model.with_suffix(".clapp"), timeout=seconds)


def test_outputs_that_would_overwrite_inputs(model: Path) -> None:
    before = model.read_bytes()
    with pytest.raises(InputError, match="would overwrite the model"):
        clapp_neuro.compile(model, out=model)
    assert model.read_bytes() == before


def test_a_file_is_named_once(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, other = model.with_suffix(".clapp"), tmp_path / "other"
    before = model.read_bytes(), bundle.read_bytes()
    for arguments in (
        ("compile", model, "--json", bundle),
        ("compile", model, "--json", model),
        ("energy", bundle, "--json", bundle),
        ("energy", bundle, "--json", other, "--csv", other),
        ("run", bundle, "--json", bundle),
        ("run", bundle, "--learn", "--out", other, "--json", other),
        ("adapt", bundle, "--drift", "dim", "--json", bundle),
        ("export", model, "--out", other, "--json", other),
        ("train", "--preset", "fashion-dense", "--out", other, "--json", other),
        ("answer", bundle, other, "--out", other),
    ):
        with pytest.raises(SystemExit) as end:
            main([str(a) for a in arguments])
        assert end.value.code == 2 and "give two files" in capsys.readouterr().err
    assert before == (model.read_bytes(), bundle.read_bytes()) and not other.exists()


def test_a_folder_is_no_model() -> None:
    for folder in (".", "/"):
        with pytest.raises(InputError, match="is a folder"):
            clapp_neuro.compile(folder)


def test_more_fixations_than_fit(model: Path) -> None:
    with pytest.raises(InputError, match="fewer images"):
        clapp_neuro.energy(model.with_suffix(".clapp"), images=99_999_999)


def test_damaged_experiments(model: Path, tmp_path: Path) -> None:
    program, _ = read_bundle(model.with_suffix(".clapp"))
    for text in ("{oops", "[]", "3"):
        damaged = replace(program, provenance={**program.provenance, "experiment": text})
        path = write_bundle(tmp_path / "damaged.clapp", damaged)
        with pytest.raises(InputError, match="experiment is damaged"):
            clapp_neuro.run(path, images=1)
