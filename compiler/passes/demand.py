"""What populations and comparators ask of cores: neurons, state, synaptic memory and axons.

A source neuron has one axon list on each core that it reaches, and one axon leads to it
(`compiler.passes.lists` says what a list takes). Where a machine shares kernels, a core stores each
kernel once, one list for each channel of the source, and one axon leads to all channels of a
position: the spike says which (population spikes, as in nengo-loihi). What stays within a channel
has one list for all channels. Untied kernels are shared by nobody: a core stores those of its own
positions. A core numbers its neurons by row, column, channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod

import numpy as np

from compiler.connectivity import Window, window
from compiler.ir import Compartment, Connection, Map
from compiler.passes.lists import index_bits, list_bytes
from compiler.passes.part import Part
from compiler.passes.settings import Settings, kinds_of_neuron, thresholds
from compiler.products import has_tag
from compiler.program import Gate, Program, Soma, Synapses
from compiler.recurrence import drives, held_back
from compiler.targets import Limits, NeuromorphicMachine
from compiler.terms import COMPARTMENT_OF, WITHIN_CHANNELS

Format = tuple[int, int, int, int]
"""An entry of a core's table of synapse formats: bits of synapse and index, rule, exponent."""


@dataclass(frozen=True)
class Incoming:
    """Synapses that end on a population; `source` is the map of the neurons that they come from."""

    name: str
    source: Map
    connection: Connection
    kernel: int
    synapse_bits: int
    plastic: bool
    rule: int = 0  # which of the program's learning rules, or 0
    exponent: int = 0  # the weights count 2^exponent
    delay: int = 0  # time steps for which spikes are held back

    def format(self, part: Part, limits: Limits) -> Format:
        """The format of its synapses on a core with these neurons."""
        return self.bits(limits), self.index_bits(part, limits), self.rule, self.exponent

    def bits(self, limits: Limits) -> int:
        """Bits of a synapse, but for those of a delay that all synapses of the machine have."""
        return self.synapse_bits + max(0, self.delay.bit_length() - int(limits.delay_bits.value))

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
        left, right = along.reads(part.first_column, part.first_column + part.columns, width)
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

    def index_bits(self, part: Part, limits: Limits) -> int:
        """Bits of the index that says which neuron of the core a synapse ends on."""
        along = self.along
        if along is None:
            return 0
        channels = 1 if self.channelwise else part.channels
        needed = 0
        rows, columns = self._readers(part, along)
        for tall, wide in product({*rows.tolist()} - {0}, {*columns.tolist()} - {0}):
            span = ((tall - 1) * part.columns + wide - 1) * part.channels + channels
            needed = max(needed, index_bits(tall * wide * channels, span, limits))
        return needed

    def memory_bytes(self, part: Part, shared: bool, limits: Limits) -> int:
        """Synaptic memory on a core with these neurons."""
        along, bits = self.along, self.bits(limits)
        if along is None:
            return prod(self.source) * list_bytes(part.neurons, bits, limits)
        bits += self.index_bits(part, limits)
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
        _, rows, columns = part.box
        return (
            _readers(along, self.source[1], rows.start, rows.stop),
            _readers(along, self.source[2], columns.start, columns.stop),
        )


@lru_cache(maxsize=1 << 14)  # parts of different channels read alike
def _readers(along: Window, sources: int, first: int, stop: int) -> np.ndarray:
    counts = along.readers(sources, first, stop)
    counts.flags.writeable = False
    return counts


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
    kinds: Settings
    thresholds: Settings

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
    kinds, rules = kinds_of_neuron(program), _rules(program)
    asked = []
    for p in program.populations:
        if p.soma is None:
            continue
        incoming = [_incoming(program, s, rules) for s in program.arriving[p.name]]
        own_gates = [g for g in program.gates if g.population == p.name]
        heard = dict.fromkeys([*(g.name for g in own_gates), *p.signals])
        incoming += [_signal(f"{name} broadcast", 1, weight_bits) for name in heard]
        asked.append(
            Demand(
                name=p.name,
                map=p.map,
                state_words=_state_words(program, p.name),
                incoming=tuple(incoming),
                outgoing=outgoing_of(program, p.name),
                kinds=kinds[p.name],
                thresholds=thresholds(p),
            )
        )
    for g in program.gates:
        size = program.population(g.population).size
        # Scores arrive from every neuron, the label from the modulator.
        scores = _signal(f"{g.name} scores", size + 1, weight_bits)
        words = max(1, g.classes) + g.sums  # its sums, and the label
        back = tuple(Outgoing(name, None, False) for name in listeners(program, g))
        own = kinds[g.name], Settings(None)
        asked.append(Demand(g.name, (1, 1, 1), words, (scores,), back, *own))
    return tuple(asked)


def _incoming(program: Program, s: Synapses, rules: dict[str, int]) -> Incoming:
    soma = program.population(s.target).soma
    driving = s.compartment is Compartment.SOMA and isinstance(soma, Soma)
    tagged = s.rule is not None and has_tag(s.rule)
    tag_bits = program.tag_max.bit_length() + 1
    return Incoming(
        name=s.name,
        source=program.population(s.source).map,
        connection=s.connection,
        kernel=s.weights.shape[-1],
        synapse_bits=program.weight_max.bit_length() + 1 + (tag_bits if tagged else 0),
        plastic=s.rule is not None,
        rule=rules.get(repr(s.rule), 0),
        exponent=soma.input_shift if driving and isinstance(soma, Soma) else 0,
        delay=held_back(program, s) if drives(program, s) else 0,
    )


def _signal(name: str, sources: int, weight_bits: int) -> Incoming:
    """Synapses of scores or of a broadcast, which bring a message from each source."""
    return Incoming(name, (sources, 1, 1), Connection.ALL_TO_ALL, 0, weight_bits, False)


def _rules(program: Program) -> dict[str, int]:
    """The program's learning rules, numbered from 1; the same rule has one number."""
    found = dict.fromkeys(repr(s.rule) for s in program.synapses if s.rule is not None)
    return {rule: number for number, rule in enumerate(found, 1)}


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


def memory_bytes(demand: Demand, part: Part, machine: NeuromorphicMachine) -> int:
    """Synaptic memory of these neurons of the population on one core."""
    shared = machine.capabilities.shared_kernels.value
    return sum(i.memory_bytes(part, shared, machine.limits) for i in demand.incoming)


def _state_words(program: Program, name: str) -> int:
    """32-bit words of state.

    Membrane, both counts in one, one for each dendrite, post values, bias, synaptic current, both
    averages. A mean has no membrane, and its counts fill a word each.
    """
    population = program.population(name)
    compartments = {
        s.compartment for s in program.arriving[name] if s.compartment in COMPARTMENT_OF.values()
    }
    soma = population.soma
    biased = isinstance(soma, Soma) and bool(soma.bias)
    current = isinstance(soma, Soma) and soma.current_decay is not None
    averages = 0 if population.averages is None else 2
    own = int(bool(population.post_values)) + int(biased) + int(current)
    return 2 + len(compartments) + own + averages
