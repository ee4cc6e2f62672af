"""Where tensors live: a processor or a GPU."""

from __future__ import annotations

import torch

from clapp_neuro.errors import InputError, unknown

DEVICES = ("cpu", "cuda")


def find_device(name: str | None) -> torch.device:
    """The device of that name; None takes a GPU where there is one.

    Raises InputError for an unknown name, or a GPU that PyTorch does not see.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name not in DEVICES:
        raise unknown("device", name, DEVICES)
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("PyTorch finds no CUDA GPU on this machine: use the device cpu")
    return torch.device(name)
