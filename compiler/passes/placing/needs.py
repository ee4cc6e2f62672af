"""What a population needs of cores, as data: synapses that end on it, axons that leave it.

A source neuron has one axon list on each core that it reaches, and one axon leads to it
(`compiler.passes.placing.lists` says what a list takes). Where a machine shares kernels, a core
stores each kernel once, one list for each channel of the source, and one axon leads to all channels
of a position: the spike says which (population spikes, as in nengo-loihi). What stays within a
channel has one list for all channels. Kernels in groups are counted as if a core's channels began
with the last of a group, which costs the most lists. Untied kernels are shared by nobody: a core
stores those of its own positions. A core numbers its neurons by row, column, channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod

import numpy as np

from compiler.connectivity import Window, Windows
from compiler.ir import Connection, Map
from compiler.passes.placing.lists import index_bits, list_bytes
from compiler.passes.placing.part import Part
from compiler.passes.placing.settings import Settings
from compiler.targets import Limits, NeuromorphicMachine
from compiler.terms import WITHIN_CHANNELS

Format = tuple[int, int, int, int]
"""An entry of a core's table of synapse formats: bits of synapse and index, rule, exponent."""


@dataclass(frozen=True)
class Incoming:
    """Synapses that end on a population; `source` is the map of the neurons that they come from.

    `along` is what a neuron reads along rows and columns; None: everything.
    """

    name: str
    source: Map
    connection: Connection
    along: Windows | None
    synapse_bits: int
    plastic: bool
    rule: int = 0  # which of the program's learning rules, or 0
    exponent: int = 0  # the weights count 2^exponent
    delay: int = 0  # time steps for which spikes are held back
    groups: int = 1  # of channels, each connected with its own only
    channels: int = 1  # of the population, where there are groups

    def format(self, part: Part, limits: Limits) -> Format:
        """The format of its synapses on a core with these neurons."""
        return self.bits(limits), self.index_bits(part, limits), self.rule, self.exponent

    def bits(self, limits: Limits) -> int:
        """Bits of a synapse, but for those of a delay that all synapses of the machine have."""
        return self.synapse_bits + max(0, self.delay.bit_length() - int(limits.delay_bits.value))

    @property
    def fan_in(self) -> int:
        """Synapses of a neuron, away from the border."""
        _, height, width = self.source
        return self.heard * (height * width if self.along is None else self.taps)

    @property
    def channelwise(self) -> bool:
        """Whether it stays within a channel, by weights that all channels share."""
        return self.connection in WITHIN_CHANNELS

    @property
    def heard(self) -> int:
        """Channels of the source that a neuron hears."""
        return 1 if self.channelwise else self.source[0] // self.groups

    @property
    def taps(self) -> int:
        """Entries of a kernel for each channel."""
        assert self.along is not None, "all-to-all has no kernels"
        return self.along[0].width * self.along[1].width

    @property
    def centred(self) -> bool:
        """Whether parts of a map in its middle read most, as around a map there is nothing."""
        of_axes = self.along if self.connection is Connection.CONVOLUTION else None
        return all(axis == Window(axis.width, 1, axis.width // 2) for axis in of_axes or ())

    def readers(self, axis: int, first: int, stop: int) -> np.ndarray:
        """How many of the targets first .. stop-1 read each source row, or column (axis 1)."""
        assert self.along is not None, "everything is read"
        return _readers(self.along[axis], self.source[1 + axis], first, stop)

    def lists(self, part: Part) -> tuple[int, int]:
        """Channels of the source that such a part hears, and how many of its own each reaches."""
        if self.channelwise:
            return part.channels, 1
        each = self.channels // self.groups if self.groups > 1 else part.channels
        groups = min(self.groups, (part.channels + each - 2) // each + 1)
        return groups * self.heard, min(part.channels, each)

    def shares(self, machine_does: bool) -> bool:
        """Whether a core stores its kernels once, where the machine can."""
        own = (Connection.UNTIED, Connection.ONE_TO_ONE)
        return machine_does and self.along is not None and self.connection not in own

    def axon_fan_in(self, shared: bool) -> int:
        """Axons that end on a neuron; where kernels are shared, one brings all channels."""
        return self.taps if self.shares(shared) else self.fan_in

    def axons_in(self, part: Part, shared: bool) -> int:
        """Axons that a core with these neurons receives."""
        _, height, width = self.source
        channels, _ = self.lists(part)
        if self.along is None:
            return height * width * channels
        rows, columns = self._readers(part)
        positions = int(np.count_nonzero(rows) * np.count_nonzero(columns))
        return positions if self.shares(shared) else positions * channels

    def synapses(self, part: Part) -> int:
        """Synapses of these neurons; at the border of a map there are fewer."""
        if self.along is None:
            return part.neurons * self.fan_in
        rows, columns = self._readers(part)
        return part.channels * self.heard * int(rows.sum()) * int(columns.sum())

    def stored(self, part: Part, shared: bool) -> int:
        """Weights that a core with these neurons stores."""
        if self.shares(shared) and not self.channelwise:
            return self.taps * self.heard * part.channels
        return self.synapses(part)

    def index_bits(self, part: Part, limits: Limits) -> int:
        """Bits of the index that says which neuron of the core a synapse ends on."""
        if self.along is None and not self.channelwise:
            return 0
        if self.along is None:
            span = (part.rows * part.columns - 1) * part.channels + 1
            return index_bits(part.rows * part.columns, span, limits)
        _, channels = self.lists(part)
        needed = 0
        down, across = (axis.apart for axis in self.along)
        rows, columns = self._readers(part)
        for tall, wide in product({*rows.tolist()} - {0}, {*columns.tolist()} - {0}):
            between = (tall - 1) * down * part.columns + (wide - 1) * across
            span = between * part.channels + channels
            needed = max(needed, index_bits(tall * wide * channels, span, limits))
        return needed

    def memory_bytes(self, part: Part, shared: bool, limits: Limits) -> int:
        """Synaptic memory on a core with these neurons."""
        bits = self.bits(limits) + self.index_bits(part, limits)
        sources, reached = self.lists(part)
        if self.along is None:
            length = part.rows * part.columns * reached
            return self.axons_in(part, shared) * list_bytes(length, bits, limits)
        readers = self._readers(part)
        if self.shares(shared):
            if not self.channelwise:
                return sources * list_bytes(self.taps * reached, bits, limits)
            # a kernel is one list for each place that a neuron reads, of all that read it
            length = int(readers[0].max(initial=0) * readers[1].max(initial=0))
            return self.taps * list_bytes(length, bits, limits)
        total = 0
        rows, columns = (np.unique(r, return_counts=True) for r in readers)
        for tall, many in zip(*rows, strict=True):
            for wide, often in zip(*columns, strict=True):
                total += int(many * often) * list_bytes(int(tall * wide) * reached, bits, limits)
        return total * sources

    def _readers(self, part: Part) -> tuple[np.ndarray, np.ndarray]:
        """How many of the part's rows read each source row, and the same of columns."""
        _, rows, columns = part.box
        return self.readers(0, rows.start, rows.stop), self.readers(1, columns.start, columns.stop)


@lru_cache(maxsize=1 << 14)  # parts of different channels read alike
def _readers(along: Window, sources: int, first: int, stop: int) -> np.ndarray:
    counts = along.readers(sources, first, stop)
    counts.flags.writeable = False
    return counts


@lru_cache(maxsize=1 << 14)
def read(along: Window, sources: int, first: int, stop: int) -> np.ndarray:
    """(sources,) bool: along one axis, which sources the targets first .. stop-1 read."""
    found = along.reads(sources, first, stop)
    found.flags.writeable = False
    return found


@dataclass(frozen=True)
class Outgoing:
    """A projection or comparator that a population's neurons send to."""

    target: str
    along: Windows | None
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


def memory_bytes(demand: Demand, part: Part, machine: NeuromorphicMachine) -> int:
    """Synaptic memory of these neurons of the population on one core."""
    shared = machine.capabilities.shared_kernels.value
    return sum(i.memory_bytes(part, shared, machine.limits) for i in demand.incoming)
