"""What populations and comparators ask of cores: neurons, state, synaptic memory and axons.

A list of n synapses takes, in blocks of at most `synapses_per_block`,

    sum over blocks of ceil(n * (weight + delay + tag bits) + overhead bits, word bits)

(nengo-loihi's formula; the targets of a list follow a fixed pattern, so it needs no index bits,
and static synapses need no tag). A source neuron has one list on each core that it reaches, and
one axon leads to it. Where a machine shares kernels, a core stores each kernel once, one list for
each channel of the source, and one axon leads to all channels of a position: the spike says which
(population spikes, as in nengo-loihi). What stays within a channel has one list for all channels.
Untied kernels are shared by nobody: a core stores those of its own positions.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from compiler.connectivity import Window, window
from compiler.ir import Connection, Map
from compiler.products import has_tag
from compiler.program import Gate, Program, Soma
from compiler.targets import Limits, NeuromorphicMachine
from compiler.terms import COMPARTMENT_OF, WITHIN_CHANNELS


@dataclass(frozen=True)
class Part:
    """Neurons of one population on one core: some of its channels on some of its rows.

    A population without a map has one channel a neuron, and one row.
    """

    first_channel: int
    channels: int
    first_row: int
    rows: int
    width: int

    @property
    def neurons(self) -> int:
        """How many they are."""
        return self.channels * self.rows * self.width


@dataclass(frozen=True)
class Incoming:
    """Synapses that end on a population; `source` is the map of the neurons that they come from."""

    name: str
    source: Map
    connection: Connection
    kernel: int
    synapse_bits: int
    plastic: bool

    @property
    def along(self) -> Window | None:
        """What a neuron reads along rows and columns; None: everything."""
        return window(self.connection, self.kernel)

    @property
    def fan_in(self) -> int:
        """Synapses of a neuron, away from the border."""
        along, (channels, height, width) = self.along, self.source
        if along is None:
            return channels * height * width
        return along.width**2 * (1 if self.channelwise else channels)

    @property
    def channelwise(self) -> bool:
        """Whether it stays within a channel."""
        return self.connection in WITHIN_CHANNELS

    def shares(self, machine_does: bool) -> bool:
        """Whether a core stores its kernels once, where the machine can."""
        own = (Connection.UNTIED, Connection.ONE_TO_ONE)
        return machine_does and self.along is not None and self.connection not in own

    def axon_fan_in(self, shared: bool) -> int:
        """Axons that end on a neuron; where kernels are shared, one brings all channels."""
        along = self.along
        return along.width**2 if along is not None and self.shares(shared) else self.fan_in

    def axons_in(self, part: Part, shared: bool) -> int:
        """Axons that a core with these neurons receives."""
        along, (channels, height, width) = self.along, self.source
        if along is None:
            return channels * height * width
        first, stop = along.reads(part.first_row, part.first_row + part.rows, height)
        left, right = along.reads(0, part.width, width)
        positions = (stop - first) * (right - left)
        if self.shares(shared):
            return positions
        return positions * (part.channels if self.channelwise else channels)

    def synapses(self, part: Part) -> int:
        """Synapses of these neurons; at the border of a map there are fewer."""
        along = self.along
        if along is None:
            return part.neurons * prod(self.source)
        rows, columns = self._readers(part, along)
        pairs = 1 if self.channelwise else self.source[0]
        return part.channels * pairs * int(rows.sum()) * int(columns.sum())

    def memory_bytes(self, part: Part, shared: bool, limits: Limits) -> int:
        """Synaptic memory on a core with these neurons."""
        along, bits = self.along, self.synapse_bits
        if along is None:
            return prod(self.source) * list_bytes(part.neurons, bits, limits)
        readers = self._readers(part, along)
        if self.shares(shared):
            if not self.channelwise:
                return self.source[0] * list_bytes(along.width**2 * part.channels, bits, limits)
            # a kernel is one list for each place that a neuron reads, of all that read it
            length = int(readers[0].max(initial=0) * readers[1].max(initial=0))
            return along.width**2 * list_bytes(length, bits, limits)
        total = 0
        rows, columns = (np.unique(r, return_counts=True) for r in readers)
        for tall, many in zip(*rows, strict=True):
            for wide, often in zip(*columns, strict=True):
                length = int(tall * wide) * (1 if self.channelwise else part.channels)
                total += int(many * often) * list_bytes(length, bits, limits)
        return total * (part.channels if self.channelwise else self.source[0])

    def _readers(self, part: Part, along: Window) -> tuple[np.ndarray, np.ndarray]:
        """How many of the part's rows read each source row, and the same of columns."""
        rows = along.readers(self.source[1], part.first_row, part.first_row + part.rows)
        return rows, along.readers(self.source[2], 0, part.width)


