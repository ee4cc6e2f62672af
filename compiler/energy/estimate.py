"""Joules of a run on an event-driven machine: four lines, learning apart from inference.

    time        = as `compiler.energy.duration` says
    dynamic     = sum over kinds of events of cores and mesh of count * coefficient
    static      = time * static power of the cores in use
    management  = schedule, inputs and labels, averaged synapses: count * coefficient
    total       = their sum

Counting events misses most of what a chip draws, which is why each line is compared with the
same line only. A chip is powered as a whole: `whole_chips` is its static energy, outside the total.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from compiler.energy.band import Band, Line, NotPublished, Within, product, scaled, total
from compiler.energy.coefficients import Coefficients, parents
from compiler.energy.duration import duration
from compiler.energy.ledger import KINDS, MANAGEMENT, Ledger, ledgers
from compiler.events import CoreEvents, Events
from compiler.passes.placing.placement import Placement
from compiler.targets import NeuromorphicMachine, published

TITLES = {
    "dynamic": "neuron cores, dynamic",
    "static": "neuron cores, static",
    "management": "management and I/O",
    "total": "total",
    "whole_chips": "static of the whole chips, not in the total",
    "time": "time",
}


@dataclass(frozen=True)
class Lines:
    """The four lines, in joules of the whole run, the time in seconds, and whole chips' static."""

    dynamic: Line
    static: Line
    management: Line
    total: Line
    time: Line
    whole_chips: Line

    def each(self, runs: float) -> Lines:
        """The same for one of so many fixations or images."""
        return Lines(**{name: scaled(getattr(self, name), 1 / runs) for name in TITLES})

    def plus(self, other: Lines) -> Lines:
        """Both phases together."""
        both = {name: total([getattr(self, name), getattr(other, name)]) for name in TITLES}
        return Lines(**both)

    def to_json(self) -> dict[str, Any]:
        """Each line as plain data."""
        return {name: getattr(self, name).to_json() for name in TITLES}


@dataclass(frozen=True)
class Item:
    """One kind of event of a phase: how many, and what they cost together."""

    kind: str
    count: float
    energy: Line

    @property
    def title(self) -> str:
        """The kind in words."""
        return KINDS[self.kind].title if self.kind in KINDS else self.kind.replace("_", " ")

    def to_json(self) -> dict[str, Any]:
        """Plain data: the count beside the cost."""
        return {"count": self.count, **self.energy.to_json()}


@dataclass(frozen=True)
class Estimate:
    """A run on one machine; `learning` is what learning costs beyond the inference beside it.

    `variant` tells apart what one machine may run: a dense network, or a loop over events.
    """

    machine: str
    title: str
    fixations: int
    images: float
    inference: Lines
    learning: Lines | None  # None: the run did not learn
    inference_events: tuple[Item, ...]
    learning_events: tuple[Item, ...]
    assumptions: tuple[str, ...]
    variant: str = ""
    derived_from: tuple[str, ...] = ()  # machines whose coefficients stand for unpublished ones
    cores: tuple[CoreEvents, ...] = ()  # what each core did in the whole run
    timing: str = ""  # which steps the time comes from, in words

    @property
    def name(self) -> str:
        """Machine and variant, unique in a comparison."""
        return f"{self.machine}-{self.variant}" if self.variant else self.machine

    @property
    def label(self) -> str:
        """The title, with the machine whose coefficients it has where that is another."""
        origin = ", ".join(self.derived_from)
        return f"{self.title} (from {origin})" if origin else self.title

    @property
    def sample(self) -> Lines | None:
        """Inference and learning together, of the whole run."""
        return None if self.learning is None else self.inference.plus(self.learning)

    @property
    def ratio(self) -> Band | None:
        """Dynamic energy of a learning sample over that of inference; None where unknown."""
        both = None if self.sample is None else self.sample.dynamic
        alone = self.inference.dynamic
        if not isinstance(both, Band) or not isinstance(alone, Band) or alone.value == 0:
            return None
        return both.over(alone)

    @property
    def ratio_sentence(self) -> str:
        """The ratio beside the published range; outside of it, it needs an explanation."""
        if self.ratio is None:
            return "not known"
        known = published()["learning_to_inference"]
        inside = known["low"] <= self.ratio.value <= known["high"]
        verdict = "within" if inside else "OUTSIDE"
        return f"{self.ratio}, {verdict} the published {known['low']:g}–{known['high']:g}"

    def phases(self) -> list[tuple[str, Lines]]:
        """Lines of one image by phase; learning holds the inference beside it."""
        phases = (("inference", self.inference), ("learning", self.sample))
        return [(name, lines.each(self.images)) for name, lines in phases if lines is not None]

    def rows(self) -> list[tuple[str, ...]]:
        """Table rows an image: line, inference, learning beyond it."""
        first = self.inference.each(self.images)
        second = None if self.learning is None else self.learning.each(self.images)
        rows: list[tuple[str, ...]] = [("an image", "inference", "learning")]
        for name, title in TITLES.items():
            extra = "–" if second is None else str(getattr(second, name))
            rows.append((title, str(getattr(first, name)), extra))
        return rows

    def event_rows(self) -> list[tuple[str, ...]]:
        """Table rows an image: every kind of event, its count and cost, by phase."""
        rows: list[tuple[str, ...]] = [("phase", "events an image", "count", "energy")]
        phases = (("inference", self.inference_events), ("learning", self.learning_events))
        for phase, items in phases:
            for item in items:
                count = f"{item.count / self.images:,.1f}"
                rows.append((phase, item.title, count, str(scaled(item.energy, 1 / self.images))))
        return rows

    def to_json(self) -> dict[str, Any]:
        """Plain data: whole run, an image, a fixation; every line with its band."""
        data: dict[str, Any] = {
            "machine": self.machine,
            "variant": self.variant,
            "title": self.title,
            "derived_from": list(self.derived_from),
            "fixations": self.fixations,
            "images": self.images,
            "assumptions": list(self.assumptions),
            "timing": self.timing,
            "learning_to_inference": None
            if self.ratio is None
            else {**self.ratio.to_json(), "expected": published()["learning_to_inference"]},
        }
        phases = (
            ("inference", self.inference, self.inference_events),
            ("learning", self.learning, self.learning_events),
        )
        for name, lines, items in phases:
            data[name] = None
            if lines is not None:
                data[name] = {
                    "run": lines.to_json(),
                    "per_image": lines.each(self.images).to_json(),
                    "per_fixation": lines.each(self.fixations).to_json(),
                    "events": {item.kind: item.to_json() for item in items},
                }
        return data


