"""What would make a refused program fit, each tried before it is said.

Limits of a machine are raised until the program fits, as a machine file of one's own may do; and
the machines that ship are asked whether they take it as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from compiler.design_rules.capabilities import check_capabilities
from compiler.design_rules.checks import check
from compiler.design_rules.violation import Violation
from compiler.passes.placing.place import place_what_fits
from compiler.passes.placing.placement import Placement
from compiler.passes.placing.usage import key_of
from compiler.program import Program
from compiler.targets import (
    Figure,
    NeuromorphicMachine,
    board_names,
    load_machine,
    machine_names,
)
from compiler.targets.limits import Limits

ROUNDS = 8  # of raising: what fits a core may then need more axons to it
Raised = dict[str, int]


def suggestions(
    program: Program, machine: NeuromorphicMachine, violations: tuple[Violation, ...]
) -> tuple[str, ...]:
    """Lines for the end of a refusal; none where nothing was exceeded."""
    exceeded = [v for v in violations if v.unit != "capability"]
    lines = list(_not_public(machine, exceeded))
    if exceeded and len(exceeded) == len(violations):
        lines += _raised(program, machine)
    lines += _others(program, machine)
    return tuple(lines)


def _not_public(machine: NeuromorphicMachine, exceeded: list[Violation]) -> Iterator[str]:
    """Which of the exceeded limits are assumptions, and whose."""
    keys: dict[str, list[str]] = {}
    for key in dict.fromkeys(v.key for v in exceeded if v.key):
        figure = getattr(machine.limits, key)
        if not figure.public:
            keys.setdefault(figure.source, []).append(f"{key} {figure.value:,.10g}")
    for source, named in keys.items():
        plural = "s are" if len(named) > 1 else " is"
        yield f"{', '.join(named)}: the limit{plural} assumed ({source})"


def _raised(program: Program, machine: NeuromorphicMachine) -> Iterator[str]:
    found = raise_limits(program, machine)
    if found is None:
        return
    limits, placement = found
    size = f"{_many(len(placement.cores), 'core')} on {_many(placement.chips, 'chip')}"
    if machine.name in (*machine_names(), *board_names()):
        content = json.dumps({"extends": machine.name, "limits": limits})
        yield f"tried: it takes {size} where --target names a .json file with {content}"
    else:
        yield f"tried: it takes {size} with these limits in its file: {json.dumps(limits)}"


def raise_limits(program: Program, machine: NeuromorphicMachine) -> tuple[Raised, Placement] | None:
    """Limits that let the program fit, each the next power of two, and the placement there.

    None where raising limits does not help.
    """
    raised: Raised = {}
    for _ in range(ROUNDS):
        placed = place_what_fits(program, machine)
        needs = {key_of(m.limit): 0 for m in placed[1]}
        for m in placed[1]:
            needs[key_of(m.limit)] = max(needs[key_of(m.limit)], _roomy(m.limit, m.actual))
        if not needs:
            over = check(program, machine, placed)
            if not over:
                return (raised, placed[0]) if raised else None
            if any(not v.key for v in over):
                return None
            needs = {v.key: max(o.needs for o in over if o.key == v.key) for v in over}
        raised |= needs
        machine = with_limits(machine, needs)
    return None


def with_limits(machine: NeuromorphicMachine, values: Raised) -> NeuromorphicMachine:
    """The machine with other values of some limits."""
    limits = machine.limits
    changed = {}
    for key, value in values.items():
        figure: Figure = getattr(limits, key)
        band = {"value": float(value), "low": float(value), "high": float(value)}
        changed[key] = figure.model_copy(update=band)
    other: Limits = limits.model_copy(update=changed)
    return machine.model_copy(update={"limits": other})


def _roomy(limit: str, actual: int) -> int:
    """The next power of two; a width in bits is what it is."""
    return actual if limit.startswith("bits") else 1 << (actual - 1).bit_length()


def _others(program: Program, machine: NeuromorphicMachine) -> Iterator[str]:
    """The machines that ship and take the program as it is; of boards the smallest."""
    for name in _smallest_first():
        other = load_machine(name)
        if not isinstance(other, NeuromorphicMachine) or name == machine.name:
            continue
        if not other.backends or check_capabilities(program, other):
            continue
        placed = place_what_fits(program, other)
        if not check(program, other, placed):
            cores, chips = len(placed[0].cores), placed[0].chips
            yield (
                f"tried: {name}-sim takes it, on {_many(cores, 'core')} of {_many(chips, 'chip')}"
            )
            return


def _smallest_first() -> list[str]:
    machines = [load_machine(name) for name in (*machine_names(), *board_names())]
    cores = {
        m.name: m.limits.chips.value * m.limits.usable_cores_per_chip.value
        for m in machines
        if isinstance(m, NeuromorphicMachine)
    }
    return sorted(cores, key=lambda name: cores[name])


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
