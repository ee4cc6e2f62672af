"""What the figures were measured on."""

from __future__ import annotations

import platform
import resource
from pathlib import Path

KIB = 1024


def cpu_name() -> str:
    """The processor by its own name, where the system knows it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        if names:
            return names[0].partition(":")[2].strip()
    return platform.processor() or platform.machine()


def peak_bytes() -> int:
    """Resident memory at its highest; Linux's rusage would begin with the parent's."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB
    peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) * KIB
