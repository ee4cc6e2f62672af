"""What slices use of a core, limit by limit, and what would make them use less."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from compiler.passes.placing.placement import Slice
from compiler.targets import Figure, Limits

NEURONS, MEMORY, STATE = "neurons", "bytes of synaptic memory", "bytes of neuron state"
AXONS_IN, AXONS_OUT = "axons in", "axons out"
KINDS, THRESHOLDS, FORMATS = "kinds of neuron", "thresholds", "formats of synapses"
FAN_IN, INDEX = "synapses of fan-in", "bits of an index"

SUMS = {
    NEURONS: ("neurons", "neurons_per_core"),
    MEMORY: ("memory_bytes", "synaptic_bytes_per_core"),
    AXONS_IN: ("axons_in", "axons_in_per_core"),
    AXONS_OUT: ("axons_out", "axons_out_per_core"),
    STATE: ("state_bytes", "state_bytes_per_core"),
}
"""Limits of a core on what its slices use together: the field of a slice, the key of the limit."""
TABLES = {
    KINDS: ("kinds", "compartment_configurations"),
    THRESHOLDS: ("thresholds", "threshold_configurations"),
    FORMATS: ("formats", "synapse_formats"),
}
"""Limits of a core's tables: slices share equal entries."""
LARGEST = {
    FAN_IN: ("axon_fan_in", "fan_in_per_neuron"),
    INDEX: ("index_bits", "index_bits"),
}
"""Limits of each slice alone."""

SMALLER_SOURCES = "make the layers that it listens to smaller"
REMEDIES = {
    NEURONS: "use a machine with more neurons a core",
    MEMORY: SMALLER_SOURCES,
    STATE: "end fewer projections on its dendrites, or use a machine with more state a core",
    AXONS_IN: SMALLER_SOURCES,
    AXONS_OUT: "make its targets fewer or smaller, so that they take fewer cores",
    FAN_IN: SMALLER_SOURCES,
    INDEX: "use a machine with wider indices",
    KINDS: "use a machine with more kinds of neuron a core",
    THRESHOLDS: "use a machine with more thresholds a core",
    FORMATS: "let fewer kinds of projection end on it, or learn by fewer rules",
}


def key_of(limit: str) -> str:
    """The key in a machine file of one of the limits above."""
    return {**SUMS, **TABLES, **LARGEST}[limit][1]


@dataclass(frozen=True)
class Misfit:
    """`part`, the least of `node` that a core can have, exceeds a limit; no splitting helps."""

    node: str
    limit: str
    actual: int
    figure: Figure
    part: str = "one neuron"

    def __str__(self) -> str:
        return (
            f"{self.node}: {self.part} alone needs {self.actual:,} {self.limit}, "
            f"a core has {self.figure.value:,.10g}; {self.remedy}"
        )

    @property
    def remedy(self) -> str:
        """What would make it fit."""
        return REMEDIES[self.limit]


def used(core: Sequence[Slice], limits: Limits) -> dict[str, tuple[int, Figure]]:
    """What a core uses of each limit that the machine has."""
    found: dict[str, int] = {}
    for limit, (field, _) in SUMS.items():
        found[limit] = sum(getattr(s, field) for s in core)
    for limit, (field, _) in TABLES.items():
        found[limit] = len({entry for s in core for entry in getattr(s, field)})
    for limit, (field, _) in LARGEST.items():
        found[limit] = max(getattr(s, field) for s in core)
    figures = {limit: getattr(limits, key_of(limit)) for limit in found}
    return {limit: (n, figures[limit]) for limit, n in found.items() if figures[limit] is not None}


def fits(part: Slice, limits: Limits) -> bool:
    """Whether a core can have these neurons, if it has no others."""
    return all(n <= figure.value for n, figure in used([part], limits).values())


def binding(core: Sequence[Slice], limits: Limits) -> tuple[str, float]:
    """The limit of which a core uses the largest share, and that share."""
    # An index of few bits is no resource that is used up.
    shares = {
        name: n / figure.value for name, (n, figure) in used(core, limits).items() if name != INDEX
    }
    return max(shares.items(), key=lambda item: item[1])


class Room:
    """What is left of one core while slices are put onto it."""

    def __init__(self, limits: Limits) -> None:
        self.slices: list[Slice] = []
        self._free = {
            field: figure.value
            for field, key in SUMS.values()
            if (figure := getattr(limits, key)) is not None
        }
        self._most = {
            field: figure.value
            for field, key in TABLES.values()
            if (figure := getattr(limits, key)) is not None
        }
        self._entries: dict[str, set[object]] = {field: set() for field in self._most}

    def takes(self, part: Slice) -> bool:
        """Whether it has room for more neurons."""
        return all(getattr(part, field) <= free for field, free in self._free.items()) and all(
            len(self._entries[field].union(getattr(part, field))) <= most
            for field, most in self._most.items()
        )

    def add(self, part: Slice) -> None:
        """Puts the neurons there."""
        self.slices.append(part)
        for field in self._free:
            self._free[field] -= getattr(part, field)
        for field, entries in self._entries.items():
            entries.update(getattr(part, field))
