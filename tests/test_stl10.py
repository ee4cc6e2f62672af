"""STL-10: read as torchvision reads it, the unlabelled images from their file as they are seen."""

import hashlib
import json
import pickle
import resource
import shutil
import sys
import tracemalloc
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torchvision.datasets import STL10

from clapp_neuro.calibration import calibrate
from clapp_neuro.config import load_preset, read_experiment
from clapp_neuro.data import stl10
from clapp_neuro.data.fixations import fixation_stream
from clapp_neuro.data.images import load_images
from clapp_neuro.data.patches import fixated_inputs
from clapp_neuro.data.stored import IMAGE_BYTES, StoredImages, grey
from clapp_neuro.encoders.initial import initial_weights
from clapp_neuro.errors import InputError
from clapp_neuro.training.crew import Crew
from clapp_neuro.training.loader import Minibatches, minibatches
from clapp_neuro.training.online import OnlineTrainer
from clapp_neuro.training.tally import Tally
from clapp_neuro.verbs.sight import gaze

SMALL = {"train": 12, "test": 10, "unlabeled": 1100}  # more than are turned grey at a time
WHERE = r"get STL-10 from https://cs\.stanford\.edu/~acoates/stl10/ or with --data download"


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A whole small data set in STL-10's format; torchvision is told its checksums."""
    folder = tmp_path / "given" / "stl10_binary"
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for split, count in SMALL.items():
        (folder / f"{split}_X.bin").write_bytes(generator.bytes(count * IMAGE_BYTES))
        if split != "unlabeled":
            labels = generator.integers(1, 11, count).astype(np.uint8)
            (folder / f"{split}_y.bin").write_bytes(labels.tobytes())
    (folder / "class_names.txt").write_text("airplane\nbird\n")
    for name in ("train_list", "test_list"):
        listed = [[file, checksum(folder / file)] for file, _ in getattr(STL10, name)]
        monkeypatch.setattr(STL10, name, listed)
    monkeypatch.setattr(stl10, "COUNTS", SMALL)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return folder.parent


def checksum(path):
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


@pytest.fixture
def both(root):
    """The same images, the unlabelled ones in their file and in memory."""
    stored = stl10.load_stl10(root)
    everything = grey(STL10(str(root), split="unlabeled").data)
    return stored, replace(stored, unlabelled_images=everything)


def test_every_split_is_what_torchvision_reads(root):
    images = stl10.load_stl10(root)
    train, test, unlabelled = (STL10(str(root), split=split) for split in SMALL)
    np.testing.assert_array_equal(images.train_images, grey(train.data))
    np.testing.assert_array_equal(images.train_labels, train.labels)
    np.testing.assert_array_equal(images.test_images, grey(test.data))
    np.testing.assert_array_equal(images.test_labels, test.labels)
    assert images.classes == ("airplane", "bird")
    seen = images.learning_images[np.arange(SMALL["unlabeled"])]
    assert seen.dtype == np.uint8 and seen.flags.c_contiguous
    np.testing.assert_array_equal(seen, grey(unlabelled.data))


def test_stored_images_are_indexed_like_an_array(both):
    stored, array = (images.learning_images for images in both)
    assert isinstance(stored, StoredImages)
    assert (len(stored), stored.shape) == (1100, array.shape)
    chosen = np.array([1099, 3, 3, -1, 0])
    for index in (chosen, chosen[:0], 7, -2, np.int64(5), np.arange(1100) % 3 == 0):
        np.testing.assert_array_equal(stored[index], array[index])
    for part in (slice(20), slice(5, None, 7), slice(None, None, -1), slice(0)):
        assert isinstance(stored[part], StoredImages)
        assert stored[part].shape == array[part].shape
        everything = np.arange(len(stored[part]))
        np.testing.assert_array_equal(stored[part][everything], array[part])
    np.testing.assert_array_equal(stored[10:30][2:9][3], array[15])
    np.testing.assert_array_equal(np.stack(list(stored[:4])), array[:4])
    for outside in (1100, np.array([0, -1101])):
        with pytest.raises(IndexError):
            stored[outside]
    with pytest.raises(IndexError):
        stored[:20][20]


