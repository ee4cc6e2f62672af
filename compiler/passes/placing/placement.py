"""What lies on which core, as data and as a table."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Slice:
    """Neurons of a population on one core: `channels` from `first_channel` on, and so on.

    `fan_in` are a neuron's synapses, `axon_fan_in` the axons that bring them; `index_bits` is the
    longest index in its lists. `kinds`, `thresholds` and `formats` are entries of the core's tables
    (`compiler.passes.placing.settings`, `compiler.passes.placing.demand`).
    """

    population: str
    first_channel: int
    channels: int
    first_row: int
    rows: int
    first_column: int
    columns: int
    neurons: int
    synapses: int
    memory_bytes: int
    state_bytes: int
    axons_in: int
    axons_out: int
    fan_in: int
    axon_fan_in: int
    index_bits: int
    kinds: tuple[int, ...]
    thresholds: tuple[int, ...]
    formats: tuple[tuple[int, int, int, int], ...]
    plastic: bool

    def __str__(self) -> str:
        text = f"{self.first_channel}:{self.first_channel + self.channels}"
        if self.neurons != self.channels:
            text += f", rows {self.first_row}:{self.first_row + self.rows}"
            text += f", columns {self.first_column}:{self.first_column + self.columns}"
        return f"{self.population}[{text}]"


@dataclass(frozen=True)
class Core:
    """One core: what lies on it, and which limit is nearest (`binds`, share of it in 0..1).

    Its router is at `column` and `row` of the mesh, which goes on from one chip to the next.
    """

    index: int
    chip: int
    column: int
    row: int
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
    reaches, the mean over the source. `copies` says for kernels that learn in turn how often the
    cores of their target store one of their weights, the mean over the weights. `hops` are those of
    one message of every neuron to each core that hears it, `hops_in_a_row` what they would be with
    the cores one after the other.
    """

    machine: str
    cores: tuple[Core, ...]
    chips: int
    on_host: tuple[str, ...]
    receiving: dict[str, float]
    copies: dict[str, float]
    hops: int
    hops_in_a_row: int

    def slice_counts(self) -> dict[str, int]:
        """Number of slices of each placed population."""
        counts: dict[str, int] = {}
        for core in self.cores:
            for s in core.slices:
                counts[s.population] = counts.get(s.population, 0) + 1
        return counts

    def rows(self) -> list[tuple[str, ...]]:
        """Table rows: cores, chips, what, and the most that one of them has of each limit.

        Cores that hold the same populations and bind on the same limit share a row.
        """
        titles = "cores|chips|population|neurons|synapses|memory|axons in|axons out|fan-in|binds"
        groups: dict[tuple[tuple[str, ...], str], list[Core]] = {}
        for core in self.cores:
            held = tuple(dict.fromkeys(s.population for s in core.slices))
            groups.setdefault((held, core.binds), []).append(core)
        rows: list[tuple[str, ...]] = [tuple(titles.split("|"))]
        for (populations, binds), cores in groups.items():
            alone = len(cores) == 1
            names = ", ".join(map(str, cores[0].slices) if alone else populations)
            fields = ("neurons", "synapses", "memory_bytes", "axons_in", "axons_out")
            numbers = [f"{max(core.total(f) for core in cores):,}" for f in fields]
            numbers[2] += " B"
            fan_in = max(s.fan_in for core in cores for s in core.slices)
            binding = f"{binds} {max(core.share for core in cores):.0%}"
            which = _spans({core.chip for core in cores})
            rows.append((f"{len(cores)}", which, names, *numbers, f"{fan_in:,}", binding))
        return rows

    def to_json(self) -> dict[str, Any]:
        """Plain data, for `--json`."""
        return asdict(self)


def _spans(numbers: set[int]) -> str:
    """Numbers in words, those that follow one another as one span: 0–2, 5."""
    spans: list[list[int]] = []
    for n in sorted(numbers):
        if spans and spans[-1][1] == n - 1:
            spans[-1][1] = n
        else:
            spans.append([n, n])
    return ", ".join(f"{a}" if a == b else f"{a}–{b}" for a, b in spans)
