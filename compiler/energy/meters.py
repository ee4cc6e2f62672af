"""Energy counters of the machine at hand: RAPL of a processor's packages, NVML of a GPU.

Opening a meter gives the meter, or in a sentence why there is none and what would give it.
"""

from __future__ import annotations

import grp
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pynvml  # loads the driver's library in nvmlInit, not before

POWERCAP = Path("/sys/class/powercap")
NVIDIA_DEVICES = Path("/dev")
MICROJOULE, MILLIJOULE = 1e-6, 1e-3


class Meter(Protocol):
    """A counter of joules, and what it counts in words."""

    @property
    def what(self) -> str:
        """What is counted."""

    def joules(self) -> float:
        """The joules since the meter was opened."""


@dataclass(frozen=True)
class NotMeasured:
    """Why there is no measurement, and what would allow one."""

    reason: str

    def __str__(self) -> str:
        return f"not measured: {self.reason}"

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"measured": False, "reason": self.reason}


@dataclass
class Rapl:
    """The package counters of Intel and AMD processors (Linux), each from 0 after its maximum."""

    packages: dict[str, Path]  # by name
    used: float = 0.0
    last: list[int] = field(default_factory=list)

    @property
    def what(self) -> str:
        """The names of the packages."""
        return f"RAPL, whole {', '.join(self.packages)}, without memory"

    def joules(self) -> float:
        """The sum over the packages; one that starts anew is seen once between two calls."""
        folders = self.packages.values()
        now = [_number(folder / "energy_uj") for folder in folders]
        most = [_number(folder / "max_energy_range_uj") for folder in folders]
        for before, after, limit in zip(self.last, now, most, strict=False):
            self.used += (after - before) % (limit + 1) * MICROJOULE
        self.last = now
        return self.used


def open_rapl(root: Path = POWERCAP) -> Rapl | NotMeasured:
    """The processor's packages; `root` as in sysfs."""
    try:
        packages = _packages(root)
    except OSError as error:
        return NotMeasured(f"RAPL counters cannot be read ({error.strerror}: {error.filename})")
    if not packages:
        return NotMeasured(
            f"there are no RAPL counters of a processor's package in {root} (virtual machines "
            "seldom show them; elsewhere the kernel module intel_rapl_msr brings them)"
        )
    meter = Rapl(packages)
    try:
        meter.joules()
    except PermissionError as error:
        counters = " ".join(str(folder / "energy_uj") for folder in packages.values())
        return NotMeasured(_no_counter(Path(error.filename), counters))
    except OSError as error:
        return NotMeasured(f"RAPL counters cannot be read ({error.strerror}: {error.filename})")
    except ValueError:
        return NotMeasured(f"the RAPL counters in {root} do not hold numbers")
    return meter


def _packages(root: Path) -> dict[str, Path]:
    """By name, each package once.

    Zones inside a package (cores, memory) have a second number. A zone of another name beside them
    is the whole platform (psys), which holds the packages. OSError where a name cannot be read.
    """
    zones = sorted(root.glob("intel-rapl:*")) if root.is_dir() else []
    names = {
        (zone / "name").read_text().strip(): zone for zone in zones if zone.name.count(":") == 1
    }
    return {name: zone for name, zone in names.items() if name.startswith("package")}


def _no_counter(file: Path, counters: str) -> str:
    """Who may read a counter, and what lets others do so."""
    if _read_by_group(file):
        return f"{file} may not be read: {_owner(file)} would give it"
    return (
        f"{file} may be read by its owner alone, which is root: let root allow it "
        f"(chmod a+r {counters}) or run as root"
    )


def _read_by_group(file: Path) -> bool:
    """Whether a group other than root's may read it."""
    try:
        status = os.stat(file)
    except OSError:
        return False
    return bool(status.st_mode & stat.S_IRGRP) and status.st_gid != 0


def _number(path: Path) -> int:
    return int(path.read_text())


@dataclass
class Nvml:
    """The energy counter of one NVIDIA GPU, board and memory included."""

    library: Any
    device: Any
    name: str
    first: float

    @property
    def what(self) -> str:
        """The GPU's name."""
        return f"NVML, whole {self.name}"

    def joules(self) -> float:
        """The counter, less what it was when opened."""
        counter = self.library.nvmlDeviceGetTotalEnergyConsumption(self.device)
        return float(counter * MILLIJOULE - self.first)


def open_nvml(
    uuid: str | None = None, library: Any = None, devices: Path = NVIDIA_DEVICES
) -> Nvml | NotMeasured:
    """The GPU with that identifier (`GPU-...`), or the first one; `library` as the module pynvml.

    Numbers of GPUs are not the same for NVML and for a program that sees some of them only.
    """
    if library is None:
        library = pynvml
    try:
        library.nvmlInit()
        if uuid is None:
            device = library.nvmlDeviceGetHandleByIndex(0)
        else:
            device = library.nvmlDeviceGetHandleByUUID(uuid)
        name = library.nvmlDeviceGetName(device)
        first = library.nvmlDeviceGetTotalEnergyConsumption(device) * MILLIJOULE
    except library.NVMLError as error:
        return NotMeasured(_no_gpu(error, library, devices))
    return Nvml(library, device, name if isinstance(name, str) else name.decode(), first)


def _no_gpu(error: Exception, library: Any, devices: Path) -> str:
    """Why NVML gives no counter, and what would."""
    code = getattr(error, "value", None)
    if code == library.NVML_ERROR_NO_PERMISSION:
        control = devices / "nvidiactl"
        return f"{control} may not be opened: {_owner(control)} would give it"
    reasons = {
        library.NVML_ERROR_LIBRARY_NOT_FOUND: "there is no NVIDIA driver here (libnvidia-ml.so.1)",
        library.NVML_ERROR_DRIVER_NOT_LOADED: "the NVIDIA driver is not loaded (modprobe nvidia)",
        library.NVML_ERROR_INVALID_ARGUMENT: "there is no such GPU",
        library.NVML_ERROR_NOT_SUPPORTED: "this GPU has no energy counter (Volta and later have)",
    }
    return reasons.get(code, f"NVML says: {error}")


def _owner(path: Path) -> str:
    try:
        group = grp.getgrgid(os.stat(path).st_gid).gr_name
    except (OSError, KeyError):
        return "the group that owns it"
    return f"the group '{group}' (usermod -aG {group} NAME)"