def test_only_the_first_images_stay_in_their_file(root):
    config = load_preset("stl10-dense").data
    images = load_images(config.model_copy(update={"images": 20}), root)
    assert isinstance(images.unlabelled_images, StoredImages)
    assert images.summary()["images"] == 20
    with pytest.raises(InputError, match="holds 1100 images, but 1101 were asked for"):
        load_images(config.model_copy(update={"images": 1101}), root)


def test_a_pickled_copy_reads_the_same_file(both, root, monkeypatch):
    stored, array = (images.learning_images for images in both)
    monkeypatch.chdir(root)
    stored = stl10.load_stl10(".").learning_images
    content = pickle.dumps(stored[1000:])
    assert len(content) < IMAGE_BYTES
    monkeypatch.chdir(root.parent)
    np.testing.assert_array_equal(pickle.loads(content)[np.arange(100)], array[1000:])


def test_the_unlabelled_images_are_not_read_to_look_at_a_few(root, monkeypatch):
    """The real number of them in a sparse file: 2.8 GB."""
    count = 100_000
    monkeypatch.setattr(stl10, "COUNTS", {**SMALL, "unlabeled": count})
    first = (root / "stl10_binary" / "unlabeled_X.bin").read_bytes()[:IMAGE_BYTES]
    with (root / "stl10_binary" / "unlabeled_X.bin").open("r+b") as file:
        file.truncate(count * IMAGE_BYTES)
        file.seek((count - 1) * IMAGE_BYTES)
        file.write(first)
    before = peak_bytes()
    tracemalloc.start()
    images = load_images(load_preset("stl10-dense").data, root).learning_images
    chosen = np.linspace(0, count - 1, 200).astype(np.int64)
    seen = images[chosen]
    part = images[: count // 2]
    allocated = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(seen[-1], seen[0])
    assert seen[0].any()
    assert len(part) == count // 2
    assert allocated < 100e6
    assert peak_bytes() - before < 300e6  # pages of the file that are mapped count here


def peak_bytes():
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def test_fixations_see_the_same(both):
    config = load_preset("stl10-dense").data
    stored, array = (images.learning_images for images in both)
    for number in (3, 1100):
        stream = fixation_stream(number, config.positions, 1000, seed=1, start=500)
        seen = fixated_inputs(stored, stream, config)
        np.testing.assert_array_equal(seen, fixated_inputs(array, stream, config))
    provenance = {"experiment": json.dumps({"data": config.model_dump()})}
    program = SimpleNamespace(provenance=provenance, modulators=(), gates=())
    looked = [gaze(program, images, 300, seed=3).intensities["input"] for images in both]
    np.testing.assert_array_equal(*looked)


def test_online_learning_and_calibration_are_the_same_to_the_bit(both):
    experiment = load_preset("stl10-dense")
    results = []
    for images in both:
        weights = initial_weights(experiment)
        trainer = OnlineTrainer(experiment, images, weights, None)
        tally = Tally(len(trainer.layers), 0)
        for step in range(20):
            trainer.advance(step, tally)
        results.append((weights, calibrate(weights, experiment, images)))
    (weights, values), (others, same) = results
    assert all(torch.equal(weights[name], others[name]) for name in weights)
    assert values == same


@pytest.mark.parametrize("augment", [True, False])
def test_minibatches_of_two_workers_are_the_same(both, augment):
    data = {"dataset": "stl10", "crop": 64, "patch": 16, "stride": 8, "augment": augment}
    experiment = read_experiment({"data": data, "train": {"mode": "batch", "batch_size": 8}}, "x")
    device = torch.device("cpu")
    loaded = []
    for images, workers in ((both[0], 2), (both[0], 0), (both[1], 0)):
        source = Minibatches(experiment, images, Crew())
        batches = minibatches(source, 5, device, workers)
        loaded.append([next(batches)[0] for _ in range(6)])
        del batches
    for parts in zip(*loaded, strict=True):
        assert parts[0].shape == (8, 64, 64)
        assert torch.equal(parts[0], parts[1]) and torch.equal(parts[0], parts[2])


def refused(message, data):
    """The sentence that `load_stl10` refuses `data` with."""
    with pytest.raises(InputError, match=message) as refusal:
        stl10.load_stl10(data)
    assert "\n" not in str(refusal.value)
    assert "download=True" not in str(refusal.value)


NAMES = [*stl10.LABELLED, "unlabeled_X.bin", "class_names.txt"]


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_named(root, name):
    (root / "stl10_binary" / name).unlink()
    message = rf"cannot read STL-10 in .*stl10_binary/{name}' is missing; {WHERE}"
    for data in (root, root / "stl10_binary"):
        refused(message, data)


@pytest.mark.parametrize("name", NAMES[:-1])
def test_a_file_of_another_size_is_named_with_both_sizes(root, name):
    path = root / "stl10_binary" / name
    content = path.read_bytes()
    count = SMALL[name.split("_")[0]]
    what = "labels" if "_y" in name else "images of 3x96x96"
    whole = f"not {len(content):,} for {count:,} {what}; {WHERE}"
    for wrong, size in (("short", 0), ("short", len(content) - 1), ("long", len(content) + 5)):
        path.write_bytes((content + bytes(5))[:size])
        refused(rf"{name}' is too {wrong}: {size:,} bytes, {whole}", root)


def test_images_of_another_size_are_refused(root):
    (root / "stl10_binary" / "unlabeled_X.bin").write_bytes(bytes(1100 * 3 * 96 * 95))
    refused(r"unlabeled_X\.bin' is too short: 30,096,000 bytes, not 30,412,800 for 1,100 ", root)


@pytest.mark.parametrize("name", stl10.LABELLED)
def test_a_damaged_file_is_named(root, name):
    damage(root / "stl10_binary" / name)
    refused(rf"{name}' is damaged: its MD5 is not [0-9a-f]{{32}}; {WHERE}", root)


def test_of_the_unlabelled_images_only_the_size_is_looked_at(root):
    damage(root / "stl10_binary" / "unlabeled_X.bin")
    assert len(stl10.load_stl10(root).learning_images) == 1100


def damage(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def test_class_names_that_are_no_text(root):
    (root / "stl10_binary" / "class_names.txt").write_bytes(b"\xff\xfe\xff")
    refused(f"cannot read STL-10 in .*codec can't decode.*; {WHERE}", root)


def test_nothing_there(root):
    for data in (root / "elsewhere", root.parent):
        refused(rf"does not hold STL-10: expected the folder stl10_binary in it; {WHERE}", data)


@pytest.mark.parametrize("place", ["data", "cache/clapp-neuro/torchvision"])
def test_an_archive_that_is_not_whole_or_not_unpacked(root, tmp_path, place):
    """Found where STL-10 is looked for, too: the stand-in does not silently take its place."""
    archive = tmp_path / place / "stl10_binary.tar.gz"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(bytes(1234))
    short = rf"stl10_binary\.tar\.gz' is too short: 1,234 bytes, not 2,640,397,119; {WHERE}"
    for data in (None, archive.parent, archive):
        refused(short, data)
    with archive.open("r+b") as file:
        file.truncate(2_640_397_119)
    refused(r"is not unpacked: run tar -xzf stl10_binary\.tar\.gz where it is; get STL-10", None)


def test_the_file_goes_away_or_shrinks_while_it_is_used(root):
    images = stl10.load_stl10(root).learning_images
    with images.path.open("r+b") as file:
        file.truncate(5 * IMAGE_BYTES)
    with pytest.raises(InputError, match=r"cannot read '.*unlabeled_X\.bin': mmap length"):
        images[:4][0]
    images.path.unlink()
    with pytest.raises(InputError, match=r"unlabeled_X\.bin': No such file"):
        images[0]


def test_download_fetches_what_is_not_there_whole(root, tmp_path, monkeypatch):
    cached = tmp_path / "cache" / "clapp-neuro" / "torchvision"
    fetched = []

    def fetch(self):
        fetched.append(self.root)
        shutil.copytree(root, self.root, dirs_exist_ok=True)

    monkeypatch.setattr(STL10, "download", fetch)
    assert stl10.load_stl10("download").source == "STL-10, downloaded by torchvision"
    assert stl10.load_stl10(None).source == f"STL-10 in '{cached}'"
    assert len(stl10.load_stl10("download").learning_images) == 1100
    assert fetched == [str(cached)]
    for name in ("unlabeled_X.bin", "test_X.bin"):
        with (cached / "stl10_binary" / name).open("r+b") as file:
            file.truncate(1000)
        stl10.load_stl10("download")
    damage(cached / "stl10_binary" / "train_y.bin")
    stl10.load_stl10("download")
    assert len(fetched) == 4
