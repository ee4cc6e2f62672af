"""The coefficients beside published measurements: reported, never fitted.

Publications give sizes and joules but seldom the number of spikes. So the check is the other way
round: neuron updates alone must not cost more than what was measured, and the rest, spent on
synaptic operations, implies a share of synapses active at a step that must lie in 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from compiler.energy.band import Band
from compiler.energy.coefficients import Coefficients, cost
from compiler.targets import NeuromorphicMachine, load_machine, published


@dataclass(frozen=True)
class Check:
    """One measurement: `updates` is the estimate without any synaptic operation, in joules.

    `activity` is the implied share of synapses that are active at a step, for the coefficients'
    values; None where the number of synapses is not published.
    """

    what: str
    machine: str
    measured: float
    updates: Band
    activity: float | None

    @property
    def plausible(self) -> bool:
        """Whether the measurement can be explained within the band."""
        fits = self.updates.low <= self.measured
        return fits and (self.activity is None or self.activity <= 1)

    def __str__(self) -> str:
        verdict = "plausible" if self.plausible else "NOT explained"
        implied = "" if self.activity is None else f", implies {self.activity:.1%} active synapses"
        text = f"{self.what}: {self.measured:.3g} J measured"
        return f"{text}, updates alone {self.updates}{implied}: {verdict}"

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        data = {"what": self.what, "machine": self.machine, "measured": self.measured}
        rest = {"updates": self.updates.to_json(), "activity": self.activity}
        return {**data, **rest, "plausible": self.plausible}


def against_published() -> tuple[Check, ...]:
    """All measurements of `hw_configs/published.json`."""
    checks = []
    for m in published()["measurements"]:
        machine = load_machine(m["machine"])
        if not isinstance(machine, NeuromorphicMachine):
            raise ValueError(f"{m['what']}: {m['machine']} has no neuron cores")
        coefficients = Coefficients(machine)
        idle = cost(m["neurons"] * m["steps"], coefficients.energy("neuron_update_idle"))
        operation = cost(1, coefficients.energy("synaptic_operation_dense"))
        if not isinstance(idle, Band) or not isinstance(operation, Band):
            raise ValueError(f"{m['what']}: {machine.name} publishes no such coefficient")
        activity = None
        if m["synapses"] is not None:
            rest = max(m["value"] - idle.value, 0.0)
            activity = rest / (m["synapses"] * m["steps"] * operation.value)
        checks.append(Check(m["what"], machine.name, m["value"], idle, activity))
    return tuple(checks)
