"""`clapp-neuro energy-check`."""

from __future__ import annotations

import clapp_neuro
from clapp_neuro.commands.app import Json, command
from clapp_neuro.show import dump, lines, table

HEADER = ("measurement", "estimate", "90 % band", "measured", "ratio", "verdict", "source")


@command("clapp-neuro energy-check --json check.json")
def energy_check(json: Json = None) -> None:
    """Estimates of published workloads beside what was measured on silicon."""
    result = clapp_neuro.energy_check()
    dump(json, result)
    outside = {i for i, case in enumerate(result.cases) if case.independent and not case.within}
    table(HEADER, [case.row() for case in result.cases], red=outside)
    lines("Assumed, because our sources do not say it:")
    lines(*(f"- {text}" for text in result.assumptions))
    lines("Not built:")
    lines(*(f"- {m['what']}: {m['reason']} ({m['source']})" for m in result.not_built))
    lines(
        "A band is that of the coefficients at both ends of the assumed rates, so wider than 90 %. "
        "Nothing is fitted to these measurements."
    )
