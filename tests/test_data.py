"""Data sets: read from their real formats, found in a stated order, refused with a sentence."""

import gzip
import io
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from clapp_neuro.config import DataConfig, load_preset
from clapp_neuro.data import fashion, photographs, stl10
from clapp_neuro.data.cache import cache_folder
from clapp_neuro.data.idx import read_idx, write_idx_gz
from clapp_neuro.data.images import ImageSet, load_images
from clapp_neuro.errors import InputError

SHIPPED = Path(fashion.__file__).parent / "shipped"


@pytest.fixture
def no_debian(monkeypatch, tmp_path):
    monkeypatch.setattr(fashion, "DEBIAN_FOLDER", tmp_path / "not-there")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    target = tmp_path / "fashion"
    shutil.copytree(SHIPPED, target)
    return target


def test_shipped_images(no_debian):
    images = load_images(load_preset("fashion-dense").data)
    assert images.source == "Fashion-MNIST subset that comes with clapp-neuro"
    assert images.train_images.shape == (3000, 28, 28)
    assert images.test_images.shape == (1000, 28, 28)
    assert (np.bincount(images.train_labels) == 300).all()
    assert (np.bincount(images.test_labels) == 100).all()
    assert len(images.classes) == 10
    assert images.learning_images is images.train_images
    assert images.summary()["images"] == 3000


def test_shipped_files_are_small_and_have_their_licence():
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < 3_000_000
    licence = (SHIPPED / "FASHION-MNIST-LICENSE").read_text("utf-8")
    assert "Copyright © 2017 Zalando SE" in licence
    assert "shall be included in all copies" in licence


def test_debian_comes_before_the_shipped_images(folder, monkeypatch):
    monkeypatch.setattr(fashion, "DEBIAN_FOLDER", folder)
    assert "Debian" in load_images(DataConfig()).source


def test_what_was_downloaded_before_comes_before_the_shipped_images(folder, no_debian, tmp_path):
    raw = tmp_path / "cache" / "clapp-neuro" / fashion.DOWNLOAD_FOLDER
    shutil.copytree(folder, raw)
    assert load_images(DataConfig()).source == "Fashion-MNIST, downloaded by torchvision"


@pytest.mark.parametrize("layout", [".", "FashionMNIST/raw", "raw"])
@pytest.mark.parametrize("compressed", [True, False])
def test_a_named_folder_comes_first(folder, tmp_path, layout, compressed):
    root = tmp_path / "given"
    (root / layout).mkdir(parents=True)
    for file in folder.glob("*.gz"):
        if compressed:
            shutil.copy(file, root / layout)
        else:
            (root / layout / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
    images = fashion.load_fashion(root)
    assert str(root) in images.source
    assert len(images.train_images) == 3000


def test_only_the_first_images(folder):
    images = load_images(DataConfig(images=20), folder)
    assert images.train_images.shape == (20, 28, 28)
    assert len(images.train_labels) == 20
    assert len(images.test_images) == 1000
    with pytest.raises(InputError, match="holds 3000 images, but 3001"):
        load_images(DataConfig(images=3001), folder)


def test_a_folder_without_the_data(tmp_path):
    with pytest.raises(InputError, match="does not hold Fashion-MNIST"):
        fashion.load_fashion(tmp_path)


def replace_file(folder, name, array):
    with (folder / f"{name}.gz").open("wb") as file:
        write_idx_gz(file, array)


def test_contents_that_do_not_fit(folder):
    replace_file(folder, "t10k-labels-idx1-ubyte", np.zeros(999, np.uint8))
    with pytest.raises(InputError, match="1000 images but 999 labels"):
        fashion.load_fashion(folder)
    replace_file(folder, "t10k-labels-idx1-ubyte", np.full(1000, 10, np.uint8))
    with pytest.raises(InputError, match="label 10"):
        fashion.load_fashion(folder)
    replace_file(folder, "t10k-images-idx3-ubyte", np.zeros((1000, 27, 28), np.uint8))
    with pytest.raises(InputError, match=r"\(27, 28\) images"):
        fashion.load_fashion(folder)


def test_no_images(folder):
    replace_file(folder, "train-images-idx3-ubyte", np.zeros((0, 28, 28), np.uint8))
    replace_file(folder, "train-labels-idx1-ubyte", np.zeros(0, np.uint8))
    with pytest.raises(InputError, match="holds no images"):
        load_images(DataConfig(), folder)


@given(st.lists(st.integers(0, 255), max_size=60), st.booleans())
def test_idx_round_trip(values, compressed):
    array = np.array(values, np.uint8).reshape(-1, 1)
    buffer = io.BytesIO()
    write_idx_gz(buffer, array)
    content = buffer.getvalue() if compressed else gzip.decompress(buffer.getvalue())
    with tempfile.TemporaryDirectory() as root:
        path = Path(root) / "a.idx"
        path.write_bytes(content)
        np.testing.assert_array_equal(read_idx(path, 2), array)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an idx file"),
        (b"hello, world", "not an idx file"),
        (bytes((0, 0, 8, 1, 0, 0, 0, 9)) + b"abc", "promises 9 bytes"),
        (bytes((0, 0, 13, 1, 0, 0, 0, 1)) + b"abcd", "not an idx file"),
        (b"\x1f\x8bnot really gzip", "cannot read"),
        (gzip.compress(bytes(5000), mtime=0)[:-20], "cannot read"),
    ],
)
def test_damaged_idx_files(tmp_path, content, message):
    path = tmp_path / "a.idx"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_idx(path, 1)
    with pytest.raises(InputError, match="No such file"):
        read_idx(tmp_path / "none", 1)


