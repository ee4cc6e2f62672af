"""Puts cores that talk to each other close together on the mesh.

A chip is a mesh of routers with some cores each, and the mesh goes on from chip to chip, which
stand in rows as well. The distance of two cores is the number of hops between their routers, along
columns and rows. Greedy: next comes the core with most axons to and from those that have a place
already, and it gets the free place where these cost the fewest hops. This, and the cores one after
the other along the rows of chip after chip, are then improved: each core looks at the router where
it would cost the fewest hops, and takes a free place there, or changes places with a core there, if
both together cost fewer. The better of the two is taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compiler.passes.placing.wires import Wires
from compiler.targets import NeuromorphicMachine

VISITS = 8192  # of cores that look for a better place, in all rounds: placing stays fast


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
    mesh = _Mesh(wires, slots, cores)
    starts = (mesh.greedy(), mesh.router_of[in_a_row])
    found = [mesh.places(mesh.improved(routers)) for routers in starts]
    return min(found, key=lambda places: hops(wires, slots, places))


def hops(wires: Wires, slots: Slots, places: np.ndarray) -> int:
    """Hops of one message of every neuron to each core that hears it."""
    a, b = places[wires.source], places[wires.target]
    away = np.abs(slots.column[a] - slots.column[b]) + np.abs(slots.row[a] - slots.row[b])
    return int((away * wires.axons).sum())


class _Mesh:
    """Cores with their wires, and routers with their places; a core's `router` is an index."""

    def __init__(self, wires: Wires, slots: Slots, cores: int) -> None:
        self.cores = cores
        spots = np.stack([slots.column, slots.row], axis=1)
        routers, of_slot = np.unique(spots, axis=0, return_inverse=True)
        self.router_of = of_slot.reshape(-1)
        self.room = np.bincount(self.router_of)
        self.x, self.y = routers[:, 0], routers[:, 1]
        along = [np.arange(axis.max() + 1) for axis in (self.x, self.y)]
        self.apart = [np.abs(a[:, None] - a) for a in along]
        # of each core its partners, whichever of both sends
        a = np.concatenate([wires.source, wires.target])
        b = np.concatenate([wires.target, wires.source])
        order = np.argsort(a, kind="stable")
        self.begins = np.searchsorted(a[order], np.arange(cores + 1))
        self.partner = b[order]
        self.axons = np.concatenate([wires.axons, wires.axons])[order].astype(float)

    def near(self, core: int) -> slice:
        """Where the partners of a core are listed."""
        return slice(self.begins[core], self.begins[core + 1])

    def cost(self, core: int, router: np.ndarray) -> np.ndarray:
        """(routers,) hops to and from the partners that have a router, wherever the core is put."""
        near = self.near(core)
        at = router[self.partner[near]]
        known = at >= 0
        at, pull = at[known], self.axons[near][known]
        found = np.zeros(len(self.x))
        for axis, apart in zip((self.x, self.y), self.apart, strict=True):
            found += (apart @ np.bincount(axis[at], pull, len(apart)))[axis]
        return found

    def greedy(self) -> np.ndarray:
        """(cores,) the router of each core, one after the other."""
        free = self.room.copy()
        centre = np.abs(self.x - np.median(self.x)) + np.abs(self.y - np.median(self.y))
        total = np.zeros(self.cores)
        np.add.at(total, np.repeat(np.arange(self.cores), np.diff(self.begins)), self.axons)
        drawn = np.zeros(self.cores)  # axons to and from those that have a place
        router = np.full(self.cores, -1)
        for _ in range(self.cores):
            waiting = router < 0
            core = int(np.where(waiting, drawn, -1.0).argmax())
            if drawn[core] == 0:
                core = int(np.where(waiting, total, -1.0).argmax())
            cost = np.where(free > 0, self.cost(core, router), np.inf)
            cheapest = np.flatnonzero(cost == cost.min())
            chosen = int(cheapest[centre[cheapest].argmin()])
            router[core] = chosen
            free[chosen] -= 1
            drawn[self.partner[self.near(core)]] += self.axons[self.near(core)]
        return router

    def improved(self, start: np.ndarray) -> np.ndarray:
        """The routers after cores have moved or changed places as long as that saves hops."""
        router = start.copy()
        free = self.room - np.bincount(router, minlength=len(self.room))
        for _ in range(VISITS // self.cores):
            moved = False
            for core in range(self.cores):
                here, cost = int(router[core]), self.cost(core, router)
                there = int(cost.argmin())
                gain = cost[here] - cost[there]
                if gain <= 0:
                    continue
                if free[there] > 0:
                    router[core] = there
                    free[here], free[there] = free[here] + 1, free[there] - 1
                    moved = True
                    continue
                moved |= self._swapped(core, here, there, gain, router)
            if not moved:
                break
        return router

    def _swapped(self, core: int, here: int, there: int, gain: float, router: np.ndarray) -> bool:
        """Whether the core has changed places with one of those at a router, in place."""
        best, partner = 0.0, -1
        for other in np.flatnonzero(router == there):
            cost = self.cost(int(other), router)
            between = self.axons[self.near(core)][self.partner[self.near(core)] == other].sum()
            apart = abs(self.x[here] - self.x[there]) + abs(self.y[here] - self.y[there])
            saved = gain + cost[there] - cost[here] - 2 * between * apart
            if saved > best:
                best, partner = saved, int(other)
        if partner >= 0:
            router[core], router[partner] = there, here
        return partner >= 0

    def places(self, router: np.ndarray) -> np.ndarray:
        """(cores,) a place at its router for each core, in their order."""
        by_router = np.argsort(self.router_of, kind="stable")
        first = np.concatenate([[0], np.cumsum(self.room)])
        order = np.argsort(router, kind="stable")
        number = np.arange(self.cores) - np.searchsorted(router[order], router[order])
        found = np.zeros(self.cores, np.int64)
        found[order] = by_router[first[router[order]] + number]
        return found
