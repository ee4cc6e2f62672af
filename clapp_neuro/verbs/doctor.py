"""`doctor`: what is installed, which device, whether Lava runs, which data were found."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

import numpy as np

PACKAGES = ("clapp-neuro", "torch", "torchvision", "snntorch", "numpy", "numba", "lava-nc")
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
    """Look at everything; nothing is changed, nothing raises."""
    findings = [Finding("python", True, platform.python_version(), needed=True)]
    findings += [_package(name) for name in PACKAGES]
    checks: list[tuple[str, Callable[[], str]]] = [
        ("device", _device),
        ("processors", lambda: f"{os.cpu_count()} of {platform.machine()}"),
        ("simulator", _simulator),
        ("Lava runs", _lava),
        ("Fashion-MNIST", _fashion),
        ("STL-10", _stl10),
        ("energy counters", _counters),
    ]
    return Report((*findings, *(_tried(subject, check) for subject, check in checks)))


def _package(name: str) -> Finding:
    needed = name not in OPTIONAL
    try:
        return Finding(name, True, metadata.version(name), needed)
    except metadata.PackageNotFoundError:
        return Finding(name, False, "not installed", needed)


def _tried(subject: str, check: Callable[[], str]) -> Finding:
    """A check that fails for whatever reason is a line of the report, never a traceback."""
    try:
        return Finding(subject, True, check())
    except Exception as error:
        return Finding(subject, False, str(error) or type(error).__name__)


def _device() -> str:
    import torch

    if not torch.cuda.is_available():
        return "cpu (PyTorch sees no CUDA GPU)"
    return f"cuda: {torch.cuda.get_device_name(0)}"


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
    from clapp_neuro.data.stl10 import load_stl10

    images = load_stl10()
    return f"{len(images.learning_images)} images to learn from, {images.source}"


def _counters() -> str:
    from compiler.energy import NotMeasured, measure_cpu

    found = measure_cpu(lambda: None, repeats=1)
    if isinstance(found, NotMeasured):
        raise RuntimeError(found.reason)
    return "RAPL can be read"
