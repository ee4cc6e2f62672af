"""Machines and targets: reads `hw_configs/*.json` into typed, frozen data.

A *machine* is a data file: limits of a core, capabilities, energy, power and time per event. A
*target* is a machine and the backend that runs the program: `loihi2-sim`, `loihi2-lava`. Code
holds no figure of any machine; each figure carries its band, grade and source.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, model_validator

from clapp_neuro.errors import InputError, unknown
from compiler.targets.costs import EventEnergy, EventTime, Factors, OperationEnergy, Power, Routing
from compiler.targets.figures import SECTIONS, Part, require_figures

# Passes read figures and limits of a machine; `as` says that they are to be had from here, too.
from compiler.targets.figures import Figure as Figure
from compiler.targets.limits import Capabilities
from compiler.targets.limits import Limits as Limits
from compiler.targets.machine_file import read_object, validated, whole_description

BACKENDS = ("sim", "lava")
PUBLISHED = "published.json"  # measurements to check against; not a machine


class NeuromorphicMachine(Part):
    """An event-driven machine made of cores.

    `extends` names the machine that its file overrides some figures of: a board of its chips.
    """

    kind: Literal["neuromorphic"]
    name: str
    title: str
    extends: str | None = None
    backends: tuple[Literal["sim", "lava"], ...] = ()
    assumptions: tuple[str, ...] = ()
    limits: Limits
    capabilities: Capabilities
    factors: Factors = Field(default_factory=dict)
    energy: EventEnergy
    power: Power
    time: EventTime
    routing: Routing

    @model_validator(mode="after")
    def _in_figures(self) -> NeuromorphicMachine:
        for name in SECTIONS:
            require_figures(name, getattr(self, name), self.energy, self.power, self.time)
        return self

    @model_validator(mode="after")
    def _on_the_mesh(self) -> NeuromorphicMachine:
        mesh = self.routing
        room = mesh.columns.value * mesh.rows.value * mesh.cores_per_router.value
        cores, usable = self.limits.cores_per_chip.value, self.limits.usable_cores_per_chip.value
        if not usable <= cores <= room:
            raise ValueError(
                "usable_cores_per_chip <= cores_per_chip <= columns * rows * cores_per_router of "
                f"its routing must hold, not {usable:g}, {cores:g}, {room:g}"
            )
        return self


class ConventionalMachine(Part):
    """A CPU or GPU: for comparison, it has no cores to place neurons on."""

    kind: Literal["conventional"]
    name: str
    title: str
    extends: str | None = None
    backends: tuple[()] = ()
    assumptions: tuple[str, ...] = ()
    factors: Factors = Field(default_factory=dict)
    energy: OperationEnergy

    @model_validator(mode="after")
    def _in_figures(self) -> ConventionalMachine:
        require_figures("energy", self.energy, self.energy)
        return self


Machine = Annotated[NeuromorphicMachine | ConventionalMachine, Field(discriminator="kind")]
_ADAPTER: TypeAdapter[Any] = TypeAdapter(Machine)
_KINDS: dict[str, type[Part]] = {
    "neuromorphic": NeuromorphicMachine,
    "conventional": ConventionalMachine,
}


@dataclass(frozen=True)
class Target:
    """A machine to compile for and the backend that runs the program."""

    name: str
    machine: NeuromorphicMachine
    backend: str


def machine_names() -> tuple[str, ...]:
    """All machines that ship and have figures of their own, also those for comparison only."""
    return tuple(name for name in _described() if "extends" not in _read(name))


def board_names() -> tuple[str, ...]:
    """The machines that ship and extend another: boards of its chips, or its other limits."""
    return tuple(name for name in _described() if "extends" in _read(name))


@functools.cache
def load_machine(name: str) -> NeuromorphicMachine | ConventionalMachine:
    """A machine or board that ships, by name; InputError with the nearest name if there is none."""
    if name not in _described():
        raise unknown("machine", name, _described())
    machine: NeuromorphicMachine | ConventionalMachine
    machine = parse_machine(_read(name), f"{name}.json")
    return machine


@functools.cache
def target_names() -> tuple[str, ...]:
    """All targets that a program can be compiled for, machines before boards."""
    machines = [load_machine(name) for name in (*machine_names(), *board_names())]
    return tuple(f"{m.name}-{backend}" for m in machines for backend in m.backends)


def load_target(name: str) -> Target:
    """The target `machine-backend`, or a machine file of one's own (`*.json`, backend sim).

    Raises InputError for an unknown name (with the nearest one) and for a broken file.
    """
    if name.endswith(".json"):
        return _target_from_file(Path(name))
    if name not in target_names():
        known, _, _ = name.rpartition("-")
        if known in machine_names() and not load_machine(known).backends:
            raise InputError(
                f"'{known}' is described for energy comparison only; "
                f"compile for one of {', '.join(target_names())}"
            )
        raise unknown("target", name, target_names())
    machine_name, _, backend = name.rpartition("-")
    machine = load_machine(machine_name)
    assert isinstance(machine, NeuromorphicMachine)  # others have no backends
    return Target(name, machine, backend)


def published() -> dict[str, Any]:
    """Published measurements and ratios that estimates are checked against."""
    text = resources.files("hw_configs").joinpath(PUBLISHED).read_text("utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


@functools.cache
def _described() -> tuple[str, ...]:
    """The names of all files that ship."""
    files = resources.files("hw_configs").iterdir()
    names = (f.name for f in files if f.name.endswith(".json") and f.name != PUBLISHED)
    return tuple(sorted(name[: -len(".json")] for name in names))


@functools.cache
def _read(name: str) -> dict[str, Any]:
    """The file of a machine that ships, as it is."""
    text = resources.files("hw_configs").joinpath(f"{name}.json").read_text("utf-8")
    data: dict[str, Any] = read_object(text, f"{name}.json")
    return data


def find_machine(name: str) -> NeuromorphicMachine | ConventionalMachine:
    """A machine or board that ships, by name, or a machine file of one's own (`*.json`).

    Raises InputError for an unknown name (with the nearest one) and for a broken file.
    """
    return _from_file(Path(name)) if name.endswith(".json") else load_machine(name)


def _target_from_file(path: Path) -> Target:
    machine = _from_file(path)
    if not isinstance(machine, NeuromorphicMachine):
        raise InputError(f"{path}: a {machine.kind} machine has no cores to compile for")
    return Target(f"{machine.name}-sim", machine, "sim")


def _from_file(path: Path) -> NeuromorphicMachine | ConventionalMachine:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise InputError(f"cannot read the machine file {path}: {reason}") from None
    data = read_object(text, str(path))
    if "extends" in data:
        data = {"name": path.stem, "title": path.stem, **data}
    return parse_machine(data, str(path))


def parse_machine(data: dict[str, Any], where: str) -> NeuromorphicMachine | ConventionalMachine:
    """The machine that a file's data describe, with what it extends filled in."""
    machine: NeuromorphicMachine | ConventionalMachine
    machine = validated(
        whole_description(data, where, _described(), _read), where, _ADAPTER, _KINDS
    )
    return machine
