"""Measures the CPU at hand with RAPL, the energy counters of Intel and AMD packages (Linux)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

POWERCAP = Path("/sys/class/powercap")
MICROJOULE = 1e-6
REPEATS = 3


@dataclass(frozen=True)
class Measured:
    """Joules and seconds of one call: the median of several, `low` and `high` their range.

    Package counters: idle power and other processes are part of it.
    """

    value: float
    low: float
    high: float
    seconds: float
    packages: tuple[str, ...]

    def __str__(self) -> str:
        joules = f"{self.value:.3g} J [{self.low:.3g} – {self.high:.3g}]"
        return f"{joules} in {self.seconds:.3g} s, measured (RAPL, whole package)"

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"measured": True, **asdict(self)}


@dataclass(frozen=True)
class NotMeasured:
    """Why there is no measurement."""

    reason: str

    def __str__(self) -> str:
        return f"not measured: {self.reason}"

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"measured": False, "reason": self.reason}


def measure_cpu(
    work: Callable[[], object], root: Path = POWERCAP, repeats: int = REPEATS
) -> Measured | NotMeasured:
    """The energy of calling `work`, median and range of several calls; `root` as in sysfs."""
    packages = sorted(root.glob("intel-rapl:*[0-9]")) if root.is_dir() else []
    packages = [p for p in packages if p.name.count(":") == 1]  # sub-domains are inside packages
    if not packages:
        return NotMeasured(f"this machine has no RAPL counters ({root} holds none)")
    try:
        _read(packages)
    except OSError as error:
        return NotMeasured(f"RAPL counters cannot be read ({error.strerror}: {error.filename})")
    except ValueError:
        return NotMeasured("RAPL counters do not hold numbers")
    joules, seconds = [], []
    for _ in range(repeats):
        before, start = _read(packages), time.perf_counter()
        work()
        after, stop = _read(packages), time.perf_counter()
        # A counter restarts from zero at its maximum: at most once in so short a time.
        used = sum((b - a) % (most + 1) for (a, most), (b, _) in zip(before, after, strict=True))
        joules.append(used * MICROJOULE)
        seconds.append(stop - start)
    middle = sorted(joules)[len(joules) // 2]
    names = tuple((p / "name").read_text().strip() for p in packages)
    typical = sorted(seconds)[len(seconds) // 2]
    return Measured(middle, min(joules), max(joules), typical, names)


def _read(packages: list[Path]) -> list[tuple[int, int]]:
    """(counter, its maximum) of every package, microjoules."""
    return [
        (int((p / "energy_uj").read_text()), int((p / "max_energy_range_uj").read_text()))
        for p in packages
    ]
