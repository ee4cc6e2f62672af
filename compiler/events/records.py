"""Records of what happened in a run: events as plain numbers, and their totals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, TypeVar

from compiler.events.moments import Cause, Moments
from compiler.events.steps import StepRecord
from compiler.terms import CENTRED, Connection, Geometry

Form = Literal["dense", "sparse", "convolution"]


def _of_learning(nothing: Any = 0) -> Any:
    """A field that says what only learning does; a run without it has `nothing` there."""
    return field(default=nothing, metadata={"learning": True})


@dataclass(frozen=True, kw_only=True)
class PopulationEvents:
    """Sums over all fixations. An input is injected by the host: it has no neuron updates.

    Messages leave a neuron; `graded_messages` and `score_messages` are nonzero payloads. Updates
    are neuron times step; in the phases after the presentation a population counts as active at
    the steps at which the timetable lets it receive, send or write. `signal_messages` come from
    modulators that its neurons hear directly (one a fixation: an upper bound, zero is no message),
    each to all of them. All updates of a mean count as those of the phases. `silent` and
    `saturated` count neuron-fixations with no spike and with a spike at every step. What it does at
    a step of a record it does `level` steps later on the chip.
    """

    name: str
    neurons: int
    host: bool  # an input, injected from outside
    level: int = 0
    spikes: int = 0
    forward_messages: int = 0  # graded messages that drive a soma (an input's intensities)
    graded_messages: int = _of_learning()  # the other graded messages
    score_messages: int = _of_learning()
    signal_messages: int = _of_learning()
    active_updates: int = 0
    idle_updates: int = 0
    phase_active_updates: int = _of_learning()
    phase_idle_updates: int = _of_learning()
    post_writes: int = _of_learning()
    current_wrapped: int = 0
    membrane_clipped: int = 0
    accumulator_clipped: int = _of_learning()
    post_clipped: int = _of_learning()
    silent: int = 0
    saturated: int = 0


@dataclass(frozen=True, kw_only=True)
class ProjectionEvents:
    """Sums over all fixations; synaptic operations are messages times the neuron's own fan-out.

    That is `fan_out`, but for the neurons at the border of a map, which reach fewer. `forward`
    messages and operations drive a soma, `delivered` ones a dendrite, a mean or the inhibition,
    `ignored` ones nothing. The simulator knows positions of what is forward; what is ignored or
    visited counts `fan_out` everywhere, at a border an upper bound. `trace_writes` are rows whose
    x1 was overwritten, for a projection on one core;
    `learning_visits` synapses that the engine visited, `plastic_updates` those of them that had a
    row with x1 and a post value to learn from (`plastic_updates` <= `learning_visits`).
    `averaged` are synapses that the management processor read and wrote. What kernels learn in turn
    is that of a projection of its own, from buffers onto learners (`compiler.events.turns`).

    `form` is how a core keeps the synapses: "dense" lists, "sparse" ones without the zeros, or a
    "convolution" (all connections between maps). `kernel` has the rows and columns of its kernels.
    """

    name: str
    source: str
    target: str
    connection: Connection
    kernel: tuple[int, int]
    form: Form
    fan_in: int
    fan_out: int
    geometry: Geometry = CENTRED
    messages: int = 0
    forward_messages: int = 0
    forward_operations: int = 0
    graded_operations: int = 0  # of the forward ones, those with a payload above one bit
    plastic: bool = _of_learning(False)
    delivered_operations: int = _of_learning()
    ignored_operations: int = _of_learning()
    trace_writes: int = _of_learning()
    learning_visits: int = _of_learning()
    plastic_updates: int = _of_learning()
    learning_slots: int = _of_learning()  # slots in which at least one post value was not zero
    carry_visits: int = _of_learning()
    carries: int = _of_learning()
    averaged: int = _of_learning()
    tag_clipped: int = _of_learning()
    weight_clipped: int = _of_learning()

    @property
    def synaptic_operations(self) -> int:
        """All of them, useful or ignored."""
        return self.forward_operations + self.delivered_operations + self.ignored_operations

    @property
    def units_carried(self) -> int:
        """Weights that a carry moved; those that a rule without one changed are updates."""
        return self.carries if self.carry_visits else 0


Counted = TypeVar("Counted", PopulationEvents, ProjectionEvents)


def without_learning(events: Counted) -> Counted:
    """The same record, as if nothing of learning had happened."""
    learning: dict[str, Any] = {
        f.name: f.default for f in fields(events) if f.metadata.get("learning")
    }
    return replace(events, **learning)


@dataclass(frozen=True)
class GateEvents:
    """A comparator and its broadcast to the populations `listeners`, sums over all fixations.

    `label_messages` arrive from the modulator (one a fixation: an upper bound, zero is no
    message); `broadcasts` leave, one for each fixation with an open gate, to all `fan_out` neurons.
    `score_operations` sum the score; `ignored_operations` are other messages of the population;
    `apart`: scores come on an axon of their own.
    """

    name: str
    population: str
    listeners: tuple[str, ...]
    fan_out: int
    positive: int
    negative: int
    label_messages: int
    broadcasts: int
    broadcast_operations: int
    apart: bool
    score_operations: int
    ignored_operations: int
    active_updates: int
    idle_updates: int
    score_clipped: int


@dataclass(frozen=True)
class Totals:
    """What an energy model multiplies by a coefficient; the unit of each is one event."""

    time_steps: int
    messages: int  # sent by a neuron on the chip
    host_messages: int  # injected from outside: intensities and labels
    synaptic_operations: int
    ignored_synaptic_operations: int  # of the synaptic operations
    active_updates: int
    idle_updates: int
    trace_writes: int
    post_writes: int
    learning_visits: int
    plastic_updates: int  # of the learning visits
    carry_visits: int
    carries: int  # of the carry visits
    averaged: int  # read and written by the management processor

    def __add__(self, other: Totals) -> Totals:
        return Totals(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True)
class Events:
    """A whole run: sums, and where it was kept what happened step by step.

    The first populations are those of `record`, in its order. `moments` are those of all causes
    of learning.
    """

    fixations: int
    steps: int  # time steps a fixation is shown
    time_steps: int  # of the whole run
    learn: bool
    populations: tuple[PopulationEvents, ...]
    projections: tuple[ProjectionEvents, ...]
    gates: tuple[GateEvents, ...]
    record: StepRecord | None = None
    moments: Mapping[Cause, Moments] = field(default_factory=dict)

    @property
    def inference(self) -> Totals:
        """What the forward pass needs."""
        return Totals(
            time_steps=self.fixations * self.steps,
            messages=sum(p.spikes + p.forward_messages for p in self.populations if not p.host),
            host_messages=sum(p.spikes + p.forward_messages for p in self.populations if p.host),
            synaptic_operations=sum(p.forward_operations for p in self.projections),
            ignored_synaptic_operations=0,
            active_updates=sum(p.active_updates for p in self.populations),
            idle_updates=sum(p.idle_updates for p in self.populations),
            **dict.fromkeys(_LEARNING_ONLY, 0),
        )

    @property
    def learning(self) -> Totals:
        """Everything else; all zero where the run did not learn."""
        somata = [p for p in self.populations if not p.host]
        ignored = sum(s.ignored_operations for s in self.projections)
        ignored += sum(g.ignored_operations for g in self.gates)
        delivered = sum(s.delivered_operations for s in self.projections)
        gates = sum(g.score_operations + g.broadcast_operations for g in self.gates)
        labels = sum(g.label_messages for g in self.gates)
        heard = sum(p.signal_messages * p.neurons for p in self.populations)
        return Totals(
            time_steps=self.time_steps - self.fixations * self.steps,
            messages=sum(p.graded_messages + p.score_messages for p in somata)
            + sum(g.broadcasts for g in self.gates),
            host_messages=sum(p.graded_messages for p in self.populations if p.host)
            + sum(p.signal_messages for p in self.populations)
            + labels,
            synaptic_operations=ignored + delivered + gates + labels + heard,
            ignored_synaptic_operations=ignored,
            active_updates=sum(p.phase_active_updates for p in self.populations)
            + sum(g.active_updates for g in self.gates),
            idle_updates=sum(p.phase_idle_updates for p in self.populations)
            + sum(g.idle_updates for g in self.gates),
            trace_writes=sum(s.trace_writes for s in self.projections),
            post_writes=sum(p.post_writes for p in self.populations),
            learning_visits=sum(s.learning_visits for s in self.projections),
            plastic_updates=sum(s.plastic_updates for s in self.projections),
            carry_visits=sum(s.carry_visits for s in self.projections),
            carries=sum(s.carries for s in self.projections),
            averaged=sum(s.averaged for s in self.projections),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain numbers and names, totals included."""
        totals = {"inference": asdict(self.inference), "learning": asdict(self.learning)}
        sums = asdict(replace(self, record=None, moments={}))
        del sums["record"], sums["moments"]
        return {**sums, **totals}


_LEARNING_ONLY = (
    "trace_writes",
    "post_writes",
    "learning_visits",
    "plastic_updates",
    "carry_visits",
    "carries",
    "averaged",
)
