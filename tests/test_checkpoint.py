"""A checkpoint is read whole and consistent, or refused with one sentence."""

import errno
import io
import json
import pickle
import zipfile

import numpy as np
import pytest
import torch

from clapp_neuro import checkpoint as module
from clapp_neuro.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from clapp_neuro.config import EncoderConfig, Experiment
from clapp_neuro.encoders.initial import initial_weights
from clapp_neuro.errors import InputError

EXPERIMENT = Experiment(encoder=EncoderConfig(layers=(8, 6)))


def make(**changes):
    values = {
        "experiment": EXPERIMENT,
        "step": 7,
        "weights": initial_weights(EXPERIMENT),
        "calibration": {"layer1.rate": 0.25},
        "data": {"dataset": "fashion-mnist", "images": 3000},
        "versions": {"torch": torch.__version__},
        "resume": {"adam.layer1.forward.step": torch.tensor(7.0)},
    }
    return Checkpoint(**{**values, **changes})


@pytest.fixture
def path(tmp_path):
    return save_checkpoint(tmp_path / "model.pt", make())


def refused(path):
    with pytest.raises(InputError) as caught:
        load_checkpoint(path)
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    return message


def altered(path, **changes):
    """A good file with some of its entries replaced."""
    content = torch.load(save_checkpoint(path, make()), weights_only=True)
    content.update(changes)
    torch.save(content, path)
    return path


def with_metadata(path, **changes):
    content = torch.load(save_checkpoint(path, make()), weights_only=True)
    metadata = {**json.loads(content["metadata"]), **changes}
    return altered(path, metadata=json.dumps(metadata))


def with_weights(path, **changes):
    content = torch.load(path, weights_only=True)
    return altered(path, weights={**content["weights"], **changes})


def test_round_trip(path):
    written, read = make(), load_checkpoint(path)
    for name in ("experiment", "step", "calibration", "data", "versions"):
        assert getattr(read, name) == getattr(written, name)
    for name in ("weights", "resume"):
        ours, theirs = getattr(read, name), getattr(written, name)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_views_do_not_carry_their_whole_storage(tmp_path):
    small = save_checkpoint(tmp_path / "a.pt", make()).stat().st_size
    weights = initial_weights(EXPERIMENT)
    weights["layer1.forward"] = torch.zeros(10_000, 196)[:8]
    assert save_checkpoint(tmp_path / "b.pt", make(weights=weights)).stat().st_size < 1.1 * small


def test_missing(tmp_path):
    assert "No such file" in refused(tmp_path / "none.pt")


def test_folder(tmp_path):
    assert "Is a directory" in refused(tmp_path)


def test_empty(path):
    path.write_bytes(b"")
    assert "is empty" in refused(path)


@pytest.mark.parametrize("text", ["hello", "größer " * 1000, '{"format": "x"}'])
def test_text(path, text):
    path.write_text(text, "utf-8")
    assert "not a checkpoint but text" in refused(path)


def test_random_bytes(path):
    path.write_bytes(bytes(range(255, 0, -1)) * 20)
    assert "unknown binary data" in refused(path)


@pytest.mark.parametrize("fraction", [0.01, 0.3, 0.9, 0.999])
def test_truncated(path, fraction):
    content = path.read_bytes()
    path.write_bytes(content[: max(8, int(fraction * len(content)))])
    assert "cut off before its end" in refused(path)


def test_damaged_inside(path):
    content = bytearray(path.read_bytes())
    place = content.index(load_checkpoint(path).weights["layer1.forward"].numpy().tobytes())
    content[place + 5] ^= 1
    path.write_bytes(content)
    assert "is damaged at" in refused(path)


class Evil:
    def __reduce__(self):
        return (open, ("evil-was-here", "w"))


