"""How long a phase takes: cores work side by side and wait for the busiest at every barrier.

    time = steps * (barrier + step overhead + the longest packet's hops) + busiest half
    busiest half = max over halves of cores of sum over kinds of count * time of one event

A core's halves work side by side as well, as in SANA-FE's model of Loihi: one receives messages and
goes through their synapses, while the other updates neurons and sends what they have to say.

Counts are sums over the run, so "busiest" is the half with most work in all; where different
ones are the busiest at different steps, the time is longer than this. Of a single step, it is
within 5 % of SANA-FE's (tests/test_sana_fe.py).
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
    """The most that any half of a core has to do, in each draw."""
    kinds = [kind for kind in (*_SYNAPSES, *_NEURONS) if any(c.get(kind) for c in ledger.cores)]
    lines = [(kind, coefficients.time(KINDS[kind].coefficient or kind)) for kind in kinds]
    unknown = [line for _, line in lines if isinstance(line, NotPublished)]
    if unknown:
        return total(unknown)
    priced = [(kind, line) for kind, line in lines if isinstance(line, Band)]
    if not priced:
        return None
    halves = [
        [core.get(kind, 0.0) if kind in half else 0.0 for kind, _ in priced]
        for core in ledger.cores
        for half in (_SYNAPSES, _NEURONS)
    ]
    work = np.unique(halves, axis=0)
    values = work @ np.array([line.value for _, line in priced])
    samples = np.zeros_like(priced[0][1].samples)
    drawn = np.stack([line.samples for _, line in priced])
    for half in work:
        samples = np.maximum(samples, half @ drawn)
    like = total([line for _, line in priced])
    assert isinstance(like, Band)  # joins grade and source
    return Band(float(values.max()), samples, "s", like.grade, like.source)


_SYNAPSES = (
    "axon_in",
    "synaptic_operation_dense",
    "synaptic_operation_sparse",
    "synaptic_operation_convolution",
    "modulator_operation",
    "comparator_sum",
    "learning_visit",
    "plastic_update",
    "carry",
)
_NEURONS = ("neuron_update_idle", "neuron_update_active", "spike", "axon_out")
"""Kinds that keep each half of a core busy; writes are part of updates."""
