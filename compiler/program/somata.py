"""What a neuron does: integrate and fire, pass on the first spike, or add up."""

from __future__ import annotations

from dataclasses import dataclass

from compiler.terms import Integers, Reset


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