def test_downloads_fail_with_a_sentence(monkeypatch, tmp_path):
    import torchvision.datasets

    def refuse(**arguments):
        raise OSError("no network")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(torchvision.datasets, "FashionMNIST", refuse)
    with pytest.raises(InputError, match=r"could not be downloaded \(no network\)"):
        fashion.load_fashion("download")
    monkeypatch.setattr(torchvision.datasets.STL10, "download", lambda self: refuse())
    with pytest.raises(InputError, match=r"STL-10 could not be downloaded \(no network\)"):
        stl10.load_stl10("download")


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "clapp-neuro"
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(InputError, match="set XDG_CACHE_HOME"):
        cache_folder()


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory):
    root = tmp_path_factory.mktemp("cache")
    photographs.write_stand_in(root)
    return root


def test_the_stand_in_is_read_by_torchvisions_own_reader(stand_in):
    images = stl10.load_stl10(stand_in)
    assert images.source.startswith("stand-in photographs")
    assert images.classes[0] == "astronaut"
    assert images.train_images.shape == (500, 96, 96)
    assert images.test_images.shape == (400, 96, 96)
    assert images.learning_images.shape == (2000, 96, 96)
    assert (np.bincount(images.train_labels) == 50).all()
    assert (np.bincount(images.test_labels) == 40).all()
    assert not photographs.is_stand_in(stand_in / "elsewhere")
    for fold in (0, 9):
        assert len(_fold(stand_in, fold)) == 100


def _fold(root, number):
    return (root / "stl10_binary" / "fold_indices.txt").read_text().splitlines()[number].split()


def test_crops_stand_upright_and_come_from_their_band(stand_in):
    """Every crop is found again, as it is, in its third of its photograph."""
    for band, split in enumerate(("train", "test")):
        data = stl10._labelled(stand_in, split, photographs.checksums(stand_in))
        for index in range(6):
            picture, label = data[index]
            crop = np.asarray(picture)
            whole = photographs._photograph(photographs.PHOTOGRAPHS[label])
            windows = np.lib.stride_tricks.sliding_window_view(whole, (96, 96, 3))[:, :, 0]
            found = np.argwhere((windows[:, :, 0, 0] == crop[0, 0]).all(-1))
            places = [(y, x) for y, x in found if (windows[y, x] == crop).all()]
            width = whole.shape[1] // 3
            assert any(band * width <= x and x + 96 <= (band + 1) * width for _, x in places)


def test_damaged_stand_in_is_refused(stand_in, tmp_path):
    root = tmp_path / "copy"
    shutil.copytree(stand_in, root)
    with (root / "stl10_binary" / "test_y.bin").open("ab") as file:
        file.write(b"x")
    with pytest.raises(InputError, match=r"test_y\.bin' is too long: 401 bytes, not 400.*anew"):
        stl10.load_stl10(root)
    checksums = root / "stl10_binary" / photographs.CHECKSUMS
    for content in ("{", "[]"):
        checksums.write_text(content)
        with pytest.raises(InputError, match=r"checksums\.json' is damaged: delete"):
            stl10.load_stl10(root)


def test_real_stl10_must_have_real_checksums(stand_in, tmp_path):
    """Files in STL-10's format that are neither STL-10 nor the stand-in are not read as either."""
    root = tmp_path / "fake"
    shutil.copytree(stand_in, root)
    (root / "stl10_binary" / photographs.CHECKSUMS).unlink()
    with pytest.raises(InputError, match="cannot read STL-10 in"):
        stl10.load_stl10(root / "stl10_binary")
    with pytest.raises(InputError, match="does not hold STL-10"):
        stl10.load_stl10(tmp_path)


def test_without_stl10_the_stand_in_is_made_once(stand_in, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    shutil.copytree(stand_in, tmp_path / "clapp-neuro" / "photographs")
    written = []
    monkeypatch.setattr(photographs, "write_stand_in", written.append)
    images = load_images(load_preset("stl10-dense").data)
    assert "a stand-in for STL-10" in images.source
    assert not written


def test_grey_is_pillows():
    colours = np.random.default_rng(0).integers(0, 256, (3, 3, 96, 96)).astype(np.uint8)
    for ours, colour in zip(stl10.grey(colours), colours, strict=True):
        theirs = np.asarray(Image.fromarray(colour.transpose(1, 2, 0)).convert("L"))
        np.testing.assert_array_equal(ours, theirs)


def test_image_set_without_unlabelled_images():
    some = np.zeros((2, 4, 4), np.uint8)
    labels = np.zeros(2, np.int64)
    images = ImageSet("x", "y", ("a",), some, labels, some, labels)
    assert images.summary() == {"dataset": "x", "source": "y", "images": 2, "test_images": 2}
