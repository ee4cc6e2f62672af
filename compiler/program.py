"""The compiled program: integers only, every step of a fixation decided.

A fixation takes `Timetable.period` time steps. A population at level l counts its own time
tau = (time_step - 1 - l) mod period, so each level runs one step behind the one below, and a
message sent at tau reaches the level above at the same tau of that level's own time. Synapses
deliver one step after the message was sent: within a level, a spike of tau arrives at tau + 1.

    tau              what happens
    0 .. steps-1     spikes; a latched population receives its constant current at tau = 0
    steps            score messages to the comparator (a norm takes another step, and so on)
    steps+1          the comparator decides
    steps+2 ...      the gate has arrived: learning slots, as scheduled
    last slot        the prediction of the next fixation is sent, counts become previous counts

A population sends at most one graded message a step, to all its targets; targets that do not
listen at that step ignore it. A message leaves through the weights of before that step's carry.
Both engines, the simulator and Lava, execute this data and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import numpy as np

from compiler.averages import Averages
from compiler.terms import (
    CENTRED,
    Compartment,
    Connection,
    Geometry,
    Integers,
    Map,
    Quantity,
    Reset,
)

ACCUMULATOR_BITS = 7  # fraction bits of a tag or weight in the learning engine (Loihi: 15+sign)
EXPONENTS = range(-7, -2)  # of dt: below, a negative shift; above, products beyond 15 bits
REGISTERS = ("y1", "y2", "y3")  # the post values that a synapse sees
MACHINE = "machine"  # key of a program's provenance: the machine, where it is not one that ships
DECAY_ONE = 4096  # a decay of 1, in 12 bits
MEMBRANE_BITS = 23  # and a sign: potentials, accumulators, scores
MEMBRANE_MAX = (1 << MEMBRANE_BITS) - 1
LARGEST_WEIGHT = 127  # weights are int8; no target's weight_max is larger
TRACE_MAX = 127  # 7 bits of a pre- or post-synaptic trace; post values also have a sign
NORM_BITS = 8  # fraction bits of a norm ...
RECIPROCAL_BITS = 28  # ... of its reciprocal, scaled by 2^-NORM_BITS ...
SCORE_BITS = 16  # ... and what a score is lifted by before it is divided by the norm
PRODUCT_SHIFT = 3  # the engine drops these low bits of pre * post (two 7-bit traces, mantissa 4)


@dataclass(frozen=True)
class Soma:
    """Integer LIF, in 24 bits; with the sum I of what arrives in a step:

        u <- wrap(leak(u, current_decay) + (I << input_shift))     u = 0 at tau = 0
        v <- clip(leak(v, decay) + u + bias), as `reset` changes it   v = start before tau = 0
        spikes where v > threshold

    leak(x, decay) = sign(x) * (|x| * decay >> 12);  wrap(x) = ((x + 2^23) mod 2^24) - 2^23;  clip
    to +-(2^23 - 1), also after a reset. Without `current_decay` there is no synaptic current, and
    u = I << input_shift is not wrapped. Without `threshold` it never spikes. `compiler.terms.Reset`
    says what a reset does. `bias` may be empty.

    `latched` populations receive graded messages, once, at tau = 0, and hold that current; they
    may hear spikes besides.
    """

    decay: Integers
    threshold: Integers | None
    reset: Reset
    input_shift: int
    latched: bool
    bias: tuple[int, ...] = ()
    current_decay: Integers | None = None
    start: Integers = 0

    @property
    def plain(self) -> tuple[int, int] | None:
        """(decay, threshold) where all neurons have one of each and no more; else None."""
        more = self.current_decay is not None or self.start != 0
        if more or self.reset not in (Reset.SUBTRACT, Reset.ZERO):
            return None
        if isinstance(self.decay, int) and isinstance(self.threshold, int):
            return self.decay, self.threshold
        return None


@dataclass(frozen=True)
class Relay:
    """Passes on the spikes of one of its `neighbours`, the first that spikes in a fixation.

    Their weights are 1, 2, 4 ..., so the sum I of a step is a mask of who spikes. With m the
    winner's mask, 0 when the fixation begins:  m <- m or, where m = 0, the lowest bit of I;
    spikes where I & m.
    """

    neighbours: int


@dataclass(frozen=True)
class Tally:
    """Adds up what it receives in the presentation, count <- count + I, and sends no spikes.

    A time step brings at most `most`: a spike of each position of the channel.
    """

    most: int


@dataclass(frozen=True)
class Message:
    """At `step` the soma sends the payload ((quantity >> drop) << lift); 0 is no message.

    Synapses that learn take half of the payload as their trace x1 (Loihi 2's graded spikes, mode
    OVERWRITE); synapses that only deliver multiply the whole payload. With a `stride` the neurons
    of a map send in turn, the one at (row, column) at step + row * stride + column: that is for
    kernels that learn in turn (`compiler.turns`).
    """

    step: int
    quantity: Quantity
    drop: int
    lift: int
    stride: int = 0


@dataclass(frozen=True)
class PostValue:
    """What the soma writes into a post register at `step`, zero at all other steps.

    value = gate * prod(factors); stored as granularity * ((value * multiplier + random) >> shift),
    random uniform in [0, 2^shift), then clipped to 7 bits and sign. Of a gate's value "half"
    rectified takes what is positive, "full" the magnitude.

    With `reward` the factors are what the neuron expects of a critic that points at it:
    value = reward * [gate > 0] - prod(factors), and 0 where the gate is 0.
    """

    step: int
    register: str  # y1, y2 or y3
    factors: tuple[Quantity, ...]
    gate: str | None
    multiplier: int
    shift: int
    granularity: int
    stream: int  # names the random numbers of this value
    rectified: str = ""
    reward: int = 0

    @property
    def carries(self) -> bool:
        """Whether it says that a gate is open, and nothing else: that tags are carried."""
        return not self.factors and self.rectified == "full"


@dataclass(frozen=True)
class ProgramPopulation:
    """One population with its place in the timetable; an input has no soma.

    `messages` are its graded messages; spikes (payload 1) are sent at tau < steps beside them. An
    input spikes only with `spikes`: where (i * (tau + 1) + 128) >> 8 exceeds (i * tau + 128) >> 8,
    for the intensity i. Or it has a `sequence`: at each tau < steps it sends what it is given, of
    that magnitude at most, and 0 is no message. Neurons of a map are numbered by channel, row,
    column; engines may keep them otherwise.
    """

    name: str
    size: int
    level: int
    soma: Soma | Relay | Tally | None
    messages: tuple[Message, ...] = ()
    post_values: tuple[PostValue, ...] = ()
    averages: Averages | None = None
    shape: Map | None = None
    spikes: bool = False
    sequence: int = 0

    @property
    def spiking(self) -> bool:
        """Whether it sends spikes, or what it is given, at each step of the presentation."""
        return isinstance(self.soma, Soma | Relay) or self.spikes or self.sequence > 0

    @property
    def signals(self) -> tuple[str, ...]:
        """Gates and modulators that its post values and averages name, each once."""
        named = [v.gate for v in self.post_values if v.gate is not None]
        if self.averages is not None:
            named.append(self.averages.signal)
        return tuple(dict.fromkeys(named))

    @property
    def map(self) -> Map:
        """The neurons as a map; without one, each is a channel of a single position."""
        return self.shape or (self.size, 1, 1)

    @property
    def latched(self) -> bool:
        """Whether it holds a current that graded messages bring, once."""
        return isinstance(self.soma, Soma) and self.soma.latched

    def message(self, step: int) -> Message:
        """The message sent at tau = step; StopIteration if there is none."""
        return next(m for m in self.messages if m.step == step)


@dataclass(frozen=True)
class Product:
    """sign * mantissa * 2^exponent * factors: one product of a Loihi learning rule.

    `compiler.products` says which factors there are, and what the engine does with them.
    """

    exponent: int
    factors: tuple[str, ...]
    sign: int = 1
    mantissa: int = 1

    def __str__(self) -> str:
        scale = f"2^{self.exponent}" if self.mantissa == 1 else f"{self.mantissa}*2^{self.exponent}"
        text = "*".join((scale, *self.factors))
        return text if self.sign > 0 else f"- {text}"


@dataclass(frozen=True)
class Trace:
    """An exponential trace of a synapse: x1, x2 of presynaptic spikes, y1 to y3 of postsynaptic.

    At every time step  x <- (x * decay + random) >> 12,  random uniform in [0, 2^12), and then,
    where the neuron spiked,  x <- min(x + ((impulse + random) >> 8), 127),  random in [0, 2^8).
    """

    name: str
    decay: int
    impulse: int


@dataclass(frozen=True)
class SumOfProducts:
    """What the learning engine applies to each synapse at every step: dw and dt.

    A rule that learns once a fixation accumulates in the tag t (one unit = 2^-6 of a weight unit)
    where the presynaptic neuron sent something (x0), and whole weight units are carried from t to
    w every 2^k steps (u_k), or by the management processor, which is no part of the rule. Its pre
    and post values are zero outside the learning slots. A rule that learns from spike times has
    exponential `traces` instead, and learns at any step.
    """

    dw: tuple[Product, ...]
    dt: tuple[Product, ...]
    traces: tuple[Trace, ...] = ()

    @property
    def register(self) -> str:
        """The post register that the accumulating product reads."""
        return next(f for p in (*self.dt, *self.dw) for f in p.factors if f.startswith("y"))

    @property
    def exponent(self) -> int:
        """The exponent of the accumulating product."""
        return next(p.exponent for p in (*self.dt, *self.dw) if "x1" in p.factors)

    @property
    def carry_exponent(self) -> int:
        """k: whole units are carried every 2^k time steps."""
        return next(int(f[1:]) for p in self.dw for f in p.factors if f.startswith("u"))

    @staticmethod
    def text(products: tuple[Product, ...]) -> str:
        """The rule as Lava reads it, for example `2^-5*x0*x1*y1 - 2^6*u9*sgn(t)`."""
        return " + ".join(str(p) for p in products).replace("+ - ", "- ")


TAG_UNITS = 64  # tag units in one weight unit
FINEST = 6  # as exponent: what learns in turn counts in 1/64 of the kernels' units at most


@dataclass(frozen=True, eq=False)
class Synapses:
    """Synapses with integer weights in units of `unit`; their shape is that of the connection.

    `listens` are the source's tau whose message drives the target compartment. What is summed is
    divided by 2^delivery_shift exactly (the payload was lifted by as much). An apical compartment
    may listen to all spikes of the presentation instead (`compiler.dendrites`): it adds them up,
    and the sum is the prediction for the next fixation. Spikes of the source's
    tau arrive at the target's tau + `delay`: the axon holds them back for delay + climbs - 1 time
    steps, with the levels that it climbs. What would arrive after the presentation is lost.

    What arrives at the inhibition is the bit of the winner, shifted: one step after the message, a
    neuron whose sum has not the highest bit of its relay's neighbours, 2^(neighbours - 1), sets its
    count to 0. So neither it nor its surrogate takes part in learning, now or as the fixation
    before.

    Where `averaged` is not 0 the management processor works on the synapses between fixations:
    after every so many. With S the sum of 64 * w + t over the n copies of a weight that are
    synapses and A = floor((2 S + n) / (2 n)), it writes w = (A + 32) >> 6, clipped to the weights'
    range, and t = A - 64 * w, clipped to the tags', into all of them. Untied convolutions have
    such copies. Of others there is one, A = S, and their rule leaves it to this processor to carry
    whole units from the tag into the weight.

    Of a pair the low synapses name the high ones, `into`. Both connect the same neurons. The low
    ones learn in their weight, which counts 2^-`fine` of a unit of the high ones, and end on a
    compartment that nobody reads; the high ones drive the target, and have no rule. With h and l
    the two weights, n = 2^fine and A = n * h + l, the management processor writes
    h = floor((A + n / 2) / n) and l = A - n * h, both clipped to the weights' range.

    A convolution that has a rule learns in turn (`compiler.turns`): at a slot begins the turn of
    the first position. `weights` are the kernels that all positions share. The synapses that learn
    lie elsewhere. With a weight w' and a tag t' of their own they keep the sum 64 * w' + t', here
    `tags`, clipped to 64 times the largest weight; w' counts 2^-`fine` of a unit of the kernels.
    From this sum the processor moves whole units into the kernels: with n = 64 * 2^fine and
    A = n * w + t, it writes w = floor((A + n / 2) / n) and t = A - n * w.
    """

    __pydantic_config__: ClassVar[dict[str, bool]] = {"arbitrary_types_allowed": True}  # arrays

    name: str
    index: int
    source: str
    target: str
    compartment: Compartment
    weights: np.ndarray = field(repr=False)
    tags: np.ndarray | None = field(repr=False)
    unit: float
    listens: tuple[int, ...]
    delivery_shift: int
    rule: SumOfProducts | None = None
    slots: tuple[int, ...] = ()  # the target's tau at which it learns
    connection: Connection = Connection.ALL_TO_ALL
    averaged: int = 0
    fine: int = 0
    delay: int = 0
    geometry: Geometry = CENTRED  # of a convolution
    into: str = ""

    @property
    def paired(self) -> bool:
        """Whether these are the low synapses of a pair."""
        return bool(self.into)

    @property
    def changes(self) -> bool:
        """Whether weights change while the network learns, by a rule or by the processor alone."""
        return self.rule is not None or self.averaged > 0

    @property
    def in_turn(self) -> bool:
        """Whether these are kernels that learn, which all positions of a map share."""
        return self.connection is Connection.CONVOLUTION and self.rule is not None

    @property
    def tag_units(self) -> int:
        """Units of `tags` in one of `weights`."""
        return TAG_UNITS << self.fine

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Synapses):
            return NotImplemented
        mine = {k: v for k, v in self.__dict__.items() if k not in ("weights", "tags")}
        theirs = {k: v for k, v in other.__dict__.items() if k not in ("weights", "tags")}
        same_tags = (self.tags is None) == (other.tags is None) and (
            self.tags is None or np.array_equal(self.tags, other.tags)  # type: ignore[arg-type]
        )
        return mine == theirs and same_tags and np.array_equal(self.weights, other.weights)


@dataclass(frozen=True)
class Gate:
    """Comparator of one population: gate = y where y * u < margin, else 0.

    u sums (product of `score` quantities) >> score_shift over the population, clipped to 24 bits.
    `left` is the margin where y = -1 (None: the same). With `norm` the neurons send a second score
    message, the square of that quantity, whose sum q is clipped alike, and

        N = floor(sqrt(q * 2^16)),   u <- floor(u * 2^16 / N) clipped,   gate <- y * floor(2^28 / N)

    with u = gate = 0 where N = 0. Root and quotients come one digit after the other, by shift,
    compare and subtract: a soma needs no instruction that divides.

    With `classes` C it is a critic: there is a sum for each class c, of the neurons j = c mod C;
    the gate is C-1 (at least 1) where the first of the largest sums is that of class y, else -1,
    and 0 where y is no class; u is the sum of class y less the largest of the others.

    A critic that `points` sends 1 instead of C-1, and its gate reaches only the neurons of the
    class that it names, those of the first of the largest sums; for all others it is 0. With
    `noise` bits a neuron adds to its score a random number, uniform in [-2^(noise-1),
    2^(noise-1)), drawn from `stream` as it sends the message, `after` steps after the presentation.

    With `serial` B the neurons' messages are binary spikes: a message, clipped to B bits with its
    sign, leaves as two's complement on an axon of its own, a bit a time step, highest first, and
    the comparator adds u <- 2 u + (bits that arrive), the first ones with a minus. Its gate is a
    spike on one of two axons, for +1 and for -1.
    """

    name: str
    population: str
    modulator: str
    margin: int
    score_shift: int
    score: tuple[Quantity, ...] = (Quantity.COUNT, Quantity.APICAL)
    left: int | None = None
    norm: Quantity | None = None
    classes: int = 0
    serial: int = 0
    points: bool = False
    noise: int = 0
    stream: int = 0
    after: int = 0

    @property
    def margins(self) -> tuple[int, int]:
        """The margins for y = +1 and y = -1."""
        return self.margin, self.margin if self.left is None else self.left

    @property
    def largest(self) -> int:
        """The largest magnitude of a critic's gate."""
        return 1 if self.points else max(1, self.classes - 1)

    @property
    def sums(self) -> int:
        """How many sums it forms: one message of every neuron for each, from `sent` on."""
        return 1 if self.norm is None else 2

    @property
    def largest_message(self) -> int:
        """The largest score message; the smallest one is at most one below its negative."""
        return (1 << (self.serial - 1)) - 1 if self.serial else MEMBRANE_MAX

    def sent(self, steps: int) -> int:
        """The tau at which the neurons send their scores."""
        return steps + self.after

    def decided(self, steps: int) -> int:
        """The tau at which it decides; the gate arrives one step later."""
        return self.sent(steps) + self.sums * max(1, self.serial)