@dataclass(frozen=True)
class Outgoing:
    """A projection or comparator that a population's neurons send to."""

    target: str
    along: Window | None
    channelwise: bool


@dataclass(frozen=True)
class Demand:
    """What one population (or comparator) asks of cores."""

    name: str
    map: Map
    state_words: int
    incoming: tuple[Incoming, ...]
    outgoing: tuple[Outgoing, ...]

    @property
    def neurons(self) -> int:
        """How many there are."""
        return prod(self.map)

    @property
    def fan_in(self) -> int:
        """Synapses a neuron."""
        return sum(i.fan_in for i in self.incoming)

    @property
    def plastic(self) -> bool:
        """Whether any of its synapses learns."""
        return any(i.plastic for i in self.incoming)


def demands(program: Program) -> tuple[Demand, ...]:
    """What the populations on the chip and the comparators ask for, in the program's order."""
    weight_bits = program.weight_max.bit_length() + 1
    tag_bits = program.tag_max.bit_length() + 1
    everything = Connection.ALL_TO_ALL
    asked = []
    for p in program.populations:
        if p.soma is None:
            continue
        incoming = [
            Incoming(
                s.name,
                program.population(s.source).map,
                s.connection,
                s.weights.shape[-1],
                weight_bits + (tag_bits if s.rule is not None and has_tag(s.rule) else 0),
                s.rule is not None,
            )
            for s in program.arriving[p.name]
        ]
        own_gates = [g for g in program.gates if g.population == p.name]
        heard = dict.fromkeys([*(g.name for g in own_gates), *p.signals])
        incoming += [
            Incoming(f"{name} broadcast", (1, 1, 1), everything, 0, weight_bits, False)
            for name in heard
        ]
        outgoing = outgoing_of(program, p.name)
        words = _state_words(program, p.name)
        asked.append(Demand(p.name, p.map, words, tuple(incoming), outgoing))
    for g in program.gates:
        size = program.population(g.population).size
        # Scores arrive from every neuron, the label from the modulator.
        scores = Incoming(f"{g.name} scores", (size + 1, 1, 1), everything, 0, weight_bits, False)
        words = max(1, g.classes) + g.sums  # its sums, and the label
        back = tuple(Outgoing(name, None, False) for name in listeners(program, g))
        asked.append(Demand(g.name, (1, 1, 1), words, (scores,), back))
    return tuple(asked)


def listeners(program: Program, gate: Gate) -> tuple[str, ...]:
    """The populations that a gate's broadcast reaches."""
    return tuple(
        p.name for p in program.populations if p.name == gate.population or gate.name in p.signals
    )


def outgoing_of(program: Program, population: str) -> tuple[Outgoing, ...]:
    """What a population sends to: its projections, then its comparators."""
    sent = [
        Outgoing(
            s.target, window(s.connection, s.weights.shape[-1]), s.connection in WITHIN_CHANNELS
        )
        for s in program.leaving[population]
    ]
    gates = [g.name for g in program.gates if g.population == population]
    return (*sent, *(Outgoing(name, None, False) for name in gates))


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


def memory_bytes(demand: Demand, part: Part, machine: NeuromorphicMachine) -> int:
    """Synaptic memory of these neurons of the population on one core."""
    shared = machine.capabilities.shared_kernels.value
    return sum(i.memory_bytes(part, shared, machine.limits) for i in demand.incoming)


def _state_words(program: Program, name: str) -> int:
    """32-bit words of state.

    Membrane, both counts in one, one for each dendrite, post values, bias, both averages, the
    synaptic current, and each parameter that is not the same for all. A mean has no membrane, and
    its counts fill a word each.
    """
    population = program.population(name)
    compartments = {
        s.compartment for s in program.arriving[name] if s.compartment in COMPARTMENT_OF.values()
    }
    averages = 0 if population.averages is None else 2
    own = int(bool(population.post_values))
    if isinstance(soma := population.soma, Soma):
        own += int(bool(soma.bias)) + int(soma.current_decay is not None)
        parameters = (soma.decay, soma.threshold, soma.current_decay)
        own += sum(isinstance(values, tuple) for values in parameters)
    return 2 + len(compartments) + own + averages
