"""Events of a placed network: what crosses to other cores, and what each core does.

A core's share is proportional to the neurons and synapses placed on it: activity is counted per
population, not per neuron, so cores of one population differ only by their sizes.
"""

from __future__ import annotations

from dataclasses import dataclass

from compiler.events.records import Events, Totals, TurnEvents
from compiler.passes.demand import BUFFERS, LEARNERS
from compiler.passes.placement import Placement


@dataclass(frozen=True)
class Deliveries:
    """Messages times receiving slices; `from_host` ones are injected and pay no axon of a core.

    Activity is counted per population, so a message reaches as many slices as a neuron of its
    population does on average: not always a whole number where a map is split by rows.
    """

    inference: float
    learning: float
    inference_from_host: float
    learning_from_host: float
    trace_writes: float  # one for each message and receiving slice of a plastic projection
    copied: float  # weights that the management processor wrote into shared kernels


def deliveries(events: Events, placement: Placement) -> Deliveries:
    """How often messages arrive at a slice of their targets, for the axon and mesh costs."""
    parts = placement.slice_counts()
    host = {p.name for p in events.populations if p.host}
    sums = {
        "inference": 0.0,
        "learning": 0.0,
        "inference_from_host": 0.0,
        "learning_from_host": 0.0,
    }
    traces = 0.0
    for s in events.projections:
        reached = placement.receiving[s.name]
        forward = s.forward_messages * reached
        rest = s.messages * reached - forward
        suffix = "_from_host" if s.source in host else ""
        sums["inference" + suffix] += forward
        sums["learning" + suffix] += rest
        traces += s.trace_writes * reached
    for p in events.populations:
        if p.signal_messages:
            sums["learning_from_host"] += p.signal_messages * parts[p.name]
    for g in events.gates:
        sums["learning"] += g.score_operations + g.ignored_operations
        sums["learning"] += g.broadcasts * sum(parts[name] for name in g.listeners)
        sums["learning_from_host"] += g.label_messages
    for t in events.turns:
        source = "learning_from_host" if t.source in host else "learning"
        sums[source] += t.heard * placement.receiving[t.name + BUFFERS]
        sums["learning"] += t.told * placement.receiving[t.name + LEARNERS]
        sums["learning"] += t.passed_on * parts[t.name + LEARNERS]
        traces += t.passed_on * parts[t.name + LEARNERS]
    copied = sum(s.averaged * placement.copies.get(s.name, 0) for s in events.projections)
    return Deliveries(trace_writes=traces, copied=copied, **sums)


@dataclass(frozen=True)
class CoreEvents:
    """A core's share of a run, split like `Events`; numbers are proportional, hence real."""

    core: int
    inference: dict[str, float]
    learning: dict[str, float]


def per_core(events: Events, placement: Placement) -> tuple[CoreEvents, ...]:
    """The share of every core: messages sent, synaptic operations, updates, learning."""
    inference: list[dict[str, float]] = []
    learning: list[dict[str, float]] = []
    shares = {p.name: _population_totals(events, p.name) for p in events.populations}
    shares |= {g.name: _gate_totals(events, g.name) for g in events.gates}
    size = {p.name: p.neurons for p in events.populations} | {g.name: 1 for g in events.gates}
    for t in events.turns:
        shares[t.name + BUFFERS], shares[t.name + LEARNERS] = _turn_totals(t)
        size[t.name + BUFFERS], size[t.name + LEARNERS] = t.buffers, t.learners
    for core in placement.cores:
        sums = (dict.fromkeys(_CORE_KEYS, 0.0), dict.fromkeys(_CORE_KEYS, 0.0))
        for part in core.slices:
            if part.population not in shares:
                continue  # a comparator of a run that did not learn
            share = part.neurons / size[part.population]
            for total, own in zip(shares[part.population], sums, strict=True):
                for key in _CORE_KEYS:
                    # Each receiving core overwrites the trace of its own row.
                    own[key] += total[key] * (1.0 if key == "trace_writes" else share)
        inference.append(sums[0])
        learning.append(sums[1])
    return tuple(
        CoreEvents(core.index, i, j)
        for core, i, j in zip(placement.cores, inference, learning, strict=True)
    )


_CORE_KEYS = (
    "messages",
    "synaptic_operations",
    "active_updates",
    "idle_updates",
    "trace_writes",
    "post_writes",
    "learning_visits",
    "plastic_updates",
    "carry_visits",
    "carries",
)


def _population_totals(events: Events, name: str) -> tuple[dict[str, int], dict[str, int]]:
    """Inference and learning events at home with one population: its neurons and synapses."""
    only = Events(
        events.fixations,
        events.steps,
        events.time_steps,
        events.learn,
        tuple(p for p in events.populations if p.name == name),
        tuple(s for s in events.projections if s.target == name),
        (),
    )
    learning = _as_dict(only.learning)
    # A gate's broadcast ends on synapses of all its listeners.
    neurons = sum(p.neurons for p in only.populations)
    broadcasts = sum(g.broadcasts for g in events.gates if name in g.listeners)
    learning["synaptic_operations"] += broadcasts * neurons
    return _as_dict(only.inference), learning


def _gate_totals(events: Events, name: str) -> tuple[dict[str, int], dict[str, int]]:
    gate = next(g for g in events.gates if g.name == name)
    none = dict.fromkeys(_CORE_KEYS, 0)
    arriving = gate.score_operations + gate.ignored_operations + gate.label_messages
    return none, {
        **none,
        "messages": gate.broadcasts,
        "synaptic_operations": arriving,
        "active_updates": gate.active_updates,
        "idle_updates": gate.idle_updates,
    }


Phases = tuple[dict[str, int], dict[str, int]]
"""Events of inference, and of learning."""


def _turn_totals(t: TurnEvents) -> tuple[Phases, Phases]:
    """Of the buffers, and of the learners."""
    none = dict.fromkeys(_CORE_KEYS, 0)
    buffers = {
        **none,
        "messages": t.passed_on,
        "synaptic_operations": t.buffer_operations,
        "active_updates": t.buffer_active,
        "idle_updates": t.buffer_idle,
    }
    learners = {
        **none,
        "synaptic_operations": t.learner_operations,
        "active_updates": t.learner_active,
        "idle_updates": t.learner_idle,
        "trace_writes": t.passed_on,
        "learning_visits": t.learning_visits,
        "plastic_updates": t.plastic_updates,
    }
    return (none, buffers), (none, learners)


def _as_dict(totals: Totals) -> dict[str, int]:
    return {key: getattr(totals, key) for key in _CORE_KEYS}
