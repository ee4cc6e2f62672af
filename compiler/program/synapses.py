"""A projection: integer weights, when they deliver, and the rule by which they learn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from compiler.program.rules import SumOfProducts
from compiler.program.widths import TAG_UNITS
from compiler.terms import CENTRED, Compartment, Connection, Geometry


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