@dataclass(frozen=True)
class Timetable:
    """Time steps of one fixation; `predict` is the last step, at which counts are shifted."""

    steps: int
    period: int
    retro: int
    predict: int

    def last_tau(self, level: int) -> int:
        """A population's own tau when the fixation of the input ends: whole units are carried."""
        return (self.period - 1 - level) % self.period


@dataclass(frozen=True)
class Program:
    """A whole compiled network, ready for an engine."""

    target: str
    seed: int
    timetable: Timetable
    populations: tuple[ProgramPopulation, ...]
    synapses: tuple[Synapses, ...]
    gates: tuple[Gate, ...]
    modulators: tuple[str, ...]
    weight_max: int
    tag_max: int
    provenance: dict[str, str] = field(default_factory=dict)

    def population(self, name: str) -> ProgramPopulation:
        """The population of that name; KeyError if there is none."""
        return self._populations[name]

    # Looked up once: programs have hundreds of parts, and passes ask for each part's neighbours.

    @cached_property
    def _populations(self) -> dict[str, ProgramPopulation]:
        return {p.name: p for p in self.populations}

    @cached_property
    def population_row(self) -> dict[str, int]:
        """Where each population stands among all: its row in an engine's tables."""
        return {p.name: row for row, p in enumerate(self.populations)}

    @cached_property
    def synapse_row(self) -> dict[str, int]:
        """Where each projection stands among all."""
        return {s.name: row for row, s in enumerate(self.synapses)}

    @cached_property
    def arriving(self) -> dict[str, tuple[Synapses, ...]]:
        """The synapses that end on each population; KeyError where one ends on none."""
        return self._sorted_by("target")

    @cached_property
    def leaving(self) -> dict[str, tuple[Synapses, ...]]:
        """The synapses that begin at each population; KeyError where one begins at none."""
        return self._sorted_by("source")

    def _sorted_by(self, end: str) -> dict[str, tuple[Synapses, ...]]:
        found: dict[str, list[Synapses]] = {p.name: [] for p in self.populations}
        for s in self.synapses:
            found[getattr(s, end)].append(s)
        return {name: tuple(some) for name, some in found.items()}

    @cached_property
    def low(self) -> dict[str, Synapses]:
        """The low synapses of each pair, by the name of the high ones."""
        return {s.into: s for s in self.synapses if s.paired}

    @property
    def forward(self) -> tuple[Synapses, ...]:
        """The synapses of the forward pass: those that drive somata which spike."""
        spiking = {p.name for p in self.populations if isinstance(p.soma, Soma | Relay)}
        driving = (s for s in self.synapses if s.compartment is Compartment.SOMA)
        return tuple(s for s in driving if s.target in spiking)

    def largest_tag(self, s: Synapses) -> int:
        """The largest magnitude of the tags of a projection."""
        return TAG_UNITS * self.weight_max if s.in_turn else self.tag_max

    def potential_unit(self, population: str) -> float:
        """The real value of one unit of a population's potential; ValueError if nothing drives it.

        Bias, threshold and start have the same unit.
        """
        soma = self.population(population).soma
        driving = [s for s in self.arriving[population] if s.compartment is Compartment.SOMA]
        if not isinstance(soma, Soma) or not driving:
            raise ValueError(f"{population} has no potential, or nothing drives it")
        return driving[0].unit / 2**soma.input_shift

    @property
    def plastic(self) -> bool:
        """Whether any synapse learns."""
        return any(s.rule is not None for s in self.synapses)
