"""What a phase of a run did, by kind of event, and which coefficient prices each kind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compiler.events import (
    CORE_KINDS,
    Events,
    Shares,
    Traffic,
    forward_shares,
    learning_shares,
    per_core,
    traffic,
)
from compiler.events.moments import Moments
from compiler.events.profiles import moments_of, profiles
from compiler.passes.placing.placement import Placement
from compiler.targets.costs import Routing


@dataclass(frozen=True)
class Kind:
    """A kind of event: its name in words, and the coefficient that it is multiplied with.

    Without a coefficient it is counted and shown, and its cost lies in the kind `within`.
    """

    title: str
    coefficient: str | None = None
    within: str = ""


KINDS: dict[str, Kind] = {
    "synaptic_operation_dense": Kind("synaptic operations, dense", "synaptic_operation_dense"),
    "synaptic_operation_sparse": Kind("synaptic operations, sparse", "synaptic_operation_sparse"),
    "synaptic_operation_convolution": Kind(
        "synaptic operations, convolution", "synaptic_operation_convolution"
    ),
    "modulator_operation": Kind("modulator fan-out", "synaptic_operation_dense"),
    "comparator_sum": Kind("comparator sums", "synaptic_operation_dense"),
    "neuron_update_idle": Kind("neuron updates, idle", "neuron_update_idle"),
    "neuron_update_active": Kind("neuron updates, active", "neuron_update_active"),
    "spike": Kind("neurons that send, beyond the update", "spike"),
    "axon_out": Kind("axons out", "axon_out"),
    "axon_in": Kind("axons in", "axon_in"),
    "hop_east_west": Kind("hops east-west", "hop_east_west"),
    "hop_north_south": Kind("hops north-south", "hop_north_south"),
    "chip_crossing": Kind("crossings between chips", "chip_crossing"),
    "barrier": Kind("barriers, one a core and step", "barrier"),
    "trace_write": Kind("trace writes", "trace_write"),
    "post_write": Kind("post values written", "post_write"),
    "learning_epoch": Kind("learning epochs of a projection", within="plastic_update"),
    "learning_visit": Kind("synapses visited, not changed", "learning_visit"),
    "plastic_update": Kind("plastic updates", "plastic_update"),
    "carry": Kind("carries from tag to weight", "plastic_update"),
    "management_step": Kind("schedule, time steps", "management_step"),
    "host_message": Kind("inputs and labels from the host", "host_message"),
    "averaged_synapse": Kind("synapses averaged, carried or copied", "averaged_synapse"),
}
"""All kinds, in the order in which they are shown."""

MANAGEMENT = ("management_step", "host_message", "averaged_synapse")
"""Kinds of the management processors and input/output; the others are of cores and mesh."""


@dataclass(frozen=True)
class StepWork:
    """What each core does in each step: in step s so much of a kind as counts @ profiles[s] says.

    counts: (cores, kinds, causes), kinds as in `CORE_KINDS`; profiles: (steps, causes), each column
    of which adds up to 1.
    """

    counts: np.ndarray
    profiles: np.ndarray


@dataclass(frozen=True)
class Ledger:
    """Counts of one phase of a run.

    `counts` are of the whole machine, by kind; `cores` those of each core, of the kinds that
    happen on one. `longest` is the longest way of a packet in hops (east-west, north-south).
    `steps` says when, where steps were recorded; of learning together with the inference beside it.
    """

    time_steps: int
    counts: dict[str, float]
    cores: tuple[dict[str, float], ...]
    chips: int = 1
    longest: tuple[int, int] = (0, 0)
    steps: StepWork | None = None


def ledgers(events: Events, placement: Placement, routing: Routing) -> tuple[Ledger, Ledger]:
    """What inference did, and what learning did beyond it."""
    sent = traffic(events, placement, routing)
    inference = forward_shares(events, placement, sent[0])
    learning = learning_shares(events, placement, *sent)
    shares = per_core(placement, inference, learning)
    forward, learned = (
        tuple(core.inference for core in shares),
        tuple(core.learning for core in shares),
    )
    both = (inference, learning) if events.learn else ()
    extra = {
        "learning_epoch": float(sum(s.learning_slots for s in events.projections)),
        "averaged_synapse": sum(
            s.averaged * (1 + placement.copies.get(s.name, 0)) for s in events.projections
        ),
    }
    chips = placement.chips
    return (
        _ledger(events.inference.time_steps, forward, sent[0], {}, chips, _work(events, inference)),
        _ledger(events.learning.time_steps, learned, sent[1], extra, chips, _work(events, *both)),
    )


def _work(events: Events, *phases: Shares) -> StepWork | None:
    """What phases do together in each step; None without a record. Causes with the same moments
    are one.
    """
    column: dict[Moments, int] = {}
    columns = [
        [column.setdefault(moments_of(events, cause), len(column)) for cause in shares.causes]
        for shares in phases
    ]
    spread = profiles(events, tuple(column)) if column else None
    if spread is None:
        return None
    counts = np.zeros((*phases[0].counts.shape[:2], len(column)))
    for shares, own in zip(phases, columns, strict=True):
        np.add.at(counts.transpose(2, 0, 1), own, shares.counts.transpose(2, 0, 1))
    return StepWork(counts, spread)


def _ledger(
    steps: int,
    cores: tuple[dict[str, float], ...],
    sent: Traffic,
    extra: dict[str, float],
    chips: int,
    work: StepWork | None,
) -> Ledger:
    counts = {kind: sum(core[kind] for core in cores) for kind in CORE_KINDS}
    counts |= {
        "hop_east_west": sent.east_west,
        "hop_north_south": sent.north_south,
        "chip_crossing": sent.chip_crossings,
        "barrier": float(steps * len(cores)),
        "management_step": float(steps),
        "host_message": float(sent.host_messages),
    }
    counts |= extra
    ordered = {kind: counts[kind] for kind in KINDS if counts.get(kind)}
    return Ledger(steps, ordered, cores, chips, sent.longest, work)
