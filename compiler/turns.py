"""Kernels that learn in turn: one set of synapses sees one position of a map after the other.

A shared kernel lies, static, on every core that holds a part of its map. What all positions say
about it is learned by one set of synapses beside them, from k * k * C_in buffers onto C_out
learners, one a channel:

    source      a neuron at (row, column) sends its trace at its own
                tau = sent(slot) + row * stride + column
    buffer      (channel, dy, dx), with dy and dx from -(k // 2) to k // 2, hears all neurons of its
                channel, at most one in a step; it passes on what it heard
                depth - (dy * stride + dx) time steps ago, and so, when a position has its turn,
                what the position sees there
    target      a neuron at (row, column) sends its post value at tau = slot + row * stride + column
    learner     hears all neurons of its channel, and writes what it hears into the post register
                of its synapses, which learn in that step: learned(slot) + row * stride + column

Each row of the map takes k // 2 steps more than it has positions, and each slot k // 2 rows more:
what a position would see beyond the border then comes in a step in which nobody sends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compiler.ir import Projection
from compiler.program import Program, Synapses
from compiler.terms import Connection


@dataclass(frozen=True)
class Turns:
    """When each position of a map has its turn, in time steps."""

    height: int
    width: int
    kernel: int

    @property
    def stride(self) -> int:
        """From a position to the one below."""
        return self.width + self.kernel // 2

    @property
    def duration(self) -> int:
        """From one slot to the next, at least."""
        return (self.height + self.kernel // 2) * self.stride

    @property
    def span(self) -> int:
        """From the first position to the last, both counted."""
        return (self.height - 1) * self.stride + self.width

    @property
    def depth(self) -> int:
        """By how much a source neuron sends before the position at its own place has its turn."""
        return self.kernel // 2 * (self.stride + 1)

    @property
    def kept(self) -> int:
        """The messages that a buffer keeps, at most."""
        return 2 * self.depth + 1

    def sent(self, slot: int, climbs: int) -> int:
        """The source's own tau at which its first neuron sends; it lies `climbs` levels below."""
        return slot + climbs - self.depth

    def learned(self, slot: int) -> int:
        """The target's own tau at which synapses learn from the first position."""
        return slot + 1

    def of_positions(self) -> np.ndarray:
        """(height * width,) when each position has its turn, counted from the first."""
        rows, columns = np.divmod(np.arange(self.height * self.width), self.width)
        return rows * self.stride + columns


def in_turn(s: Synapses | Projection) -> bool:
    """Whether kernels learn that all positions of a map share."""
    return s.connection is Connection.CONVOLUTION and s.rule is not None


def turns_of(program: Program, s: Synapses) -> Turns:
    """The turns of the positions of a convolution's target."""
    return Turns(*program.population(s.target).map[1:], s.weights.shape[-1])


def buffers_of(s: Synapses) -> str:
    """The name of the buffers."""
    return f"{s.name} buffers"


def learners_of(s: Synapses) -> str:
    """The name of the learners."""
    return f"{s.name} learners"


def counts_of(s: Synapses) -> str:
    """The name of the projection from the source onto the buffers."""
    return f"{s.name} counts"


def post_values_of(s: Synapses) -> str:
    """The name of the projection from the map onto the learners."""
    return f"{s.name} post values"


def traces_of(s: Synapses) -> str:
    """The name of the projection from the buffers onto the learners, which learns."""
    return f"{s.name} traces"


def heard_in_turn(program: Program, population: str) -> tuple[tuple[str, str], ...]:
    """(projection, target) of the buffers and learners that hear a population."""
    counts = ((counts_of(s), buffers_of(s)) for s in program.leaving[population] if s.in_turn)
    values = (
        (post_values_of(s), learners_of(s)) for s in program.arriving[population] if s.in_turn
    )
    return (*counts, *values)
