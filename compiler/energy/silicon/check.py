"""Estimates of published workloads beside what was measured on silicon: reported, never fitted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from compiler.energy.band import PREFIXES, SMALL_PREFIXES, Band, Line, total
from compiler.energy.conventional import conventional
from compiler.energy.estimate import Estimate, estimate
from compiler.energy.silicon import backpropagation
from compiler.energy.silicon.keyword_spotting import COPIES, keyword_spotting
from compiler.energy.silicon.lsnn import lsnn
from compiler.energy.silicon.pilot_net import pilot_net
from compiler.energy.silicon.workload import ENDS, End, Rate, Workload
from compiler.passes.placing.place import place
from compiler.targets import NeuromorphicMachine, load_machine, published


@dataclass(frozen=True)
class Reading:
    """One line of an estimate: its value, and the bounds with the rates at their ends as well."""

    value: float
    low: float
    high: float
    grade: str
    source: str


@dataclass(frozen=True)
class Case:
    """One published measurement, `unit` J or s, and what we estimate of it.

    `reading` is None where a coefficient that it needs is not published. `independent` is false
    where a coefficient comes from this very measurement, which then checks nothing.
    """

    name: str
    what: str
    machine: str
    unit: str
    measured: float
    source: str
    reading: Reading | None
    independent: bool
    likely: str  # why it would be outside, on the side on which it is
    workload: str
    rates: Mapping[str, Rate]
    assumptions: tuple[str, ...]

    @property
    def ratio(self) -> float | None:
        """Estimate over measurement."""
        return None if self.reading is None else self.reading.value / self.measured

    @property
    def within(self) -> bool:
        """Whether the measurement lies in the estimate's band."""
        r = self.reading
        return r is not None and r.low <= self.measured <= r.high

    @property
    def verdict(self) -> str:
        """In words."""
        if self.reading is None:
            return "no estimate"
        if not self.independent:
            return "no check: a coefficient comes from it"
        return "within" if self.within else f"OUTSIDE: {self.likely}"

    def row(self) -> tuple[str, ...]:
        """Cells of a table: what, estimate, band, measured, ratio, verdict, source."""
        r = self.reading
        numbers = ("–", "–")
        if r is not None:
            low, high = (_quantity(bound, self.unit) for bound in (r.low, r.high))
            numbers = (_quantity(r.value, self.unit), f"{low} – {high}")
        measured = _quantity(self.measured, self.unit)
        ratio = "–" if self.ratio is None else f"{self.ratio:.2f}"
        return self.what, *numbers, measured, ratio, self.verdict, self.source

    def to_json(self) -> dict[str, Any]:
        """Plain data; keys end in the unit, `_j` or `_s`."""
        unit, r = self.unit.lower(), self.reading
        return {
            "name": self.name,
            "what": self.what,
            "machine": self.machine,
            f"estimate_{unit}": None if r is None else r.value,
            f"low_{unit}": None if r is None else r.low,
            f"high_{unit}": None if r is None else r.high,
            f"measured_{unit}": self.measured,
            "ratio": self.ratio,
            "within": self.within,
            "independent": self.independent,
            "verdict": self.verdict,
            "grade": None if r is None else r.grade,
            "source": self.source,
            "coefficients": None if r is None else r.source,
            "workload": self.workload,
            "rates": {name: vars(rate) for name, rate in self.rates.items()},
            "assumptions": list(self.assumptions),
        }


def _quantity(value: float, unit: str) -> str:
    """Three digits with a prefix of the unit."""
    for scale, prefix in (*PREFIXES, *SMALL_PREFIXES):
        if value >= scale:
            return f"{value / scale:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}"


Estimates = dict[End, Estimate]

WORKLOADS: dict[str, Callable[[], Workload]] = {
    "smnist-lsnn": lsnn,
    "kws": keyword_spotting,
    "kws-copies": partial(keyword_spotting, COPIES),
    "pilotnet": pilot_net,
    "nbp-inference": backpropagation.inference,
    "nbp-learning": backpropagation.learning,
}


def cases() -> tuple[Case, ...]:
    """Every measurement of `hw_configs/published.json`, in its order."""
    workloads = {name: build() for name, build in WORKLOADS.items()}
    found: dict[tuple[str, str], Estimates] = {}

    def estimates(workload: str, machine: str) -> Estimates:
        if (workload, machine) not in found:
            found[workload, machine] = _estimates(workloads[workload], machine)
        return found[workload, machine]

    return tuple(_case(m, workloads[m["workload"]], estimates) for m in published()["measurements"])


def _estimates(workload: Workload, name: str) -> Estimates:
    """One for each end of the rates' ranges; on a processor, of the dense network."""
    machine, program = load_machine(name), workload.program
    if isinstance(machine, NeuromorphicMachine):
        placement = place(program, machine)
        return {end: estimate(workload.events(end), placement, machine) for end in ENDS}
    return {end: conventional(workload.events(end), program, machine)[0] for end in ENDS}


def _case(
    measurement: dict[str, Any], workload: Workload, estimates: Callable[[str, str], Estimates]
) -> Case:
    m, machine = measurement, measurement.get("machine", workload.machine)
    lines = {end: line_of(e, m["line"]) for end, e in estimates(m["workload"], machine).items()}
    if m["workload"] == "kws-copies":
        alone = estimates("kws", machine)
        lines = {end: _slope(lines[end], line_of(alone[end], m["line"])) for end in ENDS}
    reading = _reading(lines)
    above = reading is not None and reading.value > m["value"]
    return Case(
        name=m["name"],
        what=m["what"],
        machine=machine,
        unit=m["unit"],
        measured=m["value"],
        source=m["source"],
        reading=reading,
        independent=reading is not None
        and not any(name in reading.source for name in m["cited_as"]),
        likely=m["above"] if above else m["below"],
        workload=workload.name,
        rates=workload.rates,
        assumptions=workload.assumptions,
    )


def line_of(estimate: Estimate, line: str) -> Line:
    """A line, or the sum of several with + between, of inference and what learning adds."""
    lines = estimate.inference if estimate.sample is None else estimate.sample
    return total([getattr(lines, name) for name in line.split("+")])


def _slope(many: Line, one: Line) -> Line:
    """What one more copy adds; errors of the coefficients that both share cancel in each draw."""
    if not isinstance(many, Band) or not isinstance(one, Band):
        return total([many, one])
    value, samples = (many.value - one.value) / COPIES, (many.samples - one.samples) / COPIES
    return Band(value, samples, many.unit, many.grade, many.source)


def _reading(lines: dict[End, Line]) -> Reading | None:
    low, value, high = (lines[end] for end in ENDS)
    if not isinstance(low, Band) or not isinstance(value, Band) or not isinstance(high, Band):
        return None
    return Reading(value.value, low.low, high.high, value.grade, value.source)
