"""Rolls a watched time loop up: many steps that all do the same become one step of a graph.

Calls belong to the time step of the neuron that they lead to; what leads to several steps was done
before the loop, what gathers several steps (stack, sum, a running total) after it. All steps must
do the same, but for the first, where what comes from the step before is still zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from clapp_neuro.errors import InputError
from compiler.frontends.live.recording import Call, Recording, Value, values_in
from compiler.frontends.live.time_step import Rolled, Source, StepCall, live_calls, single_step

GATHERING = ("stack", "cat", "sum", "mean", "squeeze", "transpose", "permute", "max")
ADDING = ("add", "add_", "__add__", "__iadd__", "__radd__")


def roll(
    recording: Recording, stateful: Callable[[Call], bool], sequences: Callable[[Call], bool]
) -> Rolled:
    """One step of a recording; `sequences(call)`: it takes a whole time series at once.

    Raises InputError where the steps differ, with the call that does.
    """
    counts: dict[str, int] = {}
    live = live_calls(recording, stateful)
    for call in live:
        if stateful(call):
            counts[call.name] = counts.get(call.name, 0) + 1
    if any(sequences(c) for c in live):
        return single_step(recording, live, leading=2)
    if not counts or set(counts.values()) == {1}:
        return single_step(recording, live, leading=1)
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} {count} times" for name, count in counts.items())
        raise InputError(
            f"in one forward pass the network calls {listed}: every neuron has to step once a time "
            "step; give each layer its own neuron, and step all of them in one loop"
        )
    return _Roller(recording, live, stateful, counts).rolled()


@dataclass
class _Roller:
    """A recording of a loop, and to which step each call belongs (None: done before the loop)."""

    recording: Recording
    live: tuple[Call, ...]
    stateful: Callable[[Call], bool]
    counts: dict[str, int]
    step: dict[int, int | None] = field(default_factory=dict)
    alias: dict[Value, Value] = field(default_factory=dict)  # x[t] is x, seen at step t
    gathers: dict[int, Value] = field(default_factory=dict)  # what a gathering call gathers
    notes: list[str] = field(default_factory=list)
    axes: set[int] = field(default_factory=set)

    def rolled(self) -> Rolled:
        steps = next(iter(self.counts.values()))
        self._assign()
        self._index()
        self._gather()
        by_step = [self._of(step) for step in range(steps)]
        template = by_step[1]
        for step, calls in enumerate(by_step):
            self._compare(template, calls, step)
        before = [n for n, s in self.step.items() if s is None and n not in self.gathers]
        kept = [n for n in before if Value(n) not in self.alias] + template
        local = {n: n for n in kept}
        for calls in by_step:
            local |= dict(zip(calls, template, strict=True))
        leading = 2 if self.axes else 1
        found = {}
        for n in kept:
            call = self.recording.calls[n]
            sources = tuple(self._source(v, local, self.step[n]) for v in call.values)
            timed = leading == 2 and self.step[n] is None
            found[n] = StepCall(call, sources, 2 if timed else 1)
        results = []
        for value in values_in(self.recording.returned):
            gathered = self._gathered(value)
            self._tell(value)
            if gathered.call is None or gathered.call in local:
                results.append(self._source(gathered, local, self.step.get(gathered.call or -1)))
        axis = min(self.axes, default=0)
        return Rolled(found, tuple(results), steps, leading, tuple(self.notes), axis)

    def _assign(self) -> None:
        """The step of each call that leads to a neuron, then of what follows from those."""
        calls = self.recording.calls
        users: dict[int, set[int]] = {}
        seen: dict[str, int] = {}
        for call in self.live:
            if not self.stateful(call):
                continue
            step = seen[call.name] = seen.get(call.name, -1) + 1
            waiting = [call.number]
            while waiting:
                number = waiting.pop()
                if step in users.setdefault(number, set()):
                    continue
                users[number].add(step)
                for v in calls[number].values:
                    if v.call is not None and not self.stateful(calls[v.call]):
                        waiting.append(v.call)
        for call in self.live:
            if call.number in users:
                # What leads to several steps is done before the loop, unless it follows from a
                # neuron: then it is a recurrent connection, of the step that it follows from.
                mine = users[call.number]
                from_steps = [self.step[v.call] for v in call.values if v.call is not None]
                later = [s for s in from_steps if s is not None]
                if self.stateful(call) or len(mine) == 1:
                    self.step[call.number] = min(mine)
                else:
                    self.step[call.number] = max(later) if later else None
            else:
                steps = {self.step[v.call] for v in call.values if v.call is not None} - {None}
                self.step[call.number] = max(s for s in steps if s is not None) if steps else None

    def _index(self) -> None:
        """x[t] and x[:, t] inside the loop are x at that step, where t is the step."""
        for call in self.live:
            if call.name == "unbind" and call.values:
                axis = call.arguments[1] if len(call.arguments) > 1 else 0
                self.axes.add(int(call.keywords.get("dim", axis)))
                self.step[call.number] = None
                for part in range(len(call.results)):
                    self.alias[Value(call.number, part)] = call.values[0]
                self.alias[Value(call.number)] = call.values[0]
            if call.name != "__getitem__" or not isinstance(call.arguments[0], Value):
                continue
            found = _time_index(call.arguments[1])
            step = self.step[call.number]
            if found is None or step is None:
                continue
            axis, index = found
            length = call.shape[axis]
            if index % length != step:
                raise InputError(
                    f"time step {step} of the loop looks at element {index} of the sample: look at "
                    "the sample in the order of time, one element a step"
                )
            self.axes.add(axis)
            self.alias[Value(call.number)] = call.arguments[0]

    def _gather(self) -> None:
        """Calls after the loop, and running totals, stand for what they gather."""
        for call in self.live:
            values = [self._gathered(self._seen(v)) for v in call.values]
            steps = {self.step.get(v.call) if v.call is not None else None for v in values}
            several = len([s for s in steps if s is not None]) > 1
            of_gathered = any(v.call in self.gathers for v in call.values)
            if self.stateful(call) or not values:
                continue
            names = {self._title(v) for v in values}
            if call.name in GATHERING and (several or of_gathered) and len(names) == 1:
                self.gathers[call.number] = values[-1]
            elif call.name in ADDING and self._total(call):
                self.gathers[call.number] = self._seen(call.values[-1])

    def _total(self, call: Call) -> bool:
        """Whether an addition is a running total: of 0 first, then of its own last result."""
        if any(
            call.number in [v.call for v in c.values]
            for c in self.live
            if c.name not in (*ADDING, *GATHERING)
        ):
            return False
        if len(call.values) == 1:
            other = [a for a in call.arguments if not isinstance(a, Value)]
            return bool(other) and _is_zero(other[0])
        before = call.values[0].call
        return before is not None and before in self.gathers

    def _tell(self, value: Value) -> None:
        """Notes what the network does with its results over time."""
        while value.call in self.gathers:
            name = self.recording.calls[value.call].name.strip("_")
            if name not in ("stack", "cat"):
                self.notes.append(f"the host does what comes after the loop: {name} over time")
            value = self.gathers[value.call]

    def _seen(self, value: Value) -> Value:
        while value in self.alias:
            value = self.alias[value]
        return value

    def _gathered(self, value: Value) -> Value:
        value = self._seen(value)
        while value.call in self.gathers:
            value = self._seen(self.gathers[value.call])
        return value

    def _title(self, value: Value) -> tuple[str, int]:
        if value.call is None:
            return "", 0
        return self.recording.calls[value.call].name, value.part

    def _of(self, step: int) -> list[int]:
        return [
            n
            for n, s in self.step.items()
            if s == step and n not in self.gathers and Value(n) not in self.alias
        ]

    def _source(self, value: Value, local: dict[int, int], step: int | None) -> Source:
        value = self._gathered(value) if value.call in self.gathers else self._seen(value)
        if value.call is None:
            return Source(None)
        of = self.step[value.call]
        delayed = of is not None and step is not None and of == step - 1
        return Source(local[value.call], value.part, delayed)

    def _compare(self, template: list[int], calls: list[int], step: int) -> None:
        """InputError where a step does something else than the second one."""
        names = [self.recording.calls[n].name for n in calls]
        expected = [self.recording.calls[n].name for n in template]
        if names != expected:
            odd = next(
                (a for a, b in zip(names, expected, strict=False) if a != b), "one call more"
            )
            raise InputError(
                f"time step {step} of the loop does something else than step 1 (at '{odd}'): let "
                "every step do the same"
            )
        here = {n: place for place, n in enumerate(calls)}
        there = {n: place for place, n in enumerate(template)}
        for mine, its in zip(calls, template, strict=True):
            if self._form(mine, here, step) != self._form(its, there, 1) and not (
                step == 0 and self._starts(mine, its)
            ):
                raise InputError(
                    f"time step {step} of the loop calls '{self.recording.calls[mine].name}' on "
                    "something else than step 1: let every step do the same"
                )

    def _form(self, number: int, places: dict[int, int], step: int) -> list[Any]:
        """What a call's followed arguments are, with no regard to the step."""
        call = self.recording.calls[number]
        form: list[Any] = [len(call.arguments), sorted(call.keywords)]
        for value in call.values:
            seen = self._seen(value)
            of = None if seen.call is None else self.step[seen.call]
            if of is None:
                form.append(("before", seen.call, seen.part))
            elif of == step:
                form.append(("now", places.get(seen.call or 0), seen.part))
            else:
                form.append(("earlier", step - of, self._title(seen)))
        return form

    def _starts(self, first: int, other: int) -> bool:
        """Whether the first step differs only in that what comes from before it is still zero."""
        mine, its = self.recording.calls[first], self.recording.calls[other]
        if self.stateful(mine):
            return True  # states given by name: their zeros are looked at with the neuron
        given = [a for a in (*mine.arguments, *mine.keywords.values()) if not isinstance(a, Value)]
        fewer = len(its.values) - len(mine.values)
        return fewer > 0 and sum(_is_zero(a) for a in given) >= fewer


def _time_index(index: Any) -> tuple[int, int] | None:
    """(axis, element) of an index that takes one element along one axis, else None."""
    parts = index if isinstance(index, tuple) else (index,)
    whole = slice(None)
    numbers = [(axis, p) for axis, p in enumerate(parts) if isinstance(p, int)]
    rest = [p for p in parts if not isinstance(p, int)]
    if len(numbers) != 1 or any(p is not Ellipsis and p != whole for p in rest):
        return None
    if Ellipsis in rest:
        return None
    return numbers[0]


def _is_zero(given: Any) -> bool:
    if isinstance(given, Tensor):
        return not bool(torch.count_nonzero(given))
    return given == 0 or given is None
