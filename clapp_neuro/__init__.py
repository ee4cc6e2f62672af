"""CLAPP in spiking networks: train, compile for a neuromorphic chip, learn there, verify, cost.

The verbs of the command line are functions of this package:

    import clapp_neuro
    clapp_neuro.train(clapp_neuro.load_preset("fashion-dense"), "model.pt")
    clapp_neuro.compile("model.pt", "loihi2-sim")
    clapp_neuro.run("model.clapp", learn=True, out="learned.clapp")

They are loaded when first used, so that importing the package needs neither PyTorch nor Lava.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_VERBS = {
    "train": "clapp_neuro.training.run",
    "probe": "clapp_neuro.readout",
    "reproduce": "clapp_neuro.reproduce.run",
    "check": "clapp_neuro.verbs.check",
    "compile": "clapp_neuro.verbs.compile",
    "answer": "clapp_neuro.verbs.answer",
    "run": "clapp_neuro.verbs.run",
    "adapt": "clapp_neuro.verbs.adapt",
    "verify": "clapp_neuro.verbs.verify",
    "emit": "clapp_neuro.verbs.emit",
    "export": "clapp_neuro.verbs.export",
    "energy": "clapp_neuro.verbs.energy",
    "energy_check": "clapp_neuro.verbs.energy_check",
    "targets": "clapp_neuro.verbs.targets",
    "doctor": "clapp_neuro.verbs.doctor",
    "load_preset": "clapp_neuro.config",
    "with_settings": "clapp_neuro.config",
    "with_training": "clapp_neuro.config",
    "load_checkpoint": "clapp_neuro.checkpoint",
    "InputError": "clapp_neuro.errors",
}

__all__ = sorted(_VERBS)


def __getattr__(name: str) -> Any:
    if name not in _VERBS:
        raise AttributeError(f"module 'clapp_neuro' has no attribute '{name}'")
    return getattr(import_module(_VERBS[name]), name)


def __dir__() -> list[str]:
    return __all__
