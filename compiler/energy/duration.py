"""How long a phase takes: cores work side by side and wait for the slowest at every barrier.

    time = steps * (barrier + step overhead + the longest packet's hops) + sum of the slowest halves
    slowest half of a step = max over halves of cores of sum over kinds of count * time of one event

A core's halves work side by side as well, as in SANA-FE's model of Loihi: one receives messages and
goes through their synapses, while the other updates neurons and sends what they have to say.

Which half is the slowest depends on the coefficients. With their own values every step is looked
at. For their draws as well would take too long, but the sum of slowest halves is convex in the
coefficients: whichever half is taken as the slowest of a step, the sum is no larger than with the
right one. So those that are right for the values and for some of the draws are tried on every draw,
and the largest sum is taken (tests/test_energy_time.py: within 0.5 %, and never above).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from compiler.energy.band import Band, Line, NotPublished, total
from compiler.energy.coefficients import Coefficients, cost
from compiler.energy.ledger import KINDS, Ledger
from compiler.events import CORE_KINDS

TRIED = 64
"""Draws for which the slowest half of every step is looked for."""
AT_ONCE = 1 << 20
"""Steps times halves that are looked at together."""


def duration(ledger: Ledger, coefficients: Coefficients, beside: Ledger | None = None) -> Line:
    """Seconds of the phase; `beside`: the inference of the same steps, if it is one of learning."""
    steps, hops = ledger.time_steps, [ledger.time_steps * n for n in ledger.longest]
    if beside is not None:  # the longest packet of a step may be one of learning
        whole = steps + beside.time_steps
        both = zip(ledger.longest, beside.longest, strict=True)
        hops = [whole * max(own, other) - beside.time_steps * other for own, other in both]
    each_step = (
        ("barrier", steps),
        ("step_overhead", steps),
        ("hop_east_west", hops[0]),
        ("hop_north_south", hops[1]),
    )
    parts = [cost(n, coefficients.time(name)) for name, n in each_step]
    slowest = _slowest(ledger, coefficients)
    if beside is not None and ledger.steps is not None:
        slowest = _beyond(slowest, _slowest(beside, coefficients))
    found = [part for part in (*parts, slowest) if part is not None]
    return total(found) if found else NotPublished("nothing happened", ("time",))


def _beyond(both: Line | None, alone: Line | None) -> Line | None:
    """How much longer the slowest halves take together than those of inference alone."""
    if not isinstance(both, Band) or not isinstance(alone, Band):
        return both
    samples = np.maximum(both.samples - alone.samples, 0.0)
    return replace(both, value=both.value - alone.value, samples=samples)


def _slowest(ledger: Ledger, coefficients: Coefficients) -> Line | None:
    """The sum over steps of what the slowest half of a core has to do, in each draw."""
    kinds = [kind for kind in (*_SYNAPSES, *_NEURONS) if _happens(ledger, kind)]
    lines = [(kind, coefficients.time(KINDS[kind].coefficient or kind)) for kind in kinds]
    unknown = [line for _, line in lines if isinstance(line, NotPublished)]
    if unknown:
        return total(unknown)
    priced = {kind: line for kind, line in lines if isinstance(line, Band)}
    if not priced:
        return None
    halves, profiles = _halves(ledger, tuple(priced))
    values = np.array([line.value for line in priced.values()])
    drawn = np.stack([line.samples for line in priced.values()])
    slowest = slowest_paths(halves, profiles, np.vstack([values, drawn[:, :TRIED].T]))
    samples = np.zeros(drawn.shape[1])
    for path in slowest:
        samples = np.maximum(samples, path @ drawn)
    like = total(list(priced.values()))
    assert isinstance(like, Band)  # joins grade and source
    return Band(float((slowest @ values).max()), samples, "s", like.grade, like.source)


def _happens(ledger: Ledger, kind: str) -> bool:
    if ledger.steps is None:
        return any(core.get(kind) for core in ledger.cores)
    return bool(ledger.steps.counts[:, CORE_KINDS.index(kind)].any())


def _halves(ledger: Ledger, kinds: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """(halves, kinds, causes) of all cores, and (steps, causes); sums are one step of one cause.

    Halves that do nothing more than another one are left out.
    """
    if ledger.steps is None:
        rows = [[[core.get(kind, 0.0)] for kind in kinds] for core in ledger.cores]
        counts, profiles = np.array(rows), np.ones((1, 1))
    else:
        counts = ledger.steps.counts[:, [CORE_KINDS.index(kind) for kind in kinds]]
        profiles = ledger.steps.profiles
    masks = np.array([[kind in half for kind in kinds] for half in (_SYNAPSES, _NEURONS)])
    both = np.concatenate([counts * mask[:, None] for mask in masks])
    flat = np.unique(both.reshape(len(both), -1), axis=0)
    needed = [row for row in flat if np.all(flat >= row, axis=1).sum() == 1]
    return np.array(needed).reshape(-1, *both.shape[1:]), profiles


def slowest_paths(halves: np.ndarray, profiles: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """(paths, kinds): events of the slowest half, summed over all steps, each row another choice.

    For every row of `coefficients` (n, kinds) the half that is the slowest of each step with them;
    and the same half in all steps, for every half.
    """
    steps = max(1, AT_ONCE // len(halves))
    always = halves @ profiles.sum(0)
    paths = []
    for each in coefficients:
        prices = np.einsum("hkc,k->ch", halves, each)
        path = np.zeros(halves.shape[1])
        for first in range(0, len(profiles), steps):
            part = profiles[first : first + steps]
            slowest = (part @ prices).argmax(1)
            shares = [np.bincount(slowest, cause, len(halves)) for cause in part.T]
            path += np.einsum("hkc,ch->k", halves, np.array(shares))
        paths.append(path)
    return np.unique(np.vstack([always, *paths]), axis=0)


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
