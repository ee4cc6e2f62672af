"""Files appear whole or not at all, and progress goes where it should."""

import errno
import json
import math
import os

import numpy as np
import pytest

from clapp_neuro import files
from clapp_neuro.errors import InputError, nearest, unknown
from clapp_neuro.files import require_place, write_whole, write_whole_folder
from clapp_neuro.progress import silent, track
from clapp_neuro.show import dump, lines, table


def test_writes_and_replaces(tmp_path):
    path = tmp_path / "a.bin"
    assert write_whole(path, lambda file: file.write(b"one")) == path
    write_whole(path, lambda file: file.write(b"two"))
    assert path.read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["a.bin"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError, MemoryError])
def test_whatever_stops_the_writer_leaves_the_old_file(tmp_path, stop):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def writer(file):
        file.write(b"half")
        raise stop

    with pytest.raises(stop):
        write_whole(path, writer)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_full_disk_is_one_sentence(tmp_path):
    def writer(file):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(InputError, match=r"cannot write .*a\.bin.*No space left on device"):
        write_whole(tmp_path / "a.bin", writer)
    assert os.listdir(tmp_path) == []


def test_no_folder_and_folder_as_file(tmp_path):
    with pytest.raises(InputError, match="there is no folder"):
        write_whole(tmp_path / "none" / "a.bin", lambda file: None)
    with pytest.raises(InputError, match="is a folder"):
        write_whole(tmp_path, lambda file: None)


def test_written_files_obey_the_umask(tmp_path):
    path = write_whole(tmp_path / "a.bin", lambda file: file.write(b"x"))
    plain = tmp_path / "b.bin"
    plain.write_bytes(b"x")
    assert path.stat().st_mode == plain.stat().st_mode


def test_json_holds_what_every_reader_takes(tmp_path):
    class Shown:
        def to_json(self):
            return {"rate": np.float32("nan"), "all": [np.float64("-inf"), 1, None]}

    def refused(name):
        raise AssertionError(f"{name} is no JSON")

    dump(
        tmp_path / "one.json", {"parts": (Shown(), math.inf), "path": tmp_path, "count": np.int8(3)}
    )
    read = json.loads((tmp_path / "one.json").read_text(), parse_constant=refused)
    shown = {"rate": None, "all": [None, 1, None]}
    assert read == {"parts": [shown, None], "path": str(tmp_path), "count": 3}
    with pytest.raises(TypeError, match="object has no JSON form"):
        dump(tmp_path / "none.json", object())
    assert not (tmp_path / "none.json").exists()


def test_nearest_name():
    assert nearest("fashion-dens", ["fashion-dense", "stl10-dense"]) == "fashion-dense"
    assert nearest("xyz", ["fashion-dense"]) is None
    message = str(unknown("preset", "fashion-dens", ["fashion-dense", "stl10-dense"]))
    assert message == (
        "unknown preset 'fashion-dens': did you mean 'fashion-dense'? "
        "known are fashion-dense, stl10-dense"
    )
    assert "did you mean" not in str(unknown("preset", "xyz", ["fashion-dense"]))


def test_progress_in_plain_lines_on_standard_error(capsys):
    with track("training") as report:
        report(1, 10, "loss 1.0")
        report(10, 10, "loss 0.5")
    silent(1, 2, "nothing")
    captured = capsys.readouterr()
    assert captured.err == "training: 10/10 loss 0.5\n"
    assert captured.out == ""


def test_plain_lines_say_how_long_it_will_take(capsys, monkeypatch):
    clock = iter([0.0, 10.0, 130.0])
    monkeypatch.setattr("clapp_neuro.progress.time.monotonic", lambda: next(clock))
    with track("training") as report:
        report(100, 400, "")
        report(200, 400, "loss 0.5")
    assert capsys.readouterr().err == (
        "training: 100/400\ntraining: 200/400 (4 min left) loss 0.5\n"
    )


def test_followers_of_torchrun_say_nothing(capsys, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    with track("training") as report:
        report(10, 10, "loss 0.5")
    lines("result")
    table(("a",), [("b",)])
    assert capsys.readouterr() == ("", "")


def test_a_folder_that_may_not_be_written_is_said_before_the_work(tmp_path, monkeypatch):
    """Asked of the system, since root may write wherever the mode says otherwise."""
    monkeypatch.setattr(os, "access", lambda folder, mode: folder != tmp_path or not mode & os.W_OK)
    (tmp_path / "older").write_text("kept")
    os.mkfifo(tmp_path / "pipe")
    for name in ("new", "older"):
        with pytest.raises(InputError, match="you may not write into the folder"):
            require_place(tmp_path / name)
    require_place(tmp_path / "pipe")
    (tmp_path / "within").mkdir()
    require_place(tmp_path / "within" / "new")


def test_links_and_devices_stay_what_they_are(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    link.symlink_to(real)
    write_whole(link, lambda file: file.write(b"x"))
    assert link.is_symlink() and real.read_bytes() == b"x"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_whole(pipe, lambda file: file.write(b"y"))
        assert os.read(reader, 10) == b"y" and pipe.is_fifo()
    finally:
        os.close(reader)


def test_places_are_looked_at_before_the_work(tmp_path):
    require_place(tmp_path / "new")
    with pytest.raises(InputError, match="it is a folder"):
        require_place(tmp_path)
    with pytest.raises(InputError, match="there is no folder"):
        require_place(tmp_path / "none" / "new")


FILES = {"a.txt": b"one", "inner/b.txt": b"two"}


def test_a_folder_is_written(tmp_path):
    assert write_whole_folder(tmp_path / "new", FILES) == tmp_path / "new"
    assert (tmp_path / "new" / "inner" / "b.txt").read_bytes() == b"two"
    (tmp_path / "usual").mkdir()
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError(errno.ENOSPC, "No space left")])
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_whatever_stops_the_writing_of_a_folder_leaves_nothing(tmp_path, monkeypatch, stop, call):
    def fail(*_):
        raise stop

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(InputError if isinstance(stop, OSError) else KeyboardInterrupt):
        write_whole_folder(tmp_path / "new", FILES)
    assert os.listdir(tmp_path) == []


def test_a_folder_that_holds_something_stays_as_it_is(tmp_path, monkeypatch):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "mine").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        write_whole_folder(tmp_path / "new", FILES)
    monkeypatch.setattr(files, "require_folder", lambda _: None)  # filled since it was looked at
    with pytest.raises(InputError, match="cannot write"):
        write_whole_folder(tmp_path / "new", FILES)
    assert os.listdir(tmp_path) == ["new"]
    assert os.listdir(tmp_path / "new") == ["mine"]
