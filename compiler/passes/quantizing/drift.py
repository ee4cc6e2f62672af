"""How far the integers of a neuron are from its real numbers, step by step, as an interval.

The same spikes arrive at both, and both spike alike. Errors are integers in real units less the
real numbers; those of weights, bias, threshold and start are known exactly when compiling. With
d the decays (' those of integers), q the unit of the potential, in which a leak is rounded towards
zero, and eta the error of the threshold h:

    e_u <- d_u' e_u + (d_u' - d_u) u + rounding + sum (w' - w) x
    e_v <- d' e_v + (d' - d) v + rounding + e_u + (b' - b)
    e_v <- e_v - eta where a reset subtracts; the error of what is left where it sets to zero

Rounding is in (-q, 0] where the integer is positive, in [0, q) where it is negative, and none for
decays of 0 and 1. Every product with d' < 1 makes an error smaller, so that it does not grow for
ever. Nothing may wrap or be clipped, which engines count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compiler.program import DECAY_ONE
from compiler.real_numbers.cells import PAY_LATER, Parameters
from compiler.terms import Reset


@dataclass(frozen=True)
class Span:
    """From `low` to `high`, one of each for every neuron."""

    low: np.ndarray
    high: np.ndarray

    @classmethod
    def exactly(cls, values: np.ndarray) -> Span:
        """Nothing between."""
        return cls(values, values)

    def __add__(self, other: Span) -> Span:
        return Span(self.low + other.low, self.high + other.high)

    def moved(self, by: np.ndarray) -> Span:
        """Both ends, by as much."""
        return Span(self.low + by, self.high + by)

    def times(self, factor: np.ndarray) -> Span:
        """All its values times a factor of any sign."""
        one, other = self.low * factor, self.high * factor
        return Span(np.minimum(one, other), np.maximum(one, other))

    def hull(self, other: Span) -> Span:
        """What holds both."""
        return Span(np.minimum(self.low, other.low), np.maximum(self.high, other.high))

    @property
    def magnitude(self) -> np.ndarray:
        """The largest of all its values."""
        return np.maximum(np.abs(self.low), np.abs(self.high))


@dataclass(frozen=True)
class Spikes:
    """bool: where there may be a spike, and where there must be one."""

    may: np.ndarray
    must: np.ndarray

    def choose(self, with_spike: Span, without: Span) -> Span:
        """What holds, given that one or the other does."""
        both = with_spike.hull(without)
        return Span(
            np.where(self.must, with_spike.low, np.where(self.may, both.low, without.low)),
            np.where(self.must, with_spike.high, np.where(self.may, both.high, without.high)),
        )


@dataclass(frozen=True)
class Step:
    """What the real neurons did in a step: the state it began with, and their spikes.

    paid: where a reset for an earlier spike came in this step; spiked: in this step.
    """

    u: Span
    v: Span
    paid: Spikes
    spiked: Spikes


class Drift:
    """The errors of a population: `u`, `v` after a step, `before` where the threshold was asked."""

    def __init__(self, real: Parameters, whole: Parameters, grain: float) -> None:
        """grain: q, the real value of one unit of the potential."""
        self._reset = real.reset
        self._leak = _Leak(real.decay, whole.decay, grain)
        self._current_leak = None
        if real.current_decay is not None and whole.current_decay is not None:
            self._current_leak = _Leak(real.current_decay, whole.current_decay, grain)
        self._bias = whole.bias * grain - real.bias
        self.threshold = np.zeros(len(real.decay))
        if real.threshold is not None and whole.threshold is not None:
            self.threshold = whole.threshold * grain - real.threshold
        self.v = self.before = Span.exactly(whole.start * grain - real.start)
        self.u = Span.exactly(np.zeros(len(real.decay)))

    def step(self, wrong: Span, real: Step) -> None:
        """wrong: sum of (w' - w) x, over what arrives in this step."""
        self.u = wrong if self._current_leak is None else self._current_leak(self.u, real.u) + wrong
        drive = self.u.moved(self._bias)
        whole = self._leak(self.v, real.v) + drive
        less = whole.moved(-self.threshold)
        reset = self._reset
        self.before = whole
        if reset in (Reset.SUBTRACT, Reset.SUBTRACT_ONCE):
            self.before = real.paid.choose(less, whole)
        elif reset in PAY_LATER:
            none = Span.exactly(np.zeros_like(whole.low))
            self.before = real.paid.choose(drive if reset is Reset.ZERO else none, whole)
        self.v = self.before
        if reset in (Reset.SUBTRACT_AT_ONCE, Reset.SUBTRACT_ONCE):
            self.v = real.spiked.choose(less, whole)
        elif reset is Reset.ZERO_AT_ONCE:
            self.v = real.spiked.choose(Span.exactly(np.zeros_like(whole.low)), whole)

    @property
    def distance(self) -> Span:
        """The error of how far the potential is above its threshold."""
        return self.before.moved(-self.threshold)


class _Leak:
    """Both decays, and the error after the leak, of the error and the real values before it."""

    def __init__(self, real: np.ndarray, whole: np.ndarray, grain: float) -> None:
        self._kept = whole / DECAY_ONE
        self._wrong = self._kept - real
        self._rounding = np.where((whole == 0) | (whole == DECAY_ONE), 0.0, grain)

    def __call__(self, error: Span, values: Span) -> Span:
        after = error.times(self._kept) + values.times(self._wrong)
        integers = values + error
        return after + Span(
            np.where(integers.high > 0, -self._rounding, 0.0),
            np.where(integers.low < 0, self._rounding, 0.0),
        )
