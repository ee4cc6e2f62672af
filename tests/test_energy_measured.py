"""Counters of the machine at hand: what is read, what is subtracted, and what a refusal says."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.energy import Measured, NotMeasured, measure, meters, open_nvml, open_rapl
from compiler.energy.meters import Rapl


def counters(root, values):
    for name, energy in values.items():
        folder = root / name
        folder.mkdir(parents=True)
        kind = "core" if name.count(":") > 1 else "package"
        (folder / "name").write_text(f"{kind}-{name[-1]}\n")
        (folder / "energy_uj").write_text(str(energy))
        (folder / "max_energy_range_uj").write_text("999999")
    return root


def test_packages_are_added_up_and_a_counter_that_starts_anew_is_seen(tmp_path):
    names = {"intel-rapl:0": 999_000, "intel-rapl:0:0": 0, "intel-rapl:1": 500}
    meter = open_rapl(counters(tmp_path, names))
    assert isinstance(meter, Rapl)
    assert meter.what == "RAPL, whole package-0, package-1, without memory"
    assert meter.joules() == 0
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("1000")
    (tmp_path / "intel-rapl:1" / "energy_uj").write_text("700")
    (tmp_path / "intel-rapl:0:0" / "energy_uj").write_text("9999")  # part of the package
    assert meter.joules() == pytest.approx(2_200e-6)


def test_the_platform_holds_the_packages_and_is_not_added_to_them(tmp_path):
    counters(tmp_path, {"intel-rapl:0": 0, "intel-rapl:1": 0})
    (tmp_path / "intel-rapl:1" / "name").write_text("psys\n")
    (tmp_path / "intel-rapl").mkdir()  # the driver itself has a folder beside its zones
    meter = open_rapl(tmp_path)
    assert isinstance(meter, Rapl) and "psys" not in meter.what
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("4000")
    (tmp_path / "intel-rapl:1" / "energy_uj").write_text("9000")
    assert meter.joules() == pytest.approx(4_000e-6)
    (tmp_path / "intel-rapl:0" / "name").unlink()
    assert "cannot be read" in str(open_rapl(tmp_path))


@given(st.lists(st.integers(0, 999_999), min_size=1, max_size=20), st.integers(0, 999_999))
def test_whatever_is_drawn_between_two_looks_is_counted_once(drawn, start):
    """A counter that has turned over between looks, as often as they were."""
    with TemporaryDirectory() as folder:
        root = counters(Path(folder), {"intel-rapl:0": start})
        meter = open_rapl(root)
        for total in accumulate(drawn):
            file = root / "intel-rapl:0" / "energy_uj"
            file.write_text(str((start + total) % 1_000_000))
            assert meter.joules() == pytest.approx(total * 1e-6)


def test_without_counters_the_reason_is_given_and_nothing_runs(tmp_path):
    meter = open_rapl(tmp_path / "none")
    assert isinstance(meter, NotMeasured) and "no RAPL counters" in str(meter)
    assert measure(meter, lambda: pytest.fail("the work was done")) is meter
    assert "do not hold numbers" in str(open_rapl(counters(tmp_path, {"intel-rapl:0": "secret"})))


def test_a_counter_that_root_alone_may_read_is_named_with_the_remedy(tmp_path, monkeypatch):
    counters(tmp_path, {"intel-rapl:0": 1})
    file = tmp_path / "intel-rapl:0" / "energy_uj"

    read = type(file).read_text

    def refused(path, *arguments, **options):
        if path == file:
            raise PermissionError(13, "Permission denied", str(path))
        return read(path, *arguments, **options)

    monkeypatch.setattr(type(file), "read_text", refused)
    reason = str(open_rapl(tmp_path))
    assert reason.count(str(file)) == 2 and "root" in reason and "chmod a+r" in reason
    monkeypatch.setattr(meters, "_read_by_group", lambda path: path == file)
    reason = str(open_rapl(tmp_path))
    assert f"{file} may not be read: the group '" in reason and "usermod -aG" in reason


class Clockwork:
    """A machine that draws 2 W at rest and 10 J a call more, in a time of its own."""

    what = "clockwork"

    def __init__(self, monkeypatch):
        self.now, self.used = 0.0, 0.0
        monkeypatch.setattr("time.perf_counter", lambda: self.now)
        monkeypatch.setattr("time.sleep", self.rest)

    def rest(self, seconds):
        self.now += seconds
        self.used += 2 * seconds

    def work(self):
        self.rest(0.25)
        self.used += 10

    def joules(self):
        return self.used


def test_idle_is_subtracted_and_short_work_is_repeated(monkeypatch):
    machine = Clockwork(monkeypatch)
    found = measure(machine, machine.work, rounds=3, round_seconds=1.0)
    assert isinstance(found, Measured)
    assert (found.idle_watts, found.value, found.low, found.high) == pytest.approx((2, 10, 10, 10))
    assert (found.gross, found.seconds) == pytest.approx((10.5, 0.25))
    assert (found.rounds, found.calls) == (3, 4)
    image = found.each(5)
    assert (image.value, image.seconds, image.idle_watts) == pytest.approx((2, 0.05, 2))
    assert "measured above 2 W idle" in str(image)
    assert found.to_json()["measured"] is True


def test_a_counter_that_fails_on_the_way_gives_no_number(monkeypatch):
    machine = Clockwork(monkeypatch)
    monkeypatch.setattr(machine, "joules", lambda: int("gone"))
    found = measure(machine, machine.work)
    assert isinstance(found, NotMeasured) and "on the way" in str(found)


class NVMLError(Exception):
    def __init__(self, value):
        super().__init__(f"error {value}")
        self.value = value


def library(**calls):
    """The module pynvml with one GPU, in parts."""
    names = ("LIBRARY_NOT_FOUND", "DRIVER_NOT_LOADED", "INVALID_ARGUMENT", "NOT_SUPPORTED",
             "NO_PERMISSION", "UNKNOWN")  # fmt: skip
    codes = {f"NVML_ERROR_{name}": number for number, name in enumerate(names)}
    counter = iter((5_000, 7_500))
    working = {
        "nvmlInit": lambda: None,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetHandleByUUID": lambda uuid: uuid,
        "nvmlDeviceGetName": lambda device: "A GPU",
        "nvmlDeviceGetTotalEnergyConsumption": lambda device: next(counter),
    }
    return SimpleNamespace(NVMLError=NVMLError, **codes, **{**working, **calls})


def test_a_gpu_counts_from_when_it_was_opened():
    meter = open_nvml(library=library())
    assert meter.what == "NVML, whole A GPU" and meter.joules() == pytest.approx(2.5)
    assert open_nvml("GPU-1234", library=library()).device == "GPU-1234"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "no NVIDIA driver"),
        (1, "modprobe nvidia"),
        (2, "no such GPU"),
        (3, "no energy counter"),
        (5, "NVML says: error 5"),
    ],
)
def test_a_gpu_that_cannot_be_read_says_why(code, words):
    def fails(*arguments):
        raise NVMLError(code)

    meter = open_nvml(library=library(nvmlDeviceGetTotalEnergyConsumption=fails))
    assert isinstance(meter, NotMeasured) and words in str(meter)


def test_a_gpu_that_may_not_be_opened_names_the_file_and_the_group(tmp_path):
    def fails():
        raise NVMLError(4)

    (tmp_path / "nvidiactl").touch()
    reason = str(open_nvml(library=library(nvmlInit=fails), devices=tmp_path))
    assert str(tmp_path / "nvidiactl") in reason and "usermod -aG" in reason
    missing = str(open_nvml(library=library(nvmlInit=fails), devices=tmp_path / "none"))
    assert "the group that owns it" in missing


def test_the_library_itself_is_found_here():
    meter = open_nvml()
    assert "driver" in str(meter) or meter.joules() >= 0
