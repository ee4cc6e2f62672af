"""Loihi 2 with some limits of other sizes."""

from __future__ import annotations

from dataclasses import replace

from compiler.targets import Target, load_target


def loihi2_with(**values: int) -> Target:
    """The machine with these limits."""
    target = load_target("loihi2-sim")
    limits = target.machine.limits
    changed = {
        name: getattr(limits, name).model_copy(update={"value": value, "low": 0})
        for name, value in values.items()
    }
    machine = target.machine.model_copy(update={"limits": limits.model_copy(update=changed)})
    return replace(target, machine=machine)
