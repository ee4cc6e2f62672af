"""What populations and comparators ask of cores: neurons, state, and synaptic memory.

A list of n synapses of one source neuron takes, in blocks of at most `synapses_per_block`,

    sum over blocks of ceil(n * (weight + delay + tag bits) + overhead bits, word bits)

(nengo-loihi's formula; dense lists need no index bits, static ones no tag).
"""

from __future__ import annotations

from dataclasses import dataclass

from compiler.ir import Compartment
from compiler.program import Program
from compiler.targets import Limits


@dataclass(frozen=True)
class Incoming:
    """Synapses that end on a population: `sources` axons in, each with one synapse a neuron."""

    name: str
    sources: int
    synapse_bits: int
    plastic: bool


@dataclass(frozen=True)
class Demand:
    """What one population (or comparator) asks of cores."""

    name: str
    neurons: int
    state_words: int
    incoming: tuple[Incoming, ...]
    targets: tuple[str, ...]  # one entry for each outgoing projection

    @property
    def fan_in(self) -> int:
        """Synapses a neuron."""
        return sum(i.sources for i in self.incoming)

    @property
    def plastic(self) -> bool:
        """Whether any of its synapses learns."""
        return any(i.plastic for i in self.incoming)


def demands(program: Program) -> tuple[Demand, ...]:
    """What the populations on the chip and the comparators ask for, in the program's order."""
    weight_bits = program.weight_max.bit_length() + 1
    tag_bits = program.tag_max.bit_length() + 1
    asked = []
    for p in program.populations:
        if p.soma is None:
            continue
        incoming = [
            Incoming(
                s.name,
                s.weights.shape[1],
                weight_bits + (tag_bits if s.rule is not None else 0),
                s.rule is not None,
            )
            for s in program.synapses
            if s.target == p.name
        ]
        own_gates = [g for g in program.gates if g.population == p.name]
        heard = dict.fromkeys([*(g.name for g in own_gates), *p.signals])
        incoming += [Incoming(f"{name} broadcast", 1, weight_bits, False) for name in heard]
        targets = [s.target for s in program.synapses if s.source == p.name]
        targets += [g.name for g in own_gates]
        words = _state_words(program, p.name)
        asked.append(Demand(p.name, p.size, words, tuple(incoming), tuple(targets)))
    for g in program.gates:
        size = program.population(g.population).size
        # Scores arrive from every neuron, the label from the modulator.
        scores = Incoming(f"{g.name} scores", size + 1, weight_bits, False)
        words = 1 + g.sums  # its sums, and the label
        asked.append(Demand(g.name, 1, words, (scores,), (g.population,)))
    return tuple(asked)


def list_bytes(synapses: int, synapse_bits: int, limits: Limits) -> int:
    """Synaptic memory of one axon list in bytes."""
    if synapses == 0:
        return 0
    bits = synapse_bits + int(limits.delay_bits.value)
    block, word = int(limits.synapses_per_block.value), int(limits.word_bits.value)
    overhead = int(limits.block_overhead_bits.value)

    def padded(n: int) -> int:
        return -(-(n * bits + overhead) // word) * word

    full, rest = divmod(synapses, block)
    return (full * padded(block) + (padded(rest) if rest else 0)) // 8


def memory_bytes(demand: Demand, neurons: int, limits: Limits) -> int:
    """Synaptic memory of that many neurons of the population on one core."""
    return sum(i.sources * list_bytes(neurons, i.synapse_bits, limits) for i in demand.incoming)


def _state_words(program: Program, population: str) -> int:
    """32-bit words of state.

    Membrane, both counts in one, one for each other compartment, post values, both averages.
    """
    compartments = {
        s.compartment
        for s in program.synapses
        if s.target == population and s.compartment is not Compartment.SOMA
    }
    p = program.population(population)
    averages = 0 if p.averages is None else 2
    return 2 + len(compartments) + int(bool(p.post_values)) + averages
