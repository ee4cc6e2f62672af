"""NIR graphs (Pedersen et al., Nature Communications 2024), from a .nir file of any version.

NIR's neurons are differential equations without a time step. A step of dt seconds is taken by
forward Euler, i before v, as Norse and snnTorch do:

    LIF        v <- v + dt/tau (v_leak - v + r x)
    CubaLIF    i <- i + dt/tau_syn (w_in x - i);  v <- v + dt/tau_mem (v_leak - v + r i)
    IF, I      v <- v + dt r x

and where v > v_threshold, v <- v_reset at once; v starts at v_leak. Shapes are inferred here; what
a file says of them is compared, not trusted. Files of our own carry what NIR cannot say as metadata
(`compiler.exports.nir`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from clapp_neuro.errors import InputError
from compiler.frontends.loops import cut
from compiler.frontends.nir.file import Table, read_tables
from compiler.frontends.nir.nodes import INFERRED, NODES, NirNode
from compiler.frontends.refusals import UnsupportedError
from compiler.source import Edge, Graph, Neuron, Node, Reset
from compiler.source.edges import ordered
from compiler.source.fold import fold_scales
from compiler.source.shapes import infer_shapes
from compiler.source.violations import Violation, refuse

TIMED = ("LIF", "CubaLIF", "LI", "CubaLI", "IF", "I", "Delay")
MARK = "clapp_neuro"  # what our own metadata begin with


def from_nir(path: str | os.PathLike[str], dt: float | None = None) -> Graph:
    """The source graph of a .nir file; dt: seconds that a time step stands for.

    Raises InputError for what is no NIR file or not taken, with every node, parameter and remedy;
    without dt where nodes have time constants and the file does not say it.
    """
    tables = read_tables(path)
    root = tables.get("node")
    if not isinstance(root, dict) or root.get("type") != "NIRGraph":
        raise InputError(
            f"'{path}' is HDF5, but holds no NIRGraph at /node: give a file that nir.write has "
            "written"
        )
    version = tables.get("version")
    flat = flatten(root)
    metadata = root.get("metadata")
    own: Table = metadata if isinstance(metadata, dict) else {}
    step = _time_step(path, dt, own, flat)
    return _Reading(str(path), flat, step, own).graph(str(version))


def _time_step(
    path: object, dt: float | None, own: Table, flat: tuple[dict[str, Table], list[Any]]
) -> float:
    written = own.get(f"{MARK}_dt")
    if dt is not None and not 0 < dt < float("inf"):
        raise InputError(f"dt is {dt}: give the seconds of a time step, more than 0")
    if dt is not None:
        return dt
    if written is not None and np.size(written) == 1 and float(written) > 0:
        return float(written)
    if any(node.get("type") in TIMED for node in flat[0].values()):
        raise InputError(
            f"'{path}' has time constants in seconds and does not say what a time step is: give "
            "--dt SECONDS (snnTorch writes for 1e-4, Norse for 1e-3)"
        )
    return 1.0


def flatten(root: Table, name: str = "") -> tuple[dict[str, Table], list[tuple[str, str]]]:
    """Nodes and edges with graphs inside graphs dissolved: `outer.inner`, through their ends."""
    nodes: dict[str, Table] = {}
    edges: list[tuple[str, str]] = []
    ends: dict[str, tuple[str, str]] = {}
    place = name or "graph"
    inside, pairs = root.get("nodes"), root.get("edges")
    if not isinstance(inside, dict) or not isinstance(pairs, np.ndarray):
        raise InputError(f"{place} has no nodes or no edges: it is damaged, write it again")
    if pairs.size and (pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype != object):
        raise InputError(f"{place}: edges is no list of pairs of names: it is damaged")
    for key, node in inside.items():
        title = f"{name}.{key}" if name else key
        if not isinstance(node, dict):
            raise InputError(f"{title} is no node: the file is damaged")
        if node.get("type") == "NIRGraph":
            within, between = _renamed(flatten(node, title), title, node, inside.keys())
            own = [n for n in within if n.startswith(f"{title}.")]
            own = [n for n in own if "." not in n.removeprefix(f"{title}.")]
            firsts = [n for n in own if within[n].get("type") == "Input"]
            lasts = [n for n in own if within[n].get("type") == "Output"]
            if len(firsts) != 1 or len(lasts) != 1:
                raise InputError(f"{title}: a graph inside a graph needs one Input and one Output")
            ends[key] = (firsts[0], lasts[0])
            for end in (firsts[0], lasts[0]):
                within[end] = {"type": "Identity"}
            nodes |= within
            edges += between
        else:
            ends[key] = (title, title)
            nodes[title] = node
    for source, target in pairs if pairs.size else ():
        for end in (source, target):
            if end not in ends:
                raise InputError(
                    f"{place}: the edge {source} -> {target} names '{end}', which is no node"
                )
        edges.append((ends[source][1], ends[target][0]))
    return nodes, edges


def _renamed(
    flat: tuple[dict[str, Table], list[tuple[str, str]]], title: str, graph: Table, taken: Any
) -> tuple[dict[str, Table], list[tuple[str, str]]]:
    """The neuron and the weights of a recurrent layer of our own under the names that they had."""
    nodes, edges = flat
    metadata = graph.get("metadata")
    said = metadata.get(f"{MARK}_recurrent") if isinstance(metadata, dict) else None
    if not isinstance(said, str) or said in taken or said in nodes or said == title:
        return flat
    names = {f"{title}.lif": title, f"{title}.w_rec": said}
    return (
        {names.get(n, n): node for n, node in nodes.items()},
        [(names.get(a, a), names.get(b, b)) for a, b in edges],
    )


class _Reading:
    """One file: its nodes translated, its loops cut where a spike comes back."""

    def __init__(
        self, path: str, flat: tuple[dict[str, Table], list[tuple[str, str]]], dt: float, own: Table
    ) -> None:
        self.path, self.dt, self.own = path, dt, own
        self.tables, pairs = flat
        self.pairs = list(dict.fromkeys(pairs))
        self.notes: list[str] = []
        if len(self.pairs) != len(pairs):
            self.notes.append("edges that are there twice are taken once")

    def graph(self, version: str) -> Graph:
        """The graph; InputError with everything that is not taken."""
        read, violations = self._nodes()
        self._refuse(*violations)
        nodes = {name: found.node for name, found in read.items() if found.node is not None}
        edges = self._edges(set(nodes))
        edges = tuple(cut(nodes, edges))
        nodes = self._completed(nodes, read, edges)
        steps = self.own.get(f"{MARK}_steps")
        graph = Graph(
            nodes,
            edges,
            tuple(self.notes),
            int(steps) if steps is not None and np.size(steps) == 1 and steps > 0 else None,
            {"source": f"'{self.path}'", "version.nir": version, "dt": f"{self.dt:g}"},
        )
        self._refuse(*self._shapes(graph, read))
        return fold_scales(graph)

    def _refuse(self, *violations: Violation) -> None:
        kinds = {name: str(table.get("type")) for name, table in self.tables.items()}
        refuse(f"'{self.path}'", violations, kinds)

    def _nodes(self) -> tuple[dict[str, NirNode], list[Violation]]:
        read: dict[str, NirNode] = {}
        violations: list[Violation] = []
        for name, table in self.tables.items():
            kind = table.get("type")
            if kind not in NODES:
                known = ", ".join(sorted(NODES))
                violations.append(Violation(name, f"{kind} is not taken", f"use one of {known}"))
                continue
            found = NODES[kind]
            given = {k: v for k, v in table.items() if k not in ("type", "metadata", *INFERRED)}
            names = {*found.needs, *found.may}
            for missing in sorted(found.needs - given.keys()):
                violations.append(Violation(name, f"{kind} has no {missing}", "write it again"))
            for extra in sorted(given.keys() - names):
                violations.append(
                    Violation(
                        name,
                        f"{kind} has the parameter {extra}, which NIR 1.0 does not know",
                        "leave it out",
                    )
                )
            if found.needs <= given.keys() <= names:
                try:
                    read[name] = found.read(given, self.dt)
                except UnsupportedError as error:
                    violations.append(Violation(name, error.what, error.remedy))
                else:
                    self._own(name, table, read, violations)
        return read, violations

    def _own(
        self,
        name: str,
        table: Table,
        read: dict[str, NirNode],
        violations: list[Violation],
    ) -> None:
        """Resets that NIR has no word for, as our own exports note them."""
        metadata = table.get("metadata")
        node = read[name].node
        if not isinstance(metadata, dict) or not isinstance(node, Neuron):
            return
        said = metadata.get(f"{MARK}_reset")
        if said is not None:
            known = {r.value: r for r in Reset}
            if said not in known or not node.spiking:
                remedy = f"write one of {', '.join(known)}"
                violations.append(Violation(name, f"its reset is '{said}'", remedy))
                return
            node = replace(node, reset=known[str(said)])
        start = metadata.get(f"{MARK}_start")
        if isinstance(start, np.ndarray):
            node = replace(node, initial=start.astype(float))
        if metadata.get(f"{MARK}_rectified") is not None:
            node = replace(node, rectified=True)
        read[name] = replace(read[name], node=node)

    def _edges(self, kept: set[str]) -> tuple[Edge, ...]:
        """Edges among nodes, through those that are nothing (the ends of inner graphs)."""
        following: dict[str, list[str]] = {}
        for source, target in self.pairs:
            following.setdefault(source, []).append(target)

        def ends(name: str, through: tuple[str, ...] = ()) -> Iterator[str]:
            if name in kept:
                yield name
            elif name not in through:
                for further in following.get(name, ()):
                    yield from ends(further, (*through, name))

        found = [
            Edge(source, end)
            for source, target in self.pairs
            if source in kept
            for end in ends(target)
        ]
        return tuple(dict.fromkeys(found))

    def _completed(
        self, nodes: dict[str, Node], read: dict[str, NirNode], edges: tuple[Edge, ...]
    ) -> dict[str, Node]:
        """Nodes whose own shape depends on what arrives (Flatten), one after the other."""
        nodes = dict(nodes)
        order, _ = ordered(nodes, edges)
        for name in order:
            found = read[name]
            if found.finish is None:
                continue
            shapes, _ = infer_shapes(nodes, edges)
            before = next(
                (shapes[e.source] for e in edges if e.target == name and e.source in shapes), None
            )
            if before is not None:
                try:
                    nodes[name] = found.finish(before)
                except UnsupportedError as error:
                    self._refuse(Violation(name, error.what, error.remedy))
        return nodes

    def _shapes(self, graph: Graph, read: dict[str, NirNode]) -> Iterator[Violation]:
        """Where the file says other shapes than follow from its nodes."""
        for name, found in read.items():
            if found.node is None or found.arriving is None:
                continue
            arriving = graph.shape_of_input(name)
            said = found.arriving
            if len(said) < len(arriving):
                arriving = arriving[-len(said) :]
            if said != arriving:
                yield Violation(
                    name,
                    f"it says that {said} arrives, but its sources send {arriving}",
                    "write the shapes again (nir infers them wrongly for some kernels)",
                )
