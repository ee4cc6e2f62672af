"""`energy_check`: how the energy estimates stand beside measurements on silicon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from compiler.energy.silicon import Case, Rate, cases
from compiler.targets import published


@dataclass(frozen=True)
class EnergyCheck:
    """Every published measurement with our estimate, and those of which none can be made."""

    cases: tuple[Case, ...]
    not_built: tuple[dict[str, Any], ...]

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What no source of ours says: spike rates and all else, each once."""
        texts = [
            f"{case.workload}: {name} spikes at {rate.value:g} [{rate.low:g} – {rate.high:g}] a "
            f"neuron and step, {rate.source}"
            for case in self.cases
            for name, rate in _by_source(case).items()
        ]
        texts += [f"{case.workload}: {text}" for case in self.cases for text in case.assumptions]
        return tuple(dict.fromkeys(texts))

    def to_json(self) -> dict[str, Any]:
        """Plain data: `cases` in joules, `times` in seconds."""
        return {
            "cases": [c.to_json() for c in self.cases if c.unit == "J"],
            "times": [c.to_json() for c in self.cases if c.unit == "s"],
            "not_built": list(self.not_built),
        }


def _by_source(case: Case) -> dict[str, Rate]:
    """Each rate once, by the names of all populations that have it."""
    names: dict[Rate, list[str]] = {}
    for name, rate in case.rates.items():
        names.setdefault(rate, []).append(name)
    return {_listed(some): rate for rate, some in names.items()}


def _listed(names: list[str]) -> str:
    return ", ".join(names) if len(names) < 4 else f"each of {len(names)} populations"


def energy_check() -> EnergyCheck:
    """Builds the published workloads as programs, places, counts and estimates them."""
    return EnergyCheck(cases(), tuple(published()["not_built"]))
