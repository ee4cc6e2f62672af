"""What the front end has to know of a library of neurons."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from compiler.frontends.live.parts import Part
from compiler.frontends.live.recording import Call


@dataclass(frozen=True)
class Framework:
    """What the front end has to know of a library of neurons.

    read: nodes of a neuron. neurons: its classes; sequences: those that take a whole time series.
    package: modules of it that are not in `neurons` are refused by name, as those of torch.nn are.
    clear: put the network's own states to rest. carries: each call returns (result, states) and
    takes the states back. unsuited: why neurons whose names begin so are not taken, and a remedy.
    """

    name: str
    package: str
    neurons: dict[type, Any]
    read: Callable[[nn.Module, Call, int], Part]
    sequences: tuple[type, ...] = ()
    clear: Callable[[nn.Module], None] = lambda _net: None
    carries: bool = False
    wrappers: tuple[type, ...] = ()  # modules that are looked through
    unwrap: Callable[[nn.Module], nn.Module | None] = lambda _module: None  # Lift
    unsuited: Mapping[str, tuple[str, str]] = field(default_factory=dict)
