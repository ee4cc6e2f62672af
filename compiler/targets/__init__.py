"""Machines and targets: `hw_configs/*.json` as typed, frozen data."""

from compiler.targets.figures import Figure
from compiler.targets.limits import Limits
from compiler.targets.machines import (
    BACKENDS,
    ConventionalMachine,
    NeuromorphicMachine,
    Target,
    board_names,
    find_machine,
    load_machine,
    load_target,
    machine_names,
    parse_machine,
    published,
    target_names,
)

__all__ = [
    "BACKENDS",
    "ConventionalMachine",
    "Figure",
    "Limits",
    "NeuromorphicMachine",
    "Target",
    "board_names",
    "find_machine",
    "load_machine",
    "load_target",
    "machine_names",
    "parse_machine",
    "published",
    "target_names",
]
