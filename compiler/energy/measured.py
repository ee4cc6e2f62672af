"""Joules of a piece of work on the machine at hand: idle subtracted, repeated.

Counters tick a thousand times a second or slower, so the work is called as often as it takes to
fill each round. The power of the idle machine is taken before and after all rounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from compiler.energy.band import digits
from compiler.energy.meters import Meter, NotMeasured

ROUNDS = 5
ROUND_SECONDS = 0.5
REST_SECONDS = 1.0
MOST_CALLS = 100_000


@dataclass(frozen=True)
class Measured:
    """Joules above idle and seconds of one call: the median of the rounds, and their range.

    `gross` holds idle power as well; other processes on the machine are part of both.
    """

    what: str
    value: float
    low: float
    high: float
    gross: float
    idle_watts: float
    seconds: float
    rounds: int
    calls: int

    def each(self, runs: float) -> Measured:
        """The same for one of so many images."""
        values = (self.value, self.low, self.high, self.gross)
        value, low, high, gross = (x / runs for x in values)
        return Measured(
            self.what,
            value,
            low,
            high,
            gross,
            self.idle_watts,
            self.seconds / runs,
            self.rounds,
            self.calls,
        )

    @property
    def net(self) -> str:
        """The energy above idle with its range, as bands are shown."""
        scale, unit = _unit(self.value)
        value, low, high = (digits(x / scale) for x in (self.value, self.low, self.high))
        return f"{value} {unit} [{low} – {high}] A"

    @property
    def whole(self) -> str:
        """The energy with idle power."""
        scale, unit = _unit(self.gross)
        return f"{digits(self.gross / scale)} {unit} A"

    def __str__(self) -> str:
        return (
            f"{self.net} in {self.seconds:.3g} s, measured above "
            f"{self.idle_watts:.3g} W idle ({self.what}, {self.rounds} rounds of {self.calls})"
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"measured": True, "unit": "J", "grade": "A", **asdict(self)}


def _unit(joules: float) -> tuple[float, str]:
    return (1e-3, "mJ") if abs(joules) >= 1e-4 else (1e-6, "µJ")


def measure(
    meter: Meter | NotMeasured,
    work: Callable[[], object],
    *,
    rounds: int = ROUNDS,
    round_seconds: float = ROUND_SECONDS,
    rest_seconds: float = REST_SECONDS,
) -> Measured | NotMeasured:
    """The energy of calling `work`; without a meter the work is not done at all.

    A counter that fails on the way makes it not measured.
    """
    if isinstance(meter, NotMeasured):
        return meter
    try:
        work()  # compiles and fills caches
        began = time.perf_counter()
        work()
        each = max(time.perf_counter() - began, 1e-9)
        calls = min(max(1, round(round_seconds / each)), MOST_CALLS)
        before = _watts_at_rest(meter, rest_seconds)
        spent = [_round(meter, work, calls) for _ in range(rounds)]
        idle = (before + _watts_at_rest(meter, rest_seconds)) / 2
    except (OSError, ValueError) as error:
        return NotMeasured(f"the counter failed on the way: {error}")
    net = [(joules - idle * seconds) / calls for joules, seconds in spent]
    return Measured(
        what=meter.what,
        value=median(net),
        low=min(net),
        high=max(net),
        gross=median(joules for joules, _ in spent) / calls,
        idle_watts=idle,
        seconds=median(seconds for _, seconds in spent) / calls,
        rounds=rounds,
        calls=calls,
    )


def _round(meter: Meter, work: Callable[[], object], calls: int) -> tuple[float, float]:
    """(joules, seconds) of so many calls."""
    joules, began = meter.joules(), time.perf_counter()
    for _ in range(calls):
        work()
    return meter.joules() - joules, time.perf_counter() - began


def _watts_at_rest(meter: Meter, seconds: float) -> float:
    joules, began = meter.joules(), time.perf_counter()
    time.sleep(seconds)
    return (meter.joules() - joules) / max(time.perf_counter() - began, 1e-9)
