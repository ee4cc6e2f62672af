"""What lies on which core, as data and as a table."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any


@dataclass(frozen=True)
class Slice:
    """Neurons of a population on one core: `channels` from `first_channel` on, `rows` likewise.

    `fan_in` are a neuron's synapses, `axon_fan_in` the axons that bring them.
    """

    population: str
    first_channel: int
    channels: int
    first_row: int
    rows: int
    neurons: int
    synapses: int
    memory_bytes: int
    state_bytes: int
    axons_in: int
    axons_out: int
    fan_in: int
    axon_fan_in: int
    plastic: bool

    def __str__(self) -> str:
        rows = f", rows {self.first_row}:{self.first_row + self.rows}"
        whole = self.neurons == self.channels
        channels = f"{self.first_channel}:{self.first_channel + self.channels}"
        return f"{self.population}[{channels}{'' if whole else rows}]"


@dataclass(frozen=True)
class Core:
    """One core: what lies on it, and which limit is nearest (`binds`, share of it in 0..1)."""

    index: int
    chip: int
    slices: tuple[Slice, ...]
    binds: str
    share: float

    def total(self, field: str) -> int:
        """The sum of a slice's field over the core."""
        return sum(int(getattr(s, field)) for s in self.slices)


@dataclass(frozen=True)
class Placement:
    """Neurons and synapses on cores; `on_host` names the populations that take no core.

    `receiving` says for each projection how many slices of its target a message of a source neuron
    reaches, the mean over the source, and the same of buffers and learners that hear populations in
    turn. `copies` says for each of kernels that learn in turn how
    often the cores of its target store one of its weights, the mean over the weights.
    """

    machine: str
    cores: tuple[Core, ...]
    chips: int
    on_host: tuple[str, ...]
    receiving: dict[str, float]
    copies: dict[str, float]

    def slice_counts(self) -> dict[str, int]:
        """Number of slices of each placed population."""
        counts: dict[str, int] = {}
        for core in self.cores:
            for s in core.slices:
                counts[s.population] = counts.get(s.population, 0) + 1
        return counts

    def rows(self) -> list[tuple[str, ...]]:
        """Table rows: cores, chip, what, and the most that one of them has of each limit.

        Cores that follow one another, hold the same populations and bind on the same limit share a
        row.
        """
        titles = "core|chip|population|neurons|synapses|memory|axons in|axons out|fan-in|binds"
        rows: list[tuple[str, ...]] = [tuple(titles.split("|"))]
        for (chip, populations, binds), group in groupby(self.cores, _kind):
            cores = list(group)
            first, last = cores[0].index, cores[-1].index
            if len(cores) == 1:
                names, which = ", ".join(str(s) for s in cores[0].slices), str(first)
            else:
                names, which = ", ".join(populations), f"{first}–{last}"
            fields = ("neurons", "synapses", "memory_bytes", "axons_in", "axons_out")
            numbers = [f"{max(core.total(f) for core in cores):,}" for f in fields]
            numbers[2] += " B"
            fan_in = max(s.fan_in for core in cores for s in core.slices)
            binding = f"{binds} {max(core.share for core in cores):.0%}"
            rows.append((which, str(chip), names, *numbers, f"{fan_in:,}", binding))
        return rows

    def to_json(self) -> dict[str, Any]:
        """Plain data, for `--json`."""
        return asdict(self)


def _kind(core: Core) -> tuple[int, tuple[str, ...], str]:
    """What cores of one row of the table have in common."""
    return core.chip, tuple(dict.fromkeys(s.population for s in core.slices)), core.binds
