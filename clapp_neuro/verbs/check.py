"""`check`: what of a model, and of a target, stands in the way of compiling; it never fails.

It compiles, and takes apart what compiling says: there is no second list of what is supported.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clapp_neuro.errors import InputError
from clapp_neuro.verbs.source import Reading, Source, read_source
from compiler.design_rules.checks import LimitError
from compiler.pipeline import compile_network
from compiler.source.violations import SourceError
from compiler.targets import load_target

FILE, SOURCE, TARGET, PROGRAM = "file", "source", "target", "program"


@dataclass(frozen=True)
class Finding:
    """One thing in the way: where it belongs (`group`), its kind, the place, and what mends it."""

    group: str
    kind: str
    node: str
    what: str
    remedy: str = ""


@dataclass(frozen=True)
class CheckResult:
    """All nodes by name with their kind, whether each is supported, and all findings by kind."""

    path: Path
    target: str | None
    nodes: dict[str, str]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()

    @property
    def supported(self) -> bool:
        """Whether compiling would succeed."""
        return not self.findings

    def is_supported(self, node: str) -> bool:
        """Whether nothing is in the way of one node."""
        return all(f.node != node for f in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "path": str(self.path),
            "target": self.target,
            "supported": self.supported,
            "nodes": [
                {"name": name, "kind": kind, "supported": self.is_supported(name)}
                for name, kind in self.nodes.items()
            ],
            "findings": [asdict(f) for f in self.findings],
            "notes": list(self.notes),
        }


def check(
    model: str | os.PathLike[str],
    target: str | None = None,
    *,
    static: bool = False,
    reading: Reading | None = None,
) -> CheckResult:
    """Look at any file as `compile` would, for `target` or for no machine in particular.

    Never raises for what the file, the settings or the target hold: all that is a finding.
    """
    path = Path(model)
    nodes: dict[str, str] = {}
    notes: tuple[str, ...] = ()
    source: Source | None = None
    found: list[Finding] = []

    def read() -> None:
        nonlocal source, notes
        source = read_source(path, reading, static=static)
        if source.graph is not None:
            nodes.update(source.graph.kinds)
            notes = source.graph.notes
        else:
            nodes.update({p.name: type(p.neuron).__name__ for p in source.network.populations})

    found += _findings(FILE, read, nodes)
    if target is not None:
        found += _findings(TARGET, lambda: load_target(target), nodes)
    if source is not None and not found:
        network, name = source.network, target or "generic-sim"
        compiled = _findings(PROGRAM, lambda: compile_network(network, load_target(name)), nodes)
        limits = TARGET if target is None else ""  # without a target, no limit of one counts
        found += [f for f in compiled if f.group != limits]
    return CheckResult(path, target, nodes, tuple(found), notes)


def _findings(group: str, look: Callable[[], object], nodes: dict[str, str]) -> list[Finding]:
    """What `look` refuses, taken apart; also what nobody foresaw."""
    try:
        look()
    except SourceError as error:
        nodes.update(error.nodes)
        return [
            Finding(SOURCE, _kind(v.node, nodes), v.node, v.what, v.remedy)
            for v in error.violations
        ]
    except LimitError as error:
        found = [
            Finding(TARGET, v.limit, v.node, _exceeding(v), v.remedy) for v in error.violations
        ]
        found += [Finding(TARGET, "suggestion", "", line) for line in error.suggested]
        return found + ([Finding(PROGRAM, "program", "", error.also)] if error.also else [])
    except InputError as error:
        return [Finding(group, group, _place(line), line) for line in str(error).splitlines()]
    except Exception as error:  # a defect of ours must not hide what else there is to say
        text = f"{type(error).__name__}: {error}"
        return [Finding(group, "unforeseen", "", text, "please report this, with the file")]
    return []


def _exceeding(violation: Any) -> str:
    return str(violation).removeprefix(f"{violation.node}: ").removesuffix(f"; {violation.remedy}")


def _kind(node: str, nodes: Mapping[str, str]) -> str:
    return nodes.get(node, "graph")


def _place(line: str) -> str:
    """The population or projection that a line begins with, if it does."""
    first, _, rest = line.partition(" ")
    return rest.partition(":")[0] if first in ("population", "projection") else ""
