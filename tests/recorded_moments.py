"""What a record of steps says of learning, held against the counts of the whole run."""

from __future__ import annotations

import numpy as np

from compiler.energy.ledger import ledgers
from compiler.events import Events
from compiler.events.moments import Cause
from compiler.events.profiles import happened
from compiler.passes.placing.placement import Placement
from compiler.targets import NeuromorphicMachine
from compiler.terms import Connection


def steps_of(events: Events, what: str, name: str = "") -> np.ndarray:
    """How often a cause of learning happened in each step of the chip."""
    assert events.record is not None and events.record.stride == 1
    return happened(events, events.record, events.moments[Cause(what, name)])  # type: ignore[arg-type]


def require_sums(events: Events) -> None:
    """All steps together are what the engine counted in all, and none has less than nothing."""

    def number(what: str, name: str) -> float:
        steps = steps_of(events, what, name)
        if not in_turn:  # there parts of a step's count are shared out
            assert steps.min(initial=0) >= 0 and np.array_equal(steps, np.round(steps)), what
        return float(np.round(steps.sum(), 6))

    in_turn = any(s.name.endswith(" traces") for s in events.projections)
    for p in events.populations:
        if Cause("messages", p.name) not in events.moments or p.name.endswith(" buffers"):
            continue
        assert number("graded", p.name) == p.graded_messages, p.name
        assert number("busy", p.name) == p.phase_active_updates, p.name
        assert number("resting", p.name) == p.phase_idle_updates, p.name
        assert number("scores", p.name) == p.score_messages, p.name
        assert number("written", p.name) == p.post_writes, p.name
    for s in events.projections:
        if s.name.endswith((" counts", " post values", " traces")):
            continue
        assert number("delivered", s.name) + number("ignored", s.name) == s.messages, s.name
        if s.connection is Connection.ALL_TO_ALL and s.form == "dense":
            operations = s.forward_operations + s.delivered_operations
            assert number("delivered", s.name) * s.fan_out == operations, s.name
            assert number("ignored", s.name) * s.fan_out == s.ignored_operations, s.name
        if not s.plastic:
            continue
        if s.carry_visits:
            assert number("looked", s.name) == s.carry_visits, s.name
            assert number("carried", s.name) == s.carries, s.name
        updated = number("updated", s.name)
        if Cause("looked", s.name) in events.moments and s.connection is Connection.ALL_TO_ALL:
            assert updated * s.fan_out == s.plastic_updates, s.name
            assert number("visited", s.name) * s.fan_out == s.learning_visits, s.name
        if updated:
            assert s.plastic_updates % updated == 0, s.name
    for g in events.gates:
        assert number("opened", g.name) == g.broadcasts, g.name
        assert number("busy", g.name) == g.active_updates, g.name
        assert number("resting", g.name) == g.idle_updates, g.name


def require_shares(events: Events, placement: Placement, machine: NeuromorphicMachine) -> None:
    """What cores do in all steps is what they do in all, and in no step less than nothing."""
    inference, learning = ledgers(events, placement, machine.routing)
    work = learning.steps
    assert work is not None and inference.steps is not None
    sums = work.counts.sum(2)
    for row, core in enumerate(learning.cores):
        both = [core[kind] + inference.cores[row][kind] for kind in core]
        assert np.allclose(sums[row], both)
    for core in work.counts:
        steps = core @ work.profiles.T
        assert steps.min(initial=0) >= -1e-6 * max(1.0, steps.max(initial=0))
