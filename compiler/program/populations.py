"""A population with what it sends and what it writes for its synapses, and when."""

from __future__ import annotations

from dataclasses import dataclass

from compiler.averages import Averages
from compiler.program.somata import Relay, Soma, Tally
from compiler.terms import Map, Quantity


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
