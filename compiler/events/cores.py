"""Events of a placed network, core by core and kind by kind.

A core's share is proportional to the neurons and synapses placed on it: activity is counted per
population, not per neuron, so cores of one population differ only by their sizes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from compiler.events.mesh import Traffic
from compiler.events.moments import Cause
from compiler.events.records import Events, ProjectionEvents
from compiler.passes.placing.placement import Placement, Slice

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


@dataclass(frozen=True)
class Shares:
    """What inference does on each core, apart by what it follows from step to step.

    counts: (cores, kinds, causes), kinds as in `CORE_KINDS`.
    """

    causes: tuple[Cause, ...]
    counts: np.ndarray


def forward_shares(events: Events, placement: Placement, sent: Traffic) -> Shares:
    """The shares of inference; `sent` is its traffic."""
    sizes = {p.name: p.neurons for p in events.populations}
    whole = {name: [event for event in _inference(events, name) if event[2]] for name in sizes}
    senders = (Cause("sent", name) for name in sent.senders)
    named = [cause for counts in whole.values() for _, cause, _ in counts]
    causes = tuple(dict.fromkeys((*senders, *named)))
    column = {cause: number for number, cause in enumerate(causes)}
    kind_row = {kind: number for number, kind in enumerate(CORE_KINDS)}
    counts = np.zeros((len(placement.cores), len(CORE_KINDS), len(causes)))
    for row, core in enumerate(placement.cores):
        for part in core.slices:
            for kind, cause, count in whole.get(part.population, ()):
                share = part.neurons / sizes[part.population]
                counts[row, kind_row[kind], column[cause]] += count * share
    for name, (incoming, outgoing) in sent.senders.items():
        counts[:, kind_row["axon_in"], column[Cause("sent", name)]] += incoming
        counts[:, kind_row["axon_out"], column[Cause("sent", name)]] += outgoing
    return Shares(causes, counts)


def per_core(
    events: Events, placement: Placement, sent: tuple[Traffic, Traffic], forward: Shares
) -> tuple[CoreEvents, ...]:
    """The share of every core; `sent` is the traffic of inference and of learning."""
    sizes = {p.name: p.neurons for p in events.populations} | {g.name: 1 for g in events.gates}
    slices = placement.slice_counts()
    whole = {name: _learning(events, name) for name in sizes}
    sums = forward.counts.sum(2).tolist()
    found = []
    for row, core in enumerate(placement.cores):
        counts = dict.fromkeys(CORE_KINDS, 0.0)
        for part in core.slices:
            if part.population not in sizes:
                continue  # a comparator of a run that did not learn
            share = part.neurons / sizes[part.population]
            for kind, count in whole[part.population].items():
                counts[kind] += count * share
            counts["trace_write"] += _traces(events, placement, part, slices)
        counts["axon_out"] = float(sent[1].axons_out[row])
        counts["axon_in"] = float(sent[1].axons_in[row])
        inference = dict(zip(CORE_KINDS, sums[row], strict=True))
        found.append(CoreEvents(core.index, inference, counts))
    return tuple(found)


def _traces(events: Events, placement: Placement, part: Slice, slices: dict[str, int]) -> float:
    """Rows whose x1 a slice overwrites: each one that a message reaches has its own."""
    return sum(
        s.trace_writes * placement.receiving[s.name] / slices[part.population]
        for s in _arriving(events, part.population)
    )


def _arriving(events: Events, population: str) -> Iterator[ProjectionEvents]:
    return (s for s in events.projections if s.target == population)


def _inference(events: Events, name: str) -> Iterator[tuple[str, Cause, float]]:
    """What the forward pass does at one population: its neurons, and the synapses onto them."""
    for s in _arriving(events, name):
        yield f"synaptic_operation_{s.form}", Cause("sent", s.source), s.forward_operations
    for p in events.populations:
        if p.name == name and not p.host:
            yield "neuron_update_idle", Cause("idle", name), p.idle_updates
            yield "neuron_update_active", Cause("active", name), p.active_updates
            yield "spike", Cause("sent", name), p.spikes + p.forward_messages


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
