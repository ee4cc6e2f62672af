"""ONNX files as source graphs: an ANN, or one time step of a spiking network.

A spiking network is recognised by what its states do from step to step, and run beside the file
before it is handed out. What is not taken is refused by the node's name, all at once.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from compiler.frontends.onnx.algebra import Atom, Form, Term
from compiler.frontends.onnx.beside import require_same
from compiler.frontends.onnx.file import opset, parsed
from compiler.frontends.onnx.neurons import (
    ACCEPTED,
    Filtered,
    Integrator,
    filtered,
    integrator,
    unfiltered,
)
from compiler.frontends.onnx.reading import Reading
from compiler.frontends.onnx.states import Loop, depends, initial, looped
from compiler.frontends.refusals import UnsupportedError
from compiler.source import (
    Edge,
    Graph,
    Input,
    Neuron,
    Node,
    Output,
    Rectifier,
    Reset,
    Scale,
    SynapticCurrent,
    Threshold,
)
from compiler.source.fold import fold_scales
from compiler.source.violations import refuse

OUTPUT = "output"
STEPS = "steps"  # the property of a file that says how many time steps a sample has


def from_onnx(path: str | os.PathLike[str]) -> Graph:
    """The source graph of an ONNX file: of an ANN, which `rate_coded` makes spike, or spiking.

    Raises InputError for what is no ONNX file or not taken, with every node, parameter and remedy.
    """
    where = f"'{path}'"
    reading = Reading(parsed(Path(path))).read()
    try:
        loop = looped(reading)
        begun = initial(reading, list(loop.following))
    except UnsupportedError as error:
        reading.refuse("graph", error.what, error.remedy)
    for output in reading.model.graph.output:
        if output.name not in reading.values:
            what = f"its output {output.name} is made by nothing that takes the sample"
            reading.refuse("graph", what, "export it again")
    refuse(where, tuple(reading.violations), reading.kinds)
    graph, neurons = _Assembly(where, reading, loop, begun).graph()
    if loop.following:
        require_same(where, reading.model, loop, begun, graph, neurons)
    return graph


@dataclass
class _Assembly:
    """From the result backwards: what brings it, and what brings that."""

    where: str
    reading: Reading
    loop: Loop
    begun: dict[str, np.ndarray]
    integrators: dict[str, Integrator] = field(default_factory=dict)
    spikes: dict[int, str] = field(default_factory=dict)  # comparison to the state that it resets
    names: dict[str, str] = field(default_factory=dict)  # state to the neuron that it is of
    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)

    def graph(self) -> tuple[Graph, dict[str, str]]:
        """The graph, and the neuron of each state that is a potential."""
        reading = self.reading
        self._turn()
        for state in self.loop.following:
            self._integrator(state)
        title = reading.free(OUTPUT)
        try:
            self._result(title)
        except UnsupportedError as error:
            reading.refuse(reading.makers[self.loop.result], error.what, error.remedy)
        refuse(self.where, tuple(reading.violations), reading.kinds)
        order = {name: place for place, name in enumerate(reading.nodes)}
        nodes = dict(sorted(self.nodes.items(), key=lambda item: order.get(item[0], -1)))
        nodes[title] = Output()
        provenance = {"source": self.where, "opset": str(opset(reading.model))}
        notes = (*reading.notes, *self._told())
        graph = Graph(nodes, tuple(self.edges), notes, self._steps(), provenance)
        return fold_scales(graph), self.names

    def _steps(self) -> int | None:
        said = [p.value for p in self.reading.model.metadata_props if p.key == STEPS]
        return int(said[0]) if said and said[0].isascii() and said[0].isdigit() else None

    def _told(self) -> list[str]:
        following = self.loop.following
        told = [f"state {s}: taken up again from output {o}" for s, o in following.items()]
        told += [
            f"{self.names[s]}: it spikes at its threshold as well as above; the threshold is the "
            "number just below, which the chip's integers may not tell apart"
            for s, found in self.integrators.items()
            if s in self.names and not found.strict
        ]
        if following and not any(a.any() for a in self.begun.values()):
            told.append("all states begin at 0, as the file says nothing else")
        return told

    def _next(self, state: str) -> Form:
        found = self.reading.values[self.loop.following[state]]
        assert found is not None  # else there is a violation
        return found

    def _recurs(self, state: str) -> bool:
        return state in self.integrators

    def _turn(self) -> None:
        """Each comparison so that it is 1 where a potential is high."""
        reading = self.reading
        recurring = {s for s in self.loop.following if depends(reading, self._next(s), s)}
        for number, compared in enumerate(tuple(reading.comparisons)):
            high: dict[Term, int] = {
                frozenset({str(s)}): 1 for s in recurring & compared.form.atoms
            }
            high |= {  # a spike of the step before takes from the potential
                frozenset({a}): -1
                for a in compared.form.atoms
                if isinstance(a, int) and reading.comparisons[a].form.atoms <= recurring
            }
            signs = {np.sign(k * np.sum(compared.form.of(term))) for term, k in high.items()}
            if signs - {0.0} == {-1.0}:
                reading.turn(number)

    def _integrator(self, state: str) -> None:
        """Recognise a state that follows from itself; any other is a value of the step before."""
        reading, following = self.reading, self._next(state)
        whole = next(iter(following.atoms), None) if len(following.terms) == 1 else None
        inner = reading.rectified.get(str(whole))
        if inner is not None:
            node = reading.nodes[str(whole)]
            assert isinstance(node, Rectifier)
            inner = inner if np.isinf(node.largest) else None
        if not depends(reading, following if inner is None else inner, state):
            return
        found = integrator(state, following, reading.comparisons, self.begun[state], inner)
        if found is None:
            name = reading.makers.get(self.loop.following[state], state)
            what = f"what becomes of the state {state} is no neuron that is known here"
            reading.refuse(name, what, ACCEPTED)
            return
        self.integrators[state] = found
        if found.spikes is not None:
            self.spikes[found.spikes] = state

    def _result(self, title: str) -> None:
        result = self.reading.values[self.loop.result]
        assert result is not None
        for state in self.integrators:
            if self._next(state).is_close(result):
                if self.integrators[state].reset is not Reset.NONE:
                    raise UnsupportedError(
                        f"the result is the potential {state}, which spikes reset",
                        "return its spikes, or a potential without a threshold",
                    )
                self.edges.append(Edge(self._neuron(state, reads_out=True), title))
                return
        made = self.reading.makers[self.loop.result]
        self._bring(self.reading.sources(result, made), title)

    def _bring(self, atoms: tuple[Atom, ...], target: str) -> None:
        for atom in atoms:
            source, late = self._source(atom)
            self.edges.append(Edge(source, target, late))

    def _source(self, atom: Atom) -> tuple[str, bool]:
        """The node that brings an atom, and whether it brings it one step later."""
        reading = self.reading
        if isinstance(atom, int) and atom in reading.turned:
            name = f"{reading.comparisons[atom].node}.not"
            if name not in self.nodes:
                self.nodes[name] = Scale(-np.ones(()), np.ones(()))
                self._bring((reading.turned[atom],), name)
            return name, False
        if isinstance(atom, int):
            state = self.spikes.get(atom)
            return (self._threshold(atom) if state is None else self._neuron(state)), False
        if atom == self.loop.sample:
            self.nodes.setdefault(atom, Input(reading.inputs[atom]))
            return atom, False
        if atom in self.loop.following:
            return self._before(atom)
        if atom not in self.nodes:
            self.nodes[atom] = reading.nodes[atom]
            self._bring(tuple(a for a, target in reading.edges if target == atom), atom)
        return atom, False

    def _before(self, state: str) -> tuple[str, bool]:
        """What a state brings that holds a value of the step before."""
        if self._recurs(state):
            raise UnsupportedError(
                f"the state {state} goes into another layer", "use its spikes: a chip sends no more"
            )
        sources = self.reading.sources(self._next(state), state)
        if len(sources) == 1 and sources[0] not in self.loop.following:
            return self._source(sources[0])[0], True
        if state not in self.nodes:  # a sum, or a state again: it is kept by a node of its own
            self.nodes[state] = Scale(np.ones(()), np.zeros(()))
            self._bring(sources, state)
        return state, True

    def _threshold(self, comparison: int) -> str:
        """A comparison that is no neuron's: a step function without memory."""
        compared = self.reading.comparisons[comparison]
        name = f"{compared.node}.threshold"
        states = sorted(str(a) for a in compared.form.atoms if self._recurs(str(a)))
        if states:
            raise UnsupportedError(
                f"its comparison of {', '.join(states)} with a threshold is no spike "
                "that is known here (of an adaptive threshold, for example)",
                ACCEPTED,
            )
        if name not in self.nodes:
            h = _strictly(-compared.form.constant, compared.strict)
            self.nodes[name] = Threshold(h)
            self._bring(self.reading.sources(compared.form.signals, compared.node), name)
        return name

    def _neuron(self, state: str, reads_out: bool = False) -> str:
        if state in self.names:
            if reads_out != (not self.nodes[self.names[state]].spiking):  # type: ignore[attr-defined]
                raise UnsupportedError(
                    f"the potential {state} is a result, and it spikes", "return one of the two"
                )
            return self.names[state]
        name = state.removesuffix(".v")
        name = name if name not in self.reading.nodes else self.reading.free(name)
        self.names[state] = name
        found, drive = self.integrators[state], self._drive(state)
        current = None
        if drive.decay is not None:
            assert drive.current_gain is not None
            current = SynapticCurrent(drive.decay, drive.current_gain)
        threshold = None if found.threshold is None or reads_out else found.threshold
        self.nodes[name] = Neuron(
            found.linear.of(frozenset({state})),
            drive.gain,
            drive.leak,
            None if threshold is None else _strictly(threshold, found.strict),
            found.reset,
            np.zeros(()) if found.reset_value is None else found.reset_value,
            self.begun[state],
            current,
            found.rectified,
        )
        self._bring(self.reading.sources(drive.drive, f"{name}.drive"), name)
        return name

    def _drive(self, state: str) -> Filtered:
        w = self.integrators[state].linear
        currents = [a for a in w.atoms if self._recurs(str(a)) and a != state]
        if not currents:
            return unfiltered(w, state)
        current = str(currents[0])
        drive = filtered(w, state, current, self._next(current)) if len(currents) == 1 else None
        if drive is None or self.begun[current].any():
            listed = ", ".join(str(c) for c in currents)
            raise UnsupportedError(
                f"the potential {state} takes in {listed}, which is not one synaptic current",
                "write it as i' = decay * i + input, begun at 0, with i' or i + input as what "
                "the potential takes in",
            )
        return drive


def _strictly(threshold: np.ndarray, strict: bool) -> np.ndarray:
    """The threshold h with which float32 numbers are >= it where they are > h."""
    if strict:
        return threshold
    below = np.nextafter(threshold.astype(np.float32), np.float32(-np.inf))
    return np.asarray(below, np.float64)