def estimate(
    events: Events,
    placement: Placement,
    machine: NeuromorphicMachine,
    *,
    fixations_per_image: float = 1.0,
    seed: int = 0,
) -> Estimate:
    """The energy of a run as placed on the machine; ValueError without fixations or cores.

    seed: of the draws of the coefficients. Estimates with the same one can be compared.
    """
    if events.fixations == 0:
        raise ValueError("a run without fixations has no energy an image")
    if not placement.cores:
        raise ValueError("a placement without cores has no energy")
    coefficients = Coefficients(machine, seed)
    inference, learning = ledgers(events, placement, machine.routing)
    return Estimate(
        machine=machine.name,
        title=machine.title,
        fixations=events.fixations,
        images=events.fixations / fixations_per_image,
        inference=lines_of(inference, coefficients),
        learning=lines_of(learning, coefficients, inference) if events.learn else None,
        inference_events=items_of(inference, coefficients),
        learning_events=items_of(learning, coefficients) if events.learn else (),
        assumptions=machine.assumptions,
        derived_from=parents(machine),
        cores=tuple(
            CoreEvents(core.index, *counts)
            for core, *counts in zip(placement.cores, inference.cores, learning.cores, strict=True)
        ),
        timing=_timing(events),
    )


def _timing(events: Events) -> str:
    """Of which steps the slowest core was looked for."""
    record = events.record
    if record is None:
        return (
            "time: no steps were recorded, so of the core that is busiest in all of them: "
            "a lower bound"
        )
    which = "every fixation" if record.stride == 1 else f"one fixation in {record.stride}"
    return f"time: of the slowest core of each step, in {which} of {events.fixations:,}"


def items_of(ledger: Ledger, coefficients: Coefficients) -> tuple[Item, ...]:
    """Every kind of event that happened, with its cost."""
    items = []
    for kind, count in ledger.counts.items():
        priced = KINDS[kind].coefficient
        each = Within(KINDS[kind].within) if priced is None else coefficients.energy(priced)
        items.append(Item(kind, count, scaled(each, count)))
    return tuple(items)


def lines_of(ledger: Ledger, coefficients: Coefficients, beside: Ledger | None = None) -> Lines:
    """The lines of one phase; `beside`: the inference of the same steps, if it is learning."""
    items = items_of(ledger, coefficients)
    dynamic = _sum([item.energy for item in items if item.kind not in MANAGEMENT], "events")
    management = _sum([item.energy for item in items if item.kind in MANAGEMENT], "management")
    seconds = duration(ledger, coefficients, beside)
    static = _static(seconds, coefficients.power("static_core"), len(ledger.cores))
    chips = _static(seconds, coefficients.power("static_chip"), ledger.chips)
    everything = total([dynamic, static, management])
    return Lines(dynamic, static, management, everything, seconds, chips)


def _static(seconds: Line, power: Line, number: int) -> Line:
    if isinstance(power, Within):
        return power
    unknown = [line for line in (seconds, power) if isinstance(line, NotPublished)]
    return total(unknown) if unknown else product(scaled(power, number), seconds, "J")


def _sum(lines: list[Line], what: str) -> Line:
    return total(lines) if lines else NotPublished("nothing happened", (what,))
