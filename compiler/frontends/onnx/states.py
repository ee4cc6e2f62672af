"""Which outputs of a one-step ONNX graph are the states that the next step takes in.

ONNX has no time: whoever runs the graph feeds outputs back. A file of our own says which by name
(`STATE.next`); else a state is paired with the output that it decays into, and where that leaves a
choice, in the order of inputs and outputs, the result first.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from compiler.frontends.onnx.algebra import Atom, Form
from compiler.frontends.onnx.reading import Reading
from compiler.frontends.refusals import UnsupportedError

NEXT = ".next"
INITIAL = "initial"  # the property of a file that says where states begin, other than at 0


@dataclass(frozen=True)
class Loop:
    """The input that is the sample, the output that is the result, each state and its successor."""

    sample: str
    result: str
    following: dict[str, str]


def looped(reading: Reading) -> Loop:
    """The loop of a graph; UnsupportedError where its inputs and outputs make none."""
    inputs = list(reading.inputs)
    outputs = [o.name for o in reading.model.graph.output]
    if not inputs:
        raise UnsupportedError("it has no input", "export a network that takes a sample")
    if len(inputs) == 1 and len(outputs) > 1:
        raise UnsupportedError(f"it has {len(outputs)} outputs", "export a network with one output")
    for sample in inputs:
        states = [i for i in inputs if i != sample]
        following = _following(reading, states, outputs)
        if following is not None:
            left = [o for o in outputs if o not in following.values()]
            if len(left) <= 1:
                return Loop(sample, (left or outputs)[0], following)
    raise UnsupportedError(
        f"its inputs are {', '.join(inputs)}, its outputs {', '.join(outputs)}",
        "export a network with one input and one output, or one time step of a spiking one, with "
        f"an output STATE{NEXT} for each input STATE",
    )


def _following(reading: Reading, states: list[str], outputs: list[str]) -> dict[str, str] | None:
    named = {s: f"{s}{NEXT}" for s in states}
    if set(named.values()) <= set(outputs):
        return named
    if len(states) > len(outputs):
        return None
    gains = np.array([[_gain(reading, s, o) for o in outputs] for s in states])
    best, most = _paired(gains)
    for first in (1, 0):  # in order, after the result or with it
        if len(states) == len(outputs) - first:
            in_order = np.arange(len(states)) + first
            if gains[np.arange(len(states)), in_order].sum() == most:
                return dict(zip(states, outputs[first:], strict=True))
    for state, output in enumerate(best):  # whether there is another way that is as good
        without = gains.copy()
        without[state, output] = IMPOSSIBLE
        if _paired(without)[1] >= most:
            return None
    return {s: outputs[o] for s, o in zip(states, best, strict=True)} if most >= 0 else None


IMPOSSIBLE = -(1 << 20)


def _gain(reading: Reading, state: str, output: str) -> int:
    """How much speaks for a pair: that the output follows from the state itself."""
    form = reading.values.get(output)
    if form is not None and form.shape != reading.inputs[state]:
        return IMPOSSIBLE
    return int(depends(reading, form, state))


def _paired(gains: np.ndarray) -> tuple[np.ndarray, int]:
    """The output of each state where the most speaks for it, and how much that is."""
    rows, columns = linear_sum_assignment(gains, maximize=True)
    return columns, int(gains[rows, columns].sum())


def depends(reading: Reading, form: Form | None, state: str) -> bool:
    """Whether a form holds a state, or a comparison of that state alone, or one that holds such."""

    def alone(atom: Atom) -> bool:
        return isinstance(atom, int) and reading.comparisons[atom].form.atoms == {state}

    return form is not None and any(
        a == state
        or alone(a)
        or (isinstance(a, int) and any(map(alone, reading.comparisons[a].form.atoms)))
        for a in form.atoms
    )


def initial(reading: Reading, states: list[str]) -> dict[str, np.ndarray]:
    """Where each state begins: at 0, unless the file has numbers for it.

    Raises UnsupportedError where those do not fit.
    """
    found = {s: np.zeros(()) for s in states}
    for entry in reading.model.metadata_props:
        if entry.key == INITIAL:
            try:
                for state, numbers in json.loads(entry.value).items():
                    found[state] = np.asarray(numbers, float)
                    np.broadcast_to(found[state], reading.inputs[state])
            except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
                raise UnsupportedError(
                    f"its property {INITIAL} does not say where states begin", "export it again"
                ) from error
    return found
