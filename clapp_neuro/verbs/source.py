"""Whatever model a user brings, as a network for the compiler: by what the file holds."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path

from clapp_neuro.checkpoint import load_checkpoint
from clapp_neuro.errors import InputError
from compiler.frontends.checkpoint import network_from_checkpoint
from compiler.frontends.lower import lower
from compiler.frontends.nir import from_nir
from compiler.frontends.nir_file import SIGNATURE
from compiler.ir import Network
from compiler.source import Graph

INPUTS = "spikes"


@dataclass(frozen=True)
class Reading:
    """How a foreign model is read; None is the default of each.

    dt: seconds of a time step (NIR). steps: time steps a sample. inputs: what a sample is,
    "spikes", "intensities" or "graded".
    """

    dt: float | None = None
    steps: int | None = None
    inputs: str | None = None


@dataclass(frozen=True)
class Source:
    """A model as read: its network, its kind in words, and the graph where it is a foreign one."""

    network: Network
    kind: str
    graph: Graph | None = None


def read_source(
    path: str | os.PathLike[str], reading: Reading | None = None, *, static: bool = False
) -> Source:
    """A checkpoint of ours, or a NIR file, as a network.

    static: leave learning out. Raises InputError for anything else, and for what is not taken.
    """
    how = reading or Reading()
    if _begins(Path(path), SIGNATURE):
        graph = from_nir(path, how.dt)
        return Source(lower(graph, how.steps, how.inputs or INPUTS), "NIR", graph)
    given = [f.name for f in fields(how) if getattr(how, f.name) is not None]
    if given:
        raise InputError(
            f"'{path}' is no NIR file: --{given[0]} says how one is read, leave it out"
        )
    network = network_from_checkpoint(load_checkpoint(path), plastic=not static)
    return Source(network, "checkpoint")


def _begins(path: Path, signature: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(signature)) == signature
    except OSError:
        return False  # whoever reads it says so
