"""Events of a placed network, core by core and kind by kind.

A core's share is proportional to the neurons and synapses placed on it: activity is counted per
population, not per neuron, so cores of one population differ only by their sizes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from compiler.events.mesh import Traffic, cause_of
from compiler.events.moments import Cause
from compiler.events.records import Events, ProjectionEvents
from compiler.passes.placing.placement import Placement

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
    """What a phase does on each core, apart by what it follows from step to step.

    counts: (cores, kinds, causes), kinds as in `CORE_KINDS`. A count may be below zero where
    another cause has more of the same kind: of the synapses that are visited those that are
    changed are not left alone.
    """

    causes: tuple[Cause, ...]
    counts: np.ndarray


class _Item(NamedTuple):
    """So many events of a kind at one population or comparator.

    A core has its share of them by its neurons; or by its slices, of which each has as many.
    """

    kind: str
    cause: Cause
    number: float
    by_slice: bool = False


def forward_shares(events: Events, placement: Placement, sent: Traffic) -> Shares:
    """The shares of inference; `sent` is its traffic."""
    sizes = {p.name: p.neurons for p in events.populations}
    whole = {name: list(_inference(events, name)) for name in sizes}
    axons = [(Cause("sent", name), 1, ends) for name, ends in sent.senders.items()]
    return _shares(placement, sizes, whole, axons)


def learning_shares(
    events: Events, placement: Placement, forward: Traffic, learning: Traffic
) -> Shares:
    """The shares of all that learning does beyond inference; given is the traffic of both.

    A message that inference needs takes the axons of learning, too: what all messages come to,
    less what inference has of them.
    """
    sizes = {p.name: p.neurons for p in events.populations} | {g.name: 1 for g in events.gates}
    whole = {name: list(_learning(events, placement, name)) for name in sizes}
    axons = []
    for name in dict.fromkeys((*forward.senders, *learning.senders)):
        parts = [phase.senders[name] for phase in (forward, learning) if name in phase.senders]
        axons += [(cause_of(events, name), 1, ends) for ends in parts]
        if name in forward.senders:
            axons.append((Cause("sent", name), -1, forward.senders[name]))
    return _shares(placement, sizes, whole, axons)


def per_core(placement: Placement, forward: Shares, learning: Shares) -> tuple[CoreEvents, ...]:
    """What each core does in all."""
    phases = (
        [dict(zip(CORE_KINDS, core, strict=True)) for core in shares.counts.sum(2).tolist()]
        for shares in (forward, learning)
    )
    return tuple(
        CoreEvents(core.index, *both) for core, *both in zip(placement.cores, *phases, strict=True)
    )


def _shares(
    placement: Placement,
    sizes: dict[str, int],
    whole: dict[str, list[_Item]],
    axons: list[tuple[Cause, int, tuple[np.ndarray, np.ndarray]]],
) -> Shares:
    """The shares of all items, by population, and packets (incoming, outgoing) by core."""
    named = [item.cause for items in whole.values() for item in items if item.number]
    causes = tuple(dict.fromkeys((*(cause for cause, _, _ in axons), *named)))
    column = {cause: number for number, cause in enumerate(causes)}
    kind_row = {kind: number for number, kind in enumerate(CORE_KINDS)}
    counts = np.zeros((len(placement.cores), len(CORE_KINDS), len(causes)))
    slices = placement.slice_counts()
    for row, core in enumerate(placement.cores):
        for part in core.slices:
            for item in whole.get(part.population, ()):  # none of a gate that did not learn
                if item.number:
                    share = part.neurons / sizes[part.population]
                    if item.by_slice:
                        share = 1 / slices[part.population]
                    counts[row, kind_row[item.kind], column[item.cause]] += item.number * share
    for cause, sign, (incoming, outgoing) in axons:
        counts[:, kind_row["axon_in"], column[cause]] += sign * incoming
        counts[:, kind_row["axon_out"], column[cause]] += sign * outgoing
    return Shares(causes, counts)


def _arriving(events: Events, population: str) -> Iterator[ProjectionEvents]:
    return (s for s in events.projections if s.target == population)


def _inference(events: Events, name: str) -> Iterator[_Item]:
    """What the forward pass does at one population: its neurons, and the synapses onto them."""
    for s in _arriving(events, name):
        yield _Item(f"synaptic_operation_{s.form}", Cause("sent", s.source), s.forward_operations)
    for p in events.populations:
        if p.name == name and not p.host:
            yield _Item("neuron_update_idle", Cause("idle", name), p.idle_updates)
            yield _Item("neuron_update_active", Cause("active", name), p.active_updates)
            yield _Item("spike", Cause("sent", name), p.spikes + p.forward_messages)


def _learning(events: Events, placement: Placement, name: str) -> Iterator[_Item]:
    """All else that happens at one population or comparator."""
    for s in _arriving(events, name):
        yield from _at_synapses(s, placement)
    begun = Cause("begun")
    for p in events.populations:
        if p.name == name and not p.host:
            yield _Item("neuron_update_idle", Cause("resting", name), p.phase_idle_updates)
            yield _Item("neuron_update_active", Cause("busy", name), p.phase_active_updates)
            yield _Item("spike", Cause("graded", name), p.graded_messages)
            yield _Item("spike", Cause("scores", name), p.score_messages)
            yield _Item("post_write", Cause("written", name), p.post_writes)
            yield _Item("modulator_operation", begun, p.signal_messages * p.neurons)
    for g in events.gates:
        opened = Cause("opened", g.name)
        if name in g.listeners:
            neurons = sum(p.neurons for p in events.populations if p.name == name)
            yield _Item("modulator_operation", opened, g.broadcasts * neurons)
        if g.name == name:
            yield _Item("comparator_sum", Cause("scores", g.population), g.score_operations)
            yield _Item("synaptic_operation_dense", Cause("ignored", name), g.ignored_operations)
            yield _Item("modulator_operation", begun, g.label_messages)
            yield _Item("spike", opened, g.broadcasts)
            yield _Item("neuron_update_idle", Cause("resting", name), g.idle_updates)
            yield _Item("neuron_update_active", Cause("busy", name), g.active_updates)


def _at_synapses(s: ProjectionEvents, placement: Placement) -> Iterator[_Item]:
    """What learning does at the synapses of a projection."""
    operation = f"synaptic_operation_{s.form}"
    yield _Item(operation, Cause("delivered", s.name), s.delivered_operations)
    yield _Item(operation, Cause("ignored", s.name), s.ignored_operations)
    # of a row that a message reaches each slice has an x1 of its own
    rows = s.trace_writes * placement.receiving[s.name]
    yield _Item("trace_write", Cause("messages", s.source), rows, by_slice=True)
    updated, looked, carried = (Cause(w, s.name) for w in ("updated", "looked", "carried"))
    yield _Item("plastic_update", updated, s.plastic_updates)
    yield _Item("carry", carried, s.units_carried)
    yield _Item("learning_visit", Cause("visited", s.name), s.learning_visits)
    yield _Item("learning_visit", updated, -s.plastic_updates)
    yield _Item("learning_visit", looked, s.carry_visits)
    yield _Item("learning_visit", carried, -s.units_carried)
