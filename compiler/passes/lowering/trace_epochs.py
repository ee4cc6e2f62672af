"""The traces of a projection, and the due steps in which its synapses read them.

`traces` says what is learned from them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

from compiler.ir import PreTraces
from compiler.passes.lowering.schedule import Plan
from compiler.products import ACCUMULATOR, DECAY_ONE, EXPONENT_RANGE, IMPULSE_ONE, MANTISSA_MAX
from compiler.program import (
    ACCUMULATOR_BITS,
    PRODUCT_SHIFT,
    REGISTERS,
    TRACE_MAX,
    Product,
    Trace,
)

CARRY_REGISTER = REGISTERS[-1]
CARRIES = 32  # what the soma writes where whole units are due: 1 after the engine's right shift


@dataclass(frozen=True)
class Epoch:
    """A due step in which synapses learn, `gap` steps after the source's last possible spike.

    told: what y3 is in it. others: what it is in the other one; None where there is no other.
    """

    step: int
    gap: int
    told: int
    others: int | None

    @property
    def granularity(self) -> int:
        """What post values are multiples of, so that nothing of a product is dropped."""
        return 1 << PRODUCT_SHIFT if self.others is None else 2 << PRODUCT_SHIFT

    @property
    def selector(self) -> str:
        """A factor that is 0 in the other epoch."""
        assert self.others is not None
        return f"({CARRY_REGISTER}{-self.others:+d})"

    @property
    def largest(self) -> int:
        """The largest post value."""
        return TRACE_MAX // self.granularity * self.granularity

    def product(self, trace: str, register: str, sign: int = 1, mantissa: int = 1) -> Product:
        """A product that is 0 in the other epoch; without exponent and u_k."""
        if self.others is None:
            return Product(0, (trace, register), sign, mantissa)
        factors = (trace, register, self.selector)
        return Product(0, factors, sign if self.told > 0 else -sign, mantissa)

    def fits(self, mantissa: int, peak: int, exponent: int) -> bool:
        """Whether the accumulator holds a product of the largest trace and post value."""
        largest = mantissa * peak * self.largest // self.granularity
        return largest << (exponent + ACCUMULATOR_BITS) < 1 << ACCUMULATOR


@dataclass(frozen=True)
class Traces:
    """The traces of a projection.

    powers: what is left of each after a time step; left: after a period. once: what the spikes of
    a whole presentation amount to for an impulse of 1. ratio: mantissas m1 and m2.
    """

    traces: tuple[Trace, Trace]
    powers: tuple[float, float]
    left: tuple[float, float]
    once: tuple[float, float]
    ratio: tuple[int, int]

    def full(self, trace: int, gap: int) -> float:
        """F1 or F2."""
        impulse = self.traces[trace].impulse / IMPULSE_ONE
        return impulse * self.once[trace] * self.powers[trace] ** gap

    def peak(self, name: str, gap: int) -> int:
        """The largest that a trace can be in an epoch."""
        return math.ceil(TRACE_MAX * self.powers[("x1", "x2").index(name)] ** gap)

    def remembered(self, gap: int) -> float:
        """m2 x2 - m1 x1 for an activity of 1 in the fixation before, and none in this one."""
        return self.ratio[1] * self.full(1, gap) * (self.left[1] - self.left[0])


def epochs_of(plan: Plan, level: int) -> tuple[Epoch, ...]:
    """The steps in which synapses of a source at a level learn."""
    last_spike = level + plan.timetable.steps - 1
    told = (CARRIES, -CARRIES)
    alone = len(plan.together) == 1
    return tuple(
        Epoch(step, step - last_spike, told[i], None if alone else told[1 - i])
        for i, step in enumerate(plan.together)
    )


def traces_of(rule: PreTraces, plan: Plan, epoch: Epoch) -> Traces:
    """Both traces, whose difference is to be told in an epoch."""
    steps, period = plan.timetable.steps, plan.timetable.period
    decays = [round(math.exp(-1 / tau) * DECAY_ONE) for tau in (rule.fast, rule.slow)]
    powers = [decay / DECAY_ONE for decay in decays]
    once = [sum(p**age for age in range(steps)) for p in powers]
    left = [p**period for p in powers]
    # whoever spikes at every step for ever stays at the largest trace
    most = [
        math.floor(TRACE_MAX * (1 - a) / b * IMPULSE_ONE) for a, b in zip(left, once, strict=True)
    ]
    shown = [b * p**epoch.gap / IMPULSE_ONE for b, p in zip(once, powers, strict=True)]
    peaks = [math.ceil(TRACE_MAX * p**epoch.gap) for p in powers]
    impulses, ratio = _impulses(
        (most[0], most[1]), (shown[0], shown[1]), (peaks[0], peaks[1]), epoch
    )
    traces = Trace("x1", decays[0], impulses[0]), Trace("x2", decays[1], impulses[1])
    return Traces(traces, (powers[0], powers[1]), (left[0], left[1]), (once[0], once[1]), ratio)


def _impulses(
    most: tuple[int, int], shown: tuple[float, float], peaks: tuple[int, int], epoch: Epoch
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Impulses, in 1/256, and mantissas with m1 / m2 = F2 / F1.

    shown: F for an impulse of 1/256. Of the pairs those with which the largest change can be
    learned that the accumulator holds, and then those with the largest impulses.
    """
    best, found = (0.0, 0.0), ((1, 1), (1, 1))
    for fast, slow in product(range(1, MANTISSA_MAX + 1), repeat=2):
        # impulses with slow * F2 = fast * F1, the larger one as large as may be
        per_fast = fast * shown[0] / (slow * shown[1])
        first = min(most[0], math.floor(most[1] / per_fast))
        second = round(first * per_fast)
        largest = (fast, peaks[0]), (slow, peaks[1])
        scale = max(e for e in EXPONENT_RANGE if all(epoch.fits(*peak, e) for peak in largest))
        learned = slow * second * 2.0**scale
        kept = first / most[0] * second / most[1]
        if min(first, second) > 0 and (learned, kept) > best:
            best, found = (learned, kept), ((first, second), (fast, slow))
    return found
