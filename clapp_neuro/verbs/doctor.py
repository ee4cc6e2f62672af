"""`doctor`: what is installed, which device, whether Lava runs, which data were found."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

PACKAGES = ("clapp-neuro", "torch", "torchvision", "snntorch", "norse", "numpy", "numba", "lava-nc")
OPTIONAL = ("lava-nc",)
LAVA_SECONDS = 60.0


@dataclass(frozen=True)
class Finding:
    """One line of the report; `needed` findings that are not ok make the installation unusable."""

    subject: str
    ok: bool
    text: str
    needed: bool = False


@dataclass(frozen=True)
class Report:
    """All findings; each check stands on its own."""

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether everything that is needed was found."""
        return all(f.ok for f in self.findings if f.needed)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"ok": self.ok, "findings": [asdict(f) for f in self.findings]}

    def __str__(self) -> str:
        marks = {True: "ok", False: "--"}
        return "\n".join(f"{marks[f.ok]}  {f.subject:22} {f.text}" for f in self.findings)


def doctor() -> Report:
    """Look at everything; only caches are written, and nothing raises."""
    findings = [Finding("python", True, platform.python_version(), needed=True)]
    findings += [_package(name) for name in PACKAGES]
    findings += [
        _tried("devices", _devices, needed=True),
        _tried("processors", _processors),
        _tried("simulator", _simulator, needed=True),
        _tried("Lava runs", _lava),
        _tried("Fashion-MNIST", _fashion, needed=True),
        _tried("STL-10", _stl10),
        _tried("energy counter, processor", _processor_counter),
        _tried("energy counter, GPU", _gpu_counter),
    ]
    return Report(tuple(findings))


def _package(name: str) -> Finding:
    needed = name not in OPTIONAL
    try:
        return Finding(name, True, metadata.version(name), needed)
    except metadata.PackageNotFoundError:
        return Finding(name, False, "not installed", needed)


def _tried(subject: str, check: Callable[[], str], needed: bool = False) -> Finding:
    """A check that fails for whatever reason is a line of the report, never a traceback."""
    try:
        return Finding(subject, True, check(), needed)
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        return Finding(subject, False, reason, needed)


def _devices() -> str:
    import torch

    if not torch.cuda.is_available():
        return "cpu (PyTorch sees no CUDA GPU)"
    names = [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
    return "cpu, " + ", ".join(f"cuda:{n} {name}" for n, name in enumerate(names))


def _processors() -> str:
    import numba
    import torch

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"{usable} of {os.cpu_count()} {platform.machine()} cores usable; threads: "
        f"{torch.get_num_threads()} PyTorch, {numba.get_num_threads()} numba"
    )


def _simulator() -> str:
    from compiler.backends.simulator.warm import cached, warm

    seconds = warm()
    return f"runs; kernels {'from the cache' if cached() else 'compiled now'}, {seconds:.1f} s"


def _lava() -> str:
    """Builds and runs a small network on Lava, beside the simulator."""
    from compiler.backends import lava, simulator
    from compiler.backends.simulator.warm import smallest_program
    from compiler.trace import Stimulus

    program = smallest_program()
    stimulus = Stimulus({"input": np.full((2, 1), 255, np.uint8)}, {})
    theirs = lava.run(program, stimulus, learn=False, timeout=LAVA_SECONDS).counts
    ours, _ = simulator.infer(program, stimulus)
    if not all(np.array_equal(ours[name], theirs[name]) for name in ours):
        raise RuntimeError("it runs, but its counts differ from the simulator's")
    return "yes, and counts what the simulator counts"


def _fashion() -> str:
    from clapp_neuro.data.fashion import load_fashion

    images = load_fashion()
    return f"{len(images.train_images)} + {len(images.test_images)} images, {images.source}"


def _stl10() -> str:
    """Looks where `load_stl10` looks, without reading gigabytes."""
    from clapp_neuro.data import photographs, stl10
    from clapp_neuro.data.cache import cache_folder

    for root in (Path("data"), cache_folder() / "torchvision"):
        if (root / stl10.FOLDER).is_dir() and not photographs.is_stand_in(root):
            return f"found in '{root}'"
        if stl10.is_begun(root):
            raise RuntimeError(f"its archive in '{root}' is not unpacked, or not whole")
    if find_spec("skimage") is None:
        raise RuntimeError("not found, and scikit-image, which has the stand-in, is not installed")
    return f"not found; {len(photographs.PHOTOGRAPHS)} photographs of scikit-image stand in for it"


def _processor_counter() -> str:
    from compiler.energy import NotMeasured, open_rapl

    meter = open_rapl()
    if isinstance(meter, NotMeasured):
        raise RuntimeError(meter.reason)
    return f"can be read: {meter.what}"


def _gpu_counter() -> str:
    from compiler.energy import NotMeasured, open_nvml

    meter = open_nvml()
    if isinstance(meter, NotMeasured):
        raise RuntimeError(meter.reason)
    return f"can be read: {meter.what}"
