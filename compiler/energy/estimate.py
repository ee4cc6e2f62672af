"""Joules of a run on an event-driven machine: four lines, learning apart from inference.

    dynamic     = sum over kinds of events of count * coefficient
    static      = time * static power of the cores in use (upper bound: of whole chips)
    management  = time steps * coefficient of the management CPUs and input/output
                  + synapses that they average or copy * coefficient
    total       = their sum
    time        = time steps * (barrier + step overhead) + events of the busiest core * their times

Counting events misses most of what a chip draws, which is why each line is compared with the
same line only.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from compiler.energy.band import Band, Line, NotPublished, scaled, total
from compiler.events import Deliveries, Events, Totals, deliveries, per_core
from compiler.passes.placement import Placement
from compiler.targets import Coefficient, Figure, Included, NeuromorphicMachine, published

LINE_TITLES = (
    "neuron cores, dynamic",
    "neuron cores, static",
    "management and I/O",
    "total",
)


@dataclass(frozen=True)
class Lines:
    """The four lines, in joules of the whole run, and the time in seconds it takes."""

    dynamic: Line
    static: Line
    management: Line
    total: Line
    time: Line

    def each(self, runs: float) -> Lines:
        """The same for one of so many fixations or images."""
        parts = (self.dynamic, self.static, self.management, self.total, self.time)
        return Lines(*(scaled(part, 1 / runs) for part in parts))

    def to_json(self) -> dict[str, Any]:
        """Each line as plain data."""
        names = ("dynamic", "static", "management", "total", "time")
        return {name: getattr(self, name).to_json() for name in names}


@dataclass(frozen=True)
class Ratio:
    """Energy of a learning sample over an inference sample, (inference + learning) / inference.

    Of the dynamic lines; `expected` is the published range, outside of it needs an explanation.
    """

    value: float
    low: float
    high: float
    expected: tuple[float, float]
    source: str

    @property
    def as_published(self) -> bool:
        """Whether the value lies in the published range."""
        return self.expected[0] <= self.value <= self.expected[1]

    def __str__(self) -> str:
        low, high = self.expected
        verdict = "within" if self.as_published else "OUTSIDE"
        band = f"{self.value:.3g} [{self.low:.3g} – {self.high:.3g}]"
        return f"{band}, {verdict} the published {low:g}–{high:g}"


@dataclass(frozen=True)
class Estimate:
    """A run on one machine. `events` are the parts of the dynamic lines, by kind of event."""

    machine: str
    title: str
    fixations: int
    images: float
    inference: Lines
    learning: Lines | None  # None: the run did not learn
    inference_events: dict[str, Line]
    learning_events: dict[str, Line]
    assumptions: tuple[str, ...]

    @property
    def ratio(self) -> Ratio | None:
        """Learning over inference; None where either is not known."""
        if self.learning is None:
            return None
        i, extra = self.inference.dynamic, self.learning.dynamic
        if not isinstance(i, Band) or not isinstance(extra, Band) or i.low <= 0:
            return None
        known = published()["learning_to_inference"]
        return Ratio(
            1 + extra.value / i.value,
            1 + extra.low / i.high,
            1 + extra.high / i.low,
            (known["low"], known["high"]),
            known["source"],
        )

    def rows(self) -> list[tuple[str, ...]]:
        """Table rows: line, then inference and learning an image, grade."""
        first = self.inference.each(self.images)
        second = None if self.learning is None else self.learning.each(self.images)
        rows: list[tuple[str, ...]] = [("an image", "inference", "learning", "grade")]
        for title, name in zip(
            LINE_TITLES, ("dynamic", "static", "management", "total"), strict=True
        ):
            line = getattr(first, name)
            extra = "–" if second is None else str(getattr(second, name))
            rows.append((title, str(line), extra, _grade(line)))
        return rows

    def to_json(self) -> dict[str, Any]:
        """Plain data: whole run, an image, a fixation; every line with its band."""
        phases = {"inference": self.inference, "learning": self.learning}
        parts = {"inference": self.inference_events, "learning": self.learning_events}
        data: dict[str, Any] = {
            "machine": self.machine,
            "title": self.title,
            "fixations": self.fixations,
            "images": self.images,
            "assumptions": list(self.assumptions),
            "learning_to_inference": None if self.ratio is None else asdict(self.ratio),
        }
        for name, lines in phases.items():
            data[name] = None
            if lines is not None:
                data[name] = {
                    "run": lines.to_json(),
                    "per_image": lines.each(self.images).to_json(),
                    "per_fixation": lines.each(self.fixations).to_json(),
                    "events": {kind: line.to_json() for kind, line in parts[name].items()},
                }
        return data


def estimate(
    events: Events,
    placement: Placement,
    machine: NeuromorphicMachine,
    *,
    fixations_per_image: float = 1.0,
) -> Estimate:
    """The energy of a run as placed on the machine; ValueError without fixations or cores."""
    if events.fixations == 0:
        raise ValueError("a run without fixations has no energy an image")
    if not placement.cores:
        raise ValueError("a placement without cores has no energy")
    arriving = deliveries(events, placement)
    inference = _dynamic(events.inference, arriving, machine, learn=False)
    learning = _dynamic(events.learning, arriving, machine, learn=True) if events.learn else {}
    shares = per_core(events, placement)
    busiest = [[c.inference for c in shares], [c.learning for c in shares]]
    return Estimate(
        machine=machine.name,
        title=machine.title,
        fixations=events.fixations,
        images=events.fixations / fixations_per_image,
        inference=_lines(inference, events.inference, 0, busiest[0], placement, machine),
        learning=_lines(
            learning, events.learning, arriving.copied, busiest[1], placement, machine
        )
        if events.learn
        else None,
        inference_events=inference,
        learning_events=learning,
        assumptions=machine.assumptions,
    )


def cost(count: float, coefficient: Coefficient, kind: str) -> Line | None:
    """So many events; None where there is nothing to add: no event, or included elsewhere."""
    if count == 0 or isinstance(coefficient, Included):
        return None
    if isinstance(coefficient, Figure):
        return Band.of(coefficient).scaled(count)
    return NotPublished(coefficient.missing, (kind.replace("_", " "),))


def _dynamic(
    totals: Totals, arriving: Deliveries, machine: NeuromorphicMachine, *, learn: bool
) -> dict[str, Line]:
    sent = arriving.learning if learn else arriving.inference
    injected = arriving.learning_from_host if learn else arriving.inference_from_host
    counts: dict[str, float] = {
        **_engine_counts(asdict(totals)),
        "axon_out": sent,
        "trace_write": arriving.trace_writes if learn else 0,
        "post_write": totals.post_writes,
    }
    parts = {}
    for kind, count in counts.items():
        line = cost(count, getattr(machine.energy, kind), kind)
        if line is not None:
            parts[kind] = line
    hop = cost(sent + injected, machine.energy.hop, "hop")
    if isinstance(hop, Band):
        hop = hop.times(Band.of(machine.routing.mean_hops), hop.unit)
    if hop is not None:
        parts["hop"] = hop
    return parts


def _engine_counts(events: dict[str, float]) -> dict[str, float]:
    """Events by the coefficient that they are multiplied with, in energy and in time."""
    changed = events["plastic_updates"] + events["carries"]
    visited = events["learning_visits"] + events["carry_visits"]
    return {
        "synaptic_operation": events["synaptic_operations"],
        "neuron_update_active": events["active_updates"],
        "neuron_update_idle": events["idle_updates"],
        "spike": events["messages"],
        "learning_visit": visited - changed,
        "plastic_update": changed,
    }


def _lines(
    parts: dict[str, Line],
    totals: Totals,
    copied: float,
    cores: list[dict[str, float]],
    placement: Placement,
    machine: NeuromorphicMachine,
) -> Lines:
    dynamic = total(list(parts.values()))
    seconds = _time(totals, cores, machine)
    static = _static(seconds, placement, machine)
    steps = totals.time_steps
    managed = (
        cost(steps, machine.energy.management_step, "management"),
        cost(totals.averaged + copied, machine.energy.averaged_synapse, "averaged_synapse"),
    )
    found = [part for part in managed if part is not None]
    management = total(found) if found else NotPublished("part of other lines", ("management",))
    return Lines(dynamic, static, management, total([dynamic, static, management]), seconds)


def _time(totals: Totals, cores: list[dict[str, float]], machine: NeuromorphicMachine) -> Line:
    """Cores work side by side and wait for the busiest at the barrier of every step."""

    def busy(core: dict[str, float]) -> list[Line]:
        counts = _engine_counts(core)
        parts = (cost(n, getattr(machine.time, kind), kind) for kind, n in counts.items())
        return [part for part in parts if part is not None]

    def load(parts: list[Line]) -> float:
        return sum(part.value for part in parts if isinstance(part, Band))

    slowest = max((busy(core) for core in cores), key=load, default=[])
    steps = totals.time_steps
    shared = [
        cost(steps, machine.time.barrier, "barrier"),
        cost(steps, machine.time.step_overhead, "step overhead"),
    ]
    return total([*slowest, *(part for part in shared if part is not None)])


def _static(seconds: Line, placement: Placement, machine: NeuromorphicMachine) -> Line:
    core = cost(len(placement.cores), machine.power.static_core, "static power")
    chip = cost(placement.chips, machine.power.static_chip, "static power")
    if not isinstance(core, Band) or not isinstance(chip, Band) or not isinstance(seconds, Band):
        return total([x for x in (core, chip, seconds) if isinstance(x, NotPublished)])
    # A chip is powered as a whole, also where a network uses few of its cores.
    return Band(
        seconds.value * core.value,
        seconds.low * core.low,
        seconds.high * chip.high,
        "J",
        max(seconds.grade, core.grade, chip.grade),
        (core + chip).source,
    )


def _grade(line: Line) -> str:
    return line.grade if isinstance(line, Band) else "–"
