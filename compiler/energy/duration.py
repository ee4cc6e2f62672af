"""How long a phase takes: cores work side by side and wait for the busiest at every barrier.

    time = steps * (barrier + step overhead + the longest packet's hops) + busiest core
    busiest core = max over cores of sum over kinds of count * time of one event

Counts are sums over the run, so "busiest" is the core with most work in all; where different
cores are the busiest at different steps, the time is longer than this.
"""

from __future__ import annotations

import numpy as np

from compiler.energy.band import Band, Line, NotPublished, total
from compiler.energy.coefficients import Coefficients, cost
from compiler.energy.ledger import KINDS, Ledger


def duration(ledger: Ledger, coefficients: Coefficients) -> Line:
    """Seconds of the phase."""
    east_west, north_south = ledger.longest
    each_step = (
        ("barrier", 1),
        ("step_overhead", 1),
        ("hop_east_west", east_west),
        ("hop_north_south", north_south),
    )
    parts = [cost(ledger.time_steps * n, coefficients.time(name)) for name, n in each_step]
    parts.append(_busiest(ledger, coefficients))
    found = [part for part in parts if part is not None]
    return total(found) if found else NotPublished("nothing happened", ("time",))


def _busiest(ledger: Ledger, coefficients: Coefficients) -> Line | None:
    """The most that any core has to do, in each draw."""
    kinds = [kind for kind in _TIMED if any(core.get(kind) for core in ledger.cores)]
    lines = [(kind, coefficients.time(_TIMED[kind])) for kind in kinds]
    unknown = [line for _, line in lines if isinstance(line, NotPublished)]
    if unknown:
        return total(unknown)
    priced = [(kind, line) for kind, line in lines if isinstance(line, Band)]
    if not priced:
        return None
    work = np.unique([[core.get(kind, 0.0) for kind, _ in priced] for core in ledger.cores], axis=0)
    values = work @ np.array([line.value for _, line in priced])
    samples = np.zeros_like(priced[0][1].samples)
    drawn = np.stack([line.samples for _, line in priced])
    for core in work:
        samples = np.maximum(samples, core @ drawn)
    like = total([line for _, line in priced])
    assert isinstance(like, Band)  # joins grade and source
    return Band(float(values.max()), samples, "s", like.grade, like.source)


_TIMED = {
    kind: KINDS[kind].coefficient or kind
    for kind in (
        "synaptic_operation_dense",
        "synaptic_operation_sparse",
        "synaptic_operation_convolution",
        "modulator_operation",
        "comparator_sum",
        "neuron_update_idle",
        "neuron_update_active",
        "spike",
        "axon_out",
        "axon_in",
        "learning_visit",
        "plastic_update",
        "carry",
    )
}
"""Kinds that keep a core busy, with their coefficient of time; writes are part of updates."""
