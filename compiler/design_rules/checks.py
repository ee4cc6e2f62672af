"""Design rules: every limit of a target that a network or program breaks, all at once.

Nothing here raises: `check` returns what does not fit, by how much, and what would make it fit;
`refuse` turns that into the error that a command shows. `compiler/design_rules/` has the limits.
"""

from __future__ import annotations

from clapp_neuro.errors import InputError
from compiler.design_rules.capabilities import check_capabilities
from compiler.design_rules.cores import check_cores
from compiler.design_rules.learning import check_learning
from compiler.design_rules.somata import check_somata
from compiler.design_rules.source import check_source
from compiler.design_rules.violation import Violation, farthest_first
from compiler.design_rules.widths import check_accumulators, check_widths
from compiler.ir import Network
from compiler.passes.placing.place import place_what_fits
from compiler.passes.placing.placement import Placement
from compiler.passes.placing.usage import Misfit
from compiler.program import Program
from compiler.targets import NeuromorphicMachine, Target


def check(
    subject: Program | Network,
    target: Target | NeuromorphicMachine,
    placed: tuple[Placement, tuple[Misfit, ...]] | None = None,
) -> tuple[Violation, ...]:
    """All violations, those farthest beyond their limit first; empty where it fits.

    A `Network` is checked for what is known before lowering (capabilities, registers, fan-in,
    length of a fixation); a `Program` for everything.
    """
    machine = target.machine if isinstance(target, Target) else target
    if isinstance(subject, Network):
        return farthest_first(check_source(subject, machine))
    found = list(check_capabilities(subject, machine))
    found += check_widths(subject, machine)
    found += check_learning(subject, machine.limits)
    found += check_accumulators(subject, machine.limits)
    found += check_somata(subject, machine.limits)
    sizes = list(check_cores(machine, *(placed or place_what_fits(subject, machine))))
    return farthest_first([*found, *sizes])


class LimitError(InputError):
    """A network that a target cannot hold: all `violations`, and what `also` is wrong.

    `suggested` are sentences about what was assumed and what would fit.
    """

    def __init__(
        self,
        text: str,
        violations: tuple[Violation, ...],
        also: str,
        suggested: tuple[str, ...],
    ) -> None:
        super().__init__(text)
        self.violations, self.also, self.suggested = violations, also, suggested


def refuse(
    violations: tuple[Violation, ...],
    target: str,
    also: str = "",
    suggested: tuple[str, ...] = (),
) -> None:
    """LimitError that lists all violations, `also` and `suggested`; returns where none is."""
    if not violations:
        return
    missing = len({v.limit for v in violations if v.unit == "capability"})
    exceeded = sum(v.unit != "capability" for v in violations)
    counts = []
    if missing:
        counts.append(f"{missing} {'capability' if missing == 1 else 'capabilities'} missing")
    if exceeded:
        counts.append(f"{exceeded} {'limit' if exceeded == 1 else 'limits'} exceeded")
    lines = [f"the network does not fit {target}, {' and '.join(counts)}:"]
    lines += [f"  {v}" for v in violations]
    lines += [f"  {line}" for line in (also, *suggested) if line]
    raise LimitError("\n".join(lines), violations, also, suggested)
