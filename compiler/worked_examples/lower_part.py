"""A lower part of a network, which does alone what it does in the whole.

What a population does and learns depends on those that project to it, on those whose gates it
hears, and on what these depend on. So a part that has all of them may be looked at alone.
"""

from __future__ import annotations

from dataclasses import replace

from compiler.ir import Network
from compiler.program import Program


def lower_part(program: Program, most: int) -> Program:
    """Populations from the lowest level up, as long as they have at most so many synapses."""
    kept: set[str] = set()
    for population in sorted(program.populations, key=lambda p: p.level):
        more = _with_all_that_matter(program, kept | {population.name})
        if sum(s.weights.size for s in _among(program, more).synapses) > most:
            break
        kept = more
    return _among(program, kept)


def network_of(network: Network, part: Program) -> Network:
    """The source of a part: its populations, the projections and comparators among them."""
    names = {p.name for p in part.populations}
    return replace(
        network,
        populations=tuple(p for p in network.populations if p.name in names),
        projections=tuple(p for p in network.projections if {p.source, p.target} <= names),
        comparators=tuple(c for c in network.comparators if c.population in names),
    )


def _with_all_that_matter(program: Program, names: set[str]) -> set[str]:
    """These populations and all that they depend on."""
    compared = {gate.name: gate.population for gate in program.gates}
    found, new = set(names), set(names)
    while new:
        sources = {s.source for name in new for s in program.arriving[name]}
        heard = {signal for name in new for signal in program.population(name).signals}
        new = (sources | {compared[s] for s in heard if s in compared}) - found
        found |= new
    return found


def _among(program: Program, names: set[str]) -> Program:
    return replace(
        program,
        populations=tuple(p for p in program.populations if p.name in names),
        synapses=tuple(s for s in program.synapses if {s.source, s.target} <= names),
        gates=tuple(g for g in program.gates if g.population in names),
    )
