"""Populations of the source network: what their neurons compute, in real numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compiler.terms import Map, Reset

Values = float | tuple[float, ...]
"""One number for all neurons, one a channel of the map, or one a neuron (`per_neuron`)."""


@dataclass(frozen=True)
class Neuron:
    """Leaky integrate-and-fire unit, whose state begins anew with every fixation.

    With the sum I of what arrives in a step, and the population's bias b:

        u <- current_decay * u + I                          u = 0 when a fixation begins
        v <- decay * v + u + b, less what `reset` takes     v = start when a fixation begins
        spikes where v > threshold

    Without `current_decay` there is no synaptic current, u = I. A `threshold` of None: a leaky
    integrator, which never spikes and whose potential is what it has to say (no `reset` then).
    A decay is in 0..1: 1 integrates for ever, 0 forgets at once; both are exact on the chip. A
    potential to which the neuron leaks, or is reset, other than 0 is for the front end to remove:
    leaking to v0 is a bias of (1 - decay) * v0, and measuring v from the reset potential changes
    bias, threshold and start.
    """

    decay: Values
    threshold: Values | None
    reset: Reset | str = Reset.SUBTRACT
    current_decay: Values | None = None
    start: Values = 0.0

    @property
    def spiking(self) -> bool:
        """Whether it has a threshold."""
        return self.threshold is not None


@dataclass(frozen=True, eq=False)
class Averages:
    """Running mean and variance of each neuron's activity, both (N,), kept by its soma.

    Where `signal` is not 0, at the end of a fixation, over z and c, the mean first:

        mean     += share * ((z + c) / 2 - mean)
        variance += share * (((z - mean)^2 + (c - mean)^2) / 2 - variance)
    """

    signal: str
    share: float
    epsilon: float
    mean: np.ndarray
    variance: np.ndarray

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Averages):
            return NotImplemented
        return (
            (self.signal, self.share, self.epsilon) == (other.signal, other.share, other.epsilon)
            and np.array_equal(self.mean, other.mean)
            and np.array_equal(self.variance, other.variance)
        )


@dataclass(frozen=True)
class WinnerTakeAll:
    """Relay of the first of its neighbours to spike: lateral inhibition, without the inhibitors.

    The neighbour that spikes first in a fixation is its winner (of several in the same time step
    the one with the lowest bit), and only the winner's spikes pass. A neighbour's bit is the
    weight of its synapse, a power of two, so that the dendrite's sum says who spikes.
    """


@dataclass(frozen=True)
class SpatialMean:
    """One neuron a channel, whose activity is the mean activity of the channel's positions.

    It sends no spikes; its counts, and what it predicts and retrodicts, it sends as messages.
    """

    positions: int


@dataclass(frozen=True)
class Population:
    """Neurons of one kind.

    `neuron=None` marks an input, which sends 8-bit intensities; `scale` is the real value of one
    unit of what it sends. With `spikes` an input turns each intensity i into spikes instead, evenly
    spread: in step t it spikes where (i * (t + 1) + 128) >> 8 exceeds (i * t + 128) >> 8. With
    `sequence` it is given what it sends, an integer for each neuron and step: 0 or 1 where
    `sequence` is 1, else graded, of magnitude `sequence` at most.

    `level` counts layers from the input: level l runs l steps behind. Whoever hears another in the
    same step (`Projection.delay` 0) has a higher level; recurrent partners may share one.
    `shape` arranges the neurons of a convolutional layer as channels of a map. `bias` is a
    constant current of every step of the presentation, in the unit of v: one a channel or a
    neuron, or empty. `averages` where a rule needs them.
    """

    name: str
    size: int
    level: int
    neuron: Neuron | WinnerTakeAll | SpatialMean | None = None
    scale: float = 1.0
    averages: Averages | None = None
    shape: Map | None = None
    bias: tuple[float, ...] = ()
    spikes: bool = False
    sequence: int = 0

    @property
    def graded(self) -> bool:
        """Whether one graded message drives its targets for a whole fixation."""
        return self.neuron is None and not self.spikes and not self.sequence

    @property
    def largest(self) -> int:
        """The largest magnitude that it sends in a step to the somata that it drives."""
        return 255 if self.graded else max(1, self.sequence)

    @property
    def map(self) -> Map:
        """The neurons as a map; without one, each is a channel of a single position."""
        return self.shape or (self.size, 1, 1)
