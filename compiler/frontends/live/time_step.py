"""One time step of a watched network: its calls, and where what they take comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from compiler.frontends.live.recording import Call, Recording, values_in


@dataclass(frozen=True)
class Source:
    """Where an argument comes from: result `part` of a call of the step; call None: the input.

    delayed: of the step before.
    """

    call: int | None
    part: int = 0
    delayed: bool = False


@dataclass(frozen=True)
class StepCall:
    """A call of the rolled step: what was called, and where its followed arguments come from.

    leading: axes in front of a sample's own (batch, or time and batch).
    """

    call: Call
    sources: tuple[Source, ...]
    leading: int


@dataclass(frozen=True)
class Rolled:
    """One time step; results: what the network returned, steps: how many were watched.

    leading: axes of the sample in front of one sample's own; with 2 `axis` is that of time.
    """

    calls: dict[int, StepCall]
    results: tuple[Source, ...]
    steps: int
    leading: int
    notes: tuple[str, ...] = ()
    axis: int = 0

    @property
    def timed(self) -> bool:
        """Whether the sample has a time axis."""
        return self.leading == 2


def live_calls(recording: Recording, stateful: Callable[[Call], bool]) -> tuple[Call, ...]:
    """The calls that lead to a neuron or a result; what else was computed is for nobody."""
    waiting = [v.call for v in values_in(recording.returned)]
    waiting += [c.number for c in recording.calls if stateful(c)]
    found: set[int] = set()
    while waiting:
        number = waiting.pop()
        if number is not None and number not in found:
            found.add(number)
            waiting += [v.call for v in recording.calls[number].values]
    return tuple(c for c in recording.calls if c.number in found)


def single_step(recording: Recording, live: tuple[Call, ...], leading: int) -> Rolled:
    calls = {
        c.number: StepCall(c, tuple(Source(v.call, v.part) for v in c.values), leading)
        for c in live
    }
    results = tuple(Source(v.call, v.part) for v in values_in(recording.returned))
    steps = recording.sample.shape[0] if leading == 2 else 1
    return Rolled(calls, results, steps, leading)
