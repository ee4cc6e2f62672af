"""The network as the front ends read it: what is computed and what is learned, in real numbers.

Everything here is frozen data. A `Network` holds populations, the projections between them, the
local learning rules of the plastic projections, and the comparators and broadcast signals that
gate those rules. No pass edits a network in place; each returns a new one.

Activity is organised in *fixations*: one input is shown for `Schedule.steps` time steps, every
neuron counts its spikes, and the counts of this fixation and of the one before are what the
learning rules see (paper Eq. 6 to 8).

A network that only computes, as snnTorch or Norse run it, is shown one fixation of T steps: all
state begins anew with it and is kept throughout. Time is then each population's own: what a
neuron of one level sends in its step t arrives at the level above in that level's step t, and what
it sends to its own level arrives in step t+1. `Projection.delay` says which is meant.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from compiler.ir.spike_timing import SpikeTimingRule

# What source and compiled program both name; `as` says that it is to be had from here, too.
from compiler.terms import CENTRED as CENTRED
from compiler.terms import PRE_QUANTITIES as PRE_QUANTITIES
from compiler.terms import Compartment as Compartment
from compiler.terms import Connection as Connection
from compiler.terms import Geometry as Geometry
from compiler.terms import Map as Map
from compiler.terms import Quantity as Quantity
from compiler.terms import Reset as Reset
from compiler.terms import per_neuron as per_neuron

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


@dataclass(frozen=True)
class Term:
    """One product of a learning rule: coefficient * gate * prod(post) * pre.

    `gate` names a comparator or a modulator. `rectified` says what of its value counts: "" the
    value, "half" where it is positive (half-wave), "full" its magnitude (full-wave).

    With `rewarded` the post quantities are what a neuron expects of a critic that points at it:
    coefficient * (R - prod(post)) * pre, with R = 1 where the gate is positive, 0 where it is
    negative; nothing where it is 0.
    """

    coefficient: float
    pre: Quantity
    post: tuple[Quantity, ...]
    gate: str | None = None
    rectified: str = ""
    rewarded: bool = False

    def __str__(self) -> str:
        if self.rewarded:
            expected = "·".join(q.value for q in self.post)
            return f"{self.coefficient:g}·({self.gate} - {expected})·pre.{self.pre.value}"
        value = {"": "{}·", "half": "max(0, {})·", "full": "|{}|·"}[self.rectified]
        gate = value.format(self.gate) if self.gate else ""
        post = "·".join(q.value for q in self.post)
        return f"{self.coefficient:g}·{gate}{post}·pre.{self.pre.value}"


@dataclass(frozen=True)
class PreTraces:
    """Exponential traces by which synapses know their presynaptic neuron, in place of counts.

    Each spike raises both, and each time step of the whole fixation, its rest included, leaves
    exp(-1/tau) of them; tau in time steps, fast < slow. With X^ = X / (what a spike in every step
    of one presentation leaves), both as the presentation ends, and a period of P steps,

        count = X^_fast,   previous count = (X^_slow - X^_fast) / (exp(-P/slow) - exp(-P/fast))
    """

    fast: float
    slow: float


@dataclass(frozen=True)
class LearningRule:
    """A local rule: the weight change of one synapse is the sum of its terms.

    With `traces` the presynaptic counts of its terms are what those say of them.
    """

    name: str
    terms: tuple[Term, ...]
    traces: PreTraces | None = None

    def __str__(self) -> str:
        return f"{self.name}: ΔW = " + " + ".join(str(term) for term in self.terms)


@dataclass(frozen=True, eq=False)
class Projection:
    """Synapses from one population onto another; `connection` says what `weights` holds.

    A convolution has a `geometry`; one that learns keeps the map's height and width. `carries` is
    what it brings: spikes or counts, or a quantity that the source has collected itself.

    `delay`, of spikes onto a soma: what the source sends in its step t arrives in step t + delay of
    the target. A projection that climbs c levels may have any delay of at least 1 - c: 0 to a
    higher level (one that climbs several skips a layer), 1 or more within a level (recurrent), 2
    or more to the level below. The first `delay` steps of a fixation hear nothing from it.
    """

    name: str
    source: str
    target: str
    compartment: Compartment
    weights: np.ndarray
    rule: LearningRule | SpikeTimingRule | None = None
    connection: Connection = Connection.ALL_TO_ALL
    carries: Quantity = Quantity.COUNT
    delay: int = 0
    geometry: Geometry = CENTRED

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Projection):
            return NotImplemented
        return (
            {k: v for k, v in self.__dict__.items() if k != "weights"}
            == {k: v for k, v in other.__dict__.items() if k != "weights"}
        ) and np.array_equal(self.weights, other.weights)

    def __str__(self) -> str:
        shape = "x".join(str(n) for n in self.weights.shape)
        plastic = f", {self.rule}" if self.rule else ""
        return (
            f"{self.name}: {self.source} -> {self.target}.{self.compartment.value} {shape}{plastic}"
        )


@dataclass(frozen=True)
class Modulator:
    """A signal from outside the network, one value a fixation: -1, 0, +1, for a critic a class.

    Rules may name it where it is a sign that is known as the fixation begins.
    """

    name: str


@dataclass(frozen=True)
class Comparator:
    """The layer's gate (paper Appendix C): one interneuron that sums coincidences.

    u = sum_j prod(score)_j over the population;  gate = y where y * u < margin, else 0, with y
    the value of `modulator`. The gate is what the terms of a rule name.

    `left` is the margin where y = -1 (None: the same). With `norm`, the interneuron also sums the
    squares of that quantity, and both u and the gate are divided by its Euclidean norm over the
    population; the gate is closed where that is zero.

    With `classes` C it is a critic, which rewards the population for naming the right class: its
    neurons take turns in standing for the classes, neuron j for class j mod C; the sum of each
    class is formed, and the gate is C-1 where the first of the largest is that of class y, -1 where
    it is not, and 0 where y < 0: nothing on average for who guesses. There is no margin then.

    A critic that `points` tells only the neurons of the class that was named: their gate is +1
    where it is class y, -1 where it is not; that of all others is 0. With `noise` every neuron adds
    to its score a random number, uniform between -noise and +noise, so that each class is tried.
    """

    name: str
    population: str
    modulator: str
    margin: float
    score: tuple[Quantity, ...] = (Quantity.COUNT, Quantity.APICAL)
    left: float | None = None
    norm: Quantity | None = None
    classes: int = 0
    points: bool = False
    noise: float = 0.0

    @property
    def largest(self) -> int:
        """The largest magnitude of a critic's gate."""
        return 1 if self.points else max(1, self.classes - 1)

    @property
    def margins(self) -> tuple[float, float]:
        """The margins for y = +1 and y = -1."""
        return self.margin, self.margin if self.left is None else self.left

    @property
    def sums(self) -> int:
        """How many sums it forms; each takes one time step after the presentation."""
        return 1 if self.norm is None else 2


