"""The comparator of a population, which opens its gate or rewards it."""

from __future__ import annotations

from dataclasses import dataclass

from compiler.program.widths import MEMBRANE_MAX
from compiler.terms import Quantity


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
