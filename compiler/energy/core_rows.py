"""What each core did, as a table: the busiest first, by the events of one image."""

from __future__ import annotations

from compiler.energy.estimate import Estimate

SHOWN = 16
COLUMNS = {
    "dense": ("synaptic_operation_dense",),
    "sparse": ("synaptic_operation_sparse",),
    "convolution": ("synaptic_operation_convolution",),
    "modulator": ("modulator_operation", "comparator_sum"),
    "updates": ("neuron_update_idle", "neuron_update_active"),
    "sends": ("spike",),
    "axons in": ("axon_in",),
    "axons out": ("axon_out",),
    "visits": ("learning_visit",),
    "plastic": ("plastic_update", "carry"),
}
"""Columns, and the kinds of events that each adds up."""


def core_rows(estimate: Estimate) -> list[tuple[str, ...]]:
    """Header and rows, inference and learning together; at most `SHOWN` cores, then how many more.

    Synaptic operations stand in the first three columns, by how they are stored.
    """
    rows: list[tuple[str, ...]] = [("core, an image", *COLUMNS)]

    def number(core: int, kinds: tuple[str, ...]) -> float:
        events = estimate.cores[core]
        both = (events.inference, events.learning)
        return sum(phase.get(kind, 0.0) for phase in both for kind in kinds) / estimate.images

    order = sorted(
        range(len(estimate.cores)),
        key=lambda core: -sum(number(core, COLUMNS[c]) for c in ("dense", "sparse", "convolution")),
    )
    for core in order[:SHOWN]:
        cells = (f"{number(core, kinds):,.1f}" for kinds in COLUMNS.values())
        rows.append((str(estimate.cores[core].core), *cells))
    if len(order) > SHOWN:
        rows.append((f"and {len(order) - SHOWN} with less", *("" for _ in COLUMNS)))
    return rows