@dataclass(frozen=True)
class Schedule:
    """How long one fixation is shown, in time steps, and how long nothing is, before the next.

    Rules that learn once a fixation find the rest that they need themselves, unless it is part of
    what their traces mean.
    """

    steps: int
    rest: int = 0


@dataclass(frozen=True)
class Network:
    """The whole source program; `calibration` holds statistics measured on real input."""

    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    schedule: Schedule
    comparators: tuple[Comparator, ...] = ()
    modulators: tuple[Modulator, ...] = ()
    calibration: dict[str, float] = field(default_factory=dict)
    provenance: dict[str, str] = field(default_factory=dict)

    def population(self, name: str) -> Population:
        """The population of that name; KeyError if there is none."""
        return self._populations[name]

    @cached_property
    def _populations(self) -> dict[str, Population]:
        return {p.name: p for p in self.populations}

    @cached_property
    def arriving(self) -> dict[str, tuple[Projection, ...]]:
        """The projections that end on each population; KeyError where one ends on none."""
        found: dict[str, list[Projection]] = {p.name: [] for p in self.populations}
        for p in self.projections:
            found[p.target].append(p)
        return {name: tuple(some) for name, some in found.items()}

    def __str__(self) -> str:
        lines = [f"network, {self.schedule.steps} steps a fixation"]
        for p in self.populations:
            kind = "input" if p.neuron is None else str(p.neuron)
            size = "x".join(str(n) for n in p.shape) if p.shape else str(p.size)
            lines.append(f"  population {p.name}: {size} x {kind}, level {p.level}")
        lines += [f"  projection {p}" for p in self.projections]
        lines += [f"  comparator {c}" for c in self.comparators]
        lines += [f"  modulator {m.name}" for m in self.modulators]
        return "\n".join(lines)
