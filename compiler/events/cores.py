"""Events of a placed network, core by core and kind by kind.

A core's share is proportional to the neurons and synapses placed on it: activity is counted per
population, not per neuron, so cores of one population differ only by their sizes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from compiler.events.mesh import Traffic
from compiler.events.records import Events, ProjectionEvents
from compiler.passes.placement import Placement, Slice

CORE_KINDS = (
    "synaptic_operation_dense",
    "synaptic_operation_sparse",
    "synaptic_operation_convolution",
    "modulator_operation",  # labels, broadcasts and signals, at each neuron that they reach
    "comparator_sum",  # a neuron's score added up
    "neuron_update_idle",
    "neuron_update_active",
    "spike",  # a neuron that sends: a spike, a graded message, a broadcast
    "axon_out",
    "axon_in",
    "trace_write",
    "post_write",
    "learning_visit",  # a synapse that the engine looked at and left alone
    "plastic_update",  # a tag or weight changed by the rule
    "carry",  # whole units moved from a tag to its weight
)
"""Kinds of events on a core."""


@dataclass(frozen=True)
class CoreEvents:
    """A core's share of a run by kind, split like `Events`; proportional, hence real numbers."""

    core: int
    inference: dict[str, float]
    learning: dict[str, float]


def per_core(
    events: Events, placement: Placement, sent: tuple[Traffic, Traffic]
) -> tuple[CoreEvents, ...]:
    """The share of every core; `sent` is the traffic of inference and of learning."""
    sizes = {p.name: p.neurons for p in events.populations} | {g.name: 1 for g in events.gates}
    slices = placement.slice_counts()
    whole = {name: (_inference(events, name), _learning(events, name)) for name in sizes}
    found = []
    for row, core in enumerate(placement.cores):
        phases = []
        for phase in (0, 1):
            counts = dict.fromkeys(CORE_KINDS, 0.0)
            for part in core.slices:
                if part.population not in sizes:
                    continue  # a comparator of a run that did not learn
                share = part.neurons / sizes[part.population]
                for kind, count in whole[part.population][phase].items():
                    counts[kind] += count * share
                if phase:
                    counts["trace_write"] += _traces(events, placement, part, slices)
            counts["axon_out"] = float(sent[phase].axons_out[row])
            counts["axon_in"] = float(sent[phase].axons_in[row])
            phases.append(counts)
        found.append(CoreEvents(core.index, *phases))
    return tuple(found)


def _traces(events: Events, placement: Placement, part: Slice, slices: dict[str, int]) -> float:
    """Rows whose x1 a slice overwrites: each one that a message reaches has its own."""
    return sum(
        s.trace_writes * placement.receiving[s.name] / slices[part.population]
        for s in _arriving(events, part.population)
    )


def _arriving(events: Events, population: str) -> Iterator[ProjectionEvents]:
    return (s for s in events.projections if s.target == population)


def _inference(events: Events, name: str) -> dict[str, float]:
    """What the forward pass does at one population: its neurons, and the synapses onto them."""
    counts: dict[str, float] = {}
    for s in _arriving(events, name):
        _add(counts, f"synaptic_operation_{s.form}", s.forward_operations)
    for p in events.populations:
        if p.name == name and not p.host:
            _add(counts, "neuron_update_idle", p.idle_updates)
            _add(counts, "neuron_update_active", p.active_updates)
            _add(counts, "spike", p.spikes + p.forward_messages)
    return counts


def _learning(events: Events, name: str) -> dict[str, float]:
    """All else that happens at one population or comparator."""
    counts: dict[str, float] = {}
    for s in _arriving(events, name):
        other = s.delivered_operations + s.ignored_operations
        _add(counts, f"synaptic_operation_{s.form}", other)
        _add(counts, "plastic_update", s.plastic_updates)
        _add(counts, "carry", s.carries)
        looked_at = s.learning_visits + s.carry_visits
        _add(counts, "learning_visit", looked_at - s.plastic_updates - s.carries)
    for p in events.populations:
        if p.name == name and not p.host:
            _add(counts, "neuron_update_idle", p.phase_idle_updates)
            _add(counts, "neuron_update_active", p.phase_active_updates)
            _add(counts, "spike", p.graded_messages + p.score_messages)
            _add(counts, "post_write", p.post_writes)
            _add(counts, "modulator_operation", p.signal_messages * p.neurons)
    for g in events.gates:
        if name in g.listeners:
            neurons = sum(p.neurons for p in events.populations if p.name == name)
            _add(counts, "modulator_operation", g.broadcasts * neurons)
        if g.name == name:
            _add(counts, "comparator_sum", g.score_operations)
            _add(counts, "synaptic_operation_dense", g.ignored_operations)
            _add(counts, "modulator_operation", g.label_messages)
            _add(counts, "spike", g.broadcasts)
            _add(counts, "neuron_update_idle", g.idle_updates)
            _add(counts, "neuron_update_active", g.active_updates)
    return counts


def _add(counts: dict[str, float], kind: str, number: float) -> None:
    counts[kind] = counts.get(kind, 0.0) + number
