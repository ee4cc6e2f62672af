"""Puts cores that talk to each other close together on the mesh.

A chip is a mesh of routers with some cores each, and the mesh goes on from chip to chip, which
stand in rows as well. The distance of two cores is the number of hops between their routers, along
columns and rows. Greedy: next comes the core with most axons to and from those that have a place
already, and it gets the free place where these cost the fewest hops. The cores one after the other
along the rows of chip after chip is what this is measured against, and taken where it is better.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compiler.passes.wires import Wires
from compiler.targets import NeuromorphicMachine


@dataclass(frozen=True)
class Slots:
    """Places for cores, chip by chip and row by row: (places,) chip, and column and row of each."""

    chips: int
    chip: np.ndarray
    column: np.ndarray
    row: np.ndarray


def slots_of(machine: NeuromorphicMachine, cores: int) -> Slots:
    """The places on as many chips as so many cores need."""
    usable = int(machine.limits.usable_cores_per_chip.value)
    chips = -(-cores // usable)
    mesh = machine.routing
    place = np.arange(usable)
    chip = np.arange(chips)
    columns, rows = int(mesh.columns.value), int(mesh.rows.value)
    across = int(mesh.chips_across.value)
    router = place // int(mesh.cores_per_router.value)
    return Slots(
        chips,
        np.repeat(chip, usable),
        np.add.outer(chip % across * columns, router % columns).ravel(),
        np.add.outer(chip // across * rows, router // columns).ravel(),
    )


def locate(wires: Wires, slots: Slots, cores: int) -> np.ndarray:
    """(cores,) the place of each core, an index of `slots`."""
    in_a_row = np.arange(cores)
    if cores == 0:
        return in_a_row
    greedy = _greedy(wires, slots, cores)
    return min((greedy, in_a_row), key=lambda places: hops(wires, slots, places))


def hops(wires: Wires, slots: Slots, places: np.ndarray) -> int:
    """Hops of one message of every neuron to each core that hears it."""
    a, b = places[wires.source], places[wires.target]
    away = np.abs(slots.column[a] - slots.column[b]) + np.abs(slots.row[a] - slots.row[b])
    return int((away * wires.axons).sum())


def _greedy(wires: Wires, slots: Slots, cores: int) -> np.ndarray:
    begins, partner, weight = _neighbours(wires, cores)
    routers, of_slot = np.unique(
        np.stack([slots.column, slots.row], axis=1), axis=0, return_inverse=True
    )
    of_slot = of_slot.reshape(-1)
    free = np.bincount(of_slot)
    x, y = routers[:, 0], routers[:, 1]
    along_x, along_y = (np.arange(axis.max() + 1) for axis in (x, y))
    apart_x = np.abs(along_x[:, None] - along_x)
    apart_y = np.abs(along_y[:, None] - along_y)
    centre = np.abs(x - np.median(x)) + np.abs(y - np.median(y))
    total = np.add.reduceat(np.append(weight, 0.0), begins[:-1]) * (np.diff(begins) > 0)
    drawn = np.zeros(cores)  # axons to and from those that have a place
    router = np.full(cores, -1)
    for _ in range(cores):
        waiting = router < 0
        order = np.where(waiting, drawn, -1.0)
        core = int(order.argmax())
        if drawn[core] == 0:
            core = int(np.where(waiting, total, -1.0).argmax())
        near = slice(begins[core], begins[core + 1])
        known = router[partner[near]] >= 0
        others, pull = router[partner[near][known]], weight[near][known]
        pull_x = np.bincount(x[others], pull, len(along_x))
        pull_y = np.bincount(y[others], pull, len(along_y))
        cost = (apart_x @ pull_x)[x] + (apart_y @ pull_y)[y]
        candidates = np.where(free > 0, cost, np.inf)
        cheapest = np.flatnonzero(candidates == candidates.min())
        chosen = int(cheapest[centre[cheapest].argmin()])
        router[core] = chosen
        free[chosen] -= 1
        drawn[partner[near]] += weight[near]
    # cores of a router take its places in their order
    places = np.zeros(cores, np.int64)
    by_router = np.argsort(of_slot, kind="stable")
    first = np.concatenate([[0], np.cumsum(np.bincount(of_slot))])
    taken = np.zeros(len(routers), np.int64)
    for core, chosen in enumerate(router):
        places[core] = by_router[first[chosen] + taken[chosen]]
        taken[chosen] += 1
    return places


def _neighbours(wires: Wires, cores: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each core its partners, whichever of both sends: (cores + 1,) begins, and the lists."""
    a = np.concatenate([wires.source, wires.target])
    b = np.concatenate([wires.target, wires.source])
    order = np.argsort(a, kind="stable")
    begins = np.searchsorted(a[order], np.arange(cores + 1))
    weight = np.concatenate([wires.axons, wires.axons]).astype(float)
    return begins, b[order], weight[order]