def test_pickles_are_never_executed(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path.write_bytes(pickle.dumps(Evil()))
    assert "bare pickle" in refused(path)
    torch.save({"format": module.FORMAT, "weights": Evil()}, path)
    assert "could run code" in refused(path)
    torch.save(torch.nn.Linear(2, 2), path)
    assert "could run code" in refused(path)
    assert not (tmp_path / "evil-was-here").exists()


def test_other_zip_files(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hello.txt", "hello")
    assert "cannot be read as a PyTorch file" in refused(path)


@pytest.mark.parametrize("content", [{}, [1, 2], torch.zeros(2), {"format": "other"}])
def test_not_ours(path, content):
    torch.save(content, path)
    assert "not a clapp-neuro checkpoint" in refused(path)


def test_newer_version(path):
    assert "reads up to 1: upgrade clapp-neuro" in refused(altered(path, version=2))


@pytest.mark.parametrize("version", [0, -1, "1", None, True])
def test_impossible_version(path, version):
    assert "impossible checkpoint version" in refused(altered(path, version=version))


@pytest.mark.parametrize("metadata", ["{", None, "[]", "{}", b"\xff", "[" * 100_000])
def test_altered_metadata(path, metadata):
    assert "metadata" in refused(altered(path, metadata=metadata))


def test_metadata_fields(path):
    assert "step -1 is negative" in refused(with_metadata(path, step=-1))
    assert "no valid 'step'" in refused(with_metadata(path, step=True))
    assert "'layer1.rate' is 'x'" in refused(with_metadata(path, calibration={"layer1.rate": "x"}))
    wrong = {"encoder": {"neurons": "spikes"}}
    assert "encoder.neurons" in refused(with_metadata(path, experiment=wrong))


def test_settings_that_contradict_the_weights(path):
    other = Experiment(encoder=EncoderConfig(layers=(8, 7))).model_dump(mode="json")
    assert "layer2.forward is (6, 8), its settings say (7, 8)" in refused(
        with_metadata(path, experiment=other)
    )
    other = Experiment(encoder=EncoderConfig(layers=(8,))).model_dump(mode="json")
    assert "unexpected layer2.forward" in refused(with_metadata(path, experiment=other))
    other = Experiment(encoder=EncoderConfig(layers=(8, 6, 5))).model_dump(mode="json")
    assert "lacks layer3.forward" in refused(with_metadata(path, experiment=other))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_no_numbers(path, value):
    weight = load_checkpoint(path).weights["layer2.prediction"].clone()
    weight[3, 4] = value
    message = refused(with_weights(path, **{"layer2.prediction": weight}))
    assert f"layer2.prediction[3, 4] is {value}" in message


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.int8])
def test_weights_of_another_type(path, dtype):
    weight = load_checkpoint(path).weights["layer1.forward"].to(dtype)
    assert "must be torch.float32" in refused(with_weights(path, **{"layer1.forward": weight}))


@pytest.mark.parametrize(
    "weight", [torch.zeros(8, 196, device="meta"), torch.zeros(8, 196).to_sparse()]
)
def test_weights_that_are_not_plain(path, weight):
    message = refused(with_weights(path, **{"layer1.forward": weight}))
    assert "not a plain dense tensor" in message or "Python objects" in message


@pytest.mark.parametrize("entry", ["weights", "resume"])
def test_tables_that_are_none(path, entry):
    assert "not a table of tensors" in refused(altered(path, **{entry: None}))
    assert "not a table of tensors" in refused(altered(path, **{entry: {"a": 1}}))


def test_what_could_not_be_read_is_not_written(tmp_path):
    weights = initial_weights(EXPERIMENT)
    weights["layer1.forward"][0, 0] = float("nan")
    with pytest.raises(InputError, match=r"layer1\.forward\[0, 0\] is nan"):
        save_checkpoint(tmp_path / "model.pt", make(weights=weights))
    with pytest.raises(ValueError, match="not JSON compliant"):
        save_checkpoint(tmp_path / "model.pt", make(calibration={"a": float("nan")}))
    assert list(tmp_path.iterdir()) == []


def test_an_old_file_survives_a_failed_save(path):
    before = path.read_bytes()
    weights = initial_weights(EXPERIMENT)
    del weights["layer1.forward"]
    with pytest.raises(InputError, match=r"lacks layer1\.forward"):
        save_checkpoint(path, make(weights=weights))
    assert path.read_bytes() == before


def test_full_disk_leaves_the_old_file(path, monkeypatch):
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InputError, match=r"cannot write .*model\.pt.*No space left"):
        save_checkpoint(path, make())
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["model.pt"]


@pytest.mark.parametrize("seed", range(60))
def test_altered_bytes_behind_good_checksums(path, seed):
    """Nothing but a checkpoint or an InputError comes out of a hostile archive."""
    random = np.random.default_rng(seed)
    with zipfile.ZipFile(path) as archive:
        entries = {name: bytearray(archive.read(name)) for name in archive.namelist()}
    (pickled,) = (content for name, content in entries.items() if name.endswith("data.pkl"))
    for place in random.integers(0, len(pickled), 1 + seed % 4):
        pickled[place] = random.integers(256)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, bytes(content))
    try:
        read = load_checkpoint(path)
    except InputError as error:
        complaint = str(error)
    else:
        assert read.weights.keys() == make().weights.keys()
        return
    assert path.name in complaint


def test_legacy_pytorch_format(path):
    buffer = io.BytesIO()
    torch.save({"format": module.FORMAT}, buffer, _use_new_zipfile_serialization=False)
    path.write_bytes(buffer.getvalue())
    assert "bare pickle" in refused(path)
