"""What engines rely on in gates: what they name, and what one of their kind can form."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.program import Program
from compiler.terms import PRE_QUANTITIES, Quantity


def unsound_gates(program: Program) -> Iterator[str]:
    """What is wrong with the gates, each fault in words."""
    names = {p.name for p in program.populations}
    for gate in program.gates:
        if gate.population not in names or gate.modulator not in program.modulators:
            yield f"{gate.name} names what does not exist"
        if (gate.points or gate.noise or gate.after) and not gate.classes:
            yield f"{gate.name} is no critic, and points, waits, or hears noise"
        if Quantity.WINNER in gate.score:
            yield f"{gate.name} reads who has won, which only a message tells"
        if gate.norm is not None and gate.norm not in PRE_QUANTITIES:
            yield f"{gate.name} forms the norm of {gate.norm.value}, which is no count"
        if gate.serial and (gate.norm is not None or gate.classes):
            yield f"{gate.name} forms a norm or rewards, from messages bit by bit"
        if gate.population in names and program.population(gate.population).soma is None:
            yield f"{gate.name} compares the input {gate.population}"
