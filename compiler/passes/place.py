"""Places neurons and their synapses on cores, in closed form: no loop over neurons.

Synapses live on the core of their target neuron. A source neuron has one axon list for each
projection and receiving core (`compiler.passes.demand` gives its size). A population is split
evenly over as few cores as its limits allow; slices of several populations share a core where they
fit (first fit). Inputs are injected by the host and take no core.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from clapp_neuro.errors import InputError
from compiler.passes.demand import Demand, demands, memory_bytes
from compiler.program import Program
from compiler.targets import Figure, Limits, NeuromorphicMachine, Target

STATE_WORD_BYTES = 4  # one 32-bit word of neuron state
OPEN_CORES = 32  # first fit looks at so many cores; keeps placing linear
FAN_IN = "synapses of fan-in"  # the one limit of a neuron, not of a core: it does not add up
NEURONS, MEMORY, STATE = "neurons", "bytes of synaptic memory", "bytes of neuron state"
AXONS_IN, AXONS_OUT = "axons in", "axons out"
SMALLER_SOURCES = "make the layers that it listens to smaller"
REMEDIES = {
    NEURONS: "use a machine with more neurons a core",
    MEMORY: SMALLER_SOURCES,
    STATE: "end fewer projections on its dendrites, or use a machine with more state a core",
    AXONS_IN: SMALLER_SOURCES,
    AXONS_OUT: "make its targets fewer or smaller, so that they take fewer cores",
    FAN_IN: SMALLER_SOURCES,
}


@dataclass(frozen=True)
class Misfit:
    """One neuron of `node` alone exceeds a limit of a core; no splitting helps."""

    node: str
    limit: str
    actual: int
    figure: Figure

    def __str__(self) -> str:
        return (
            f"{self.node}: one neuron alone needs {self.actual:,} {self.limit}, "
            f"a core has {self.figure.value:,.10g}; {self.remedy}"
        )

    @property
    def remedy(self) -> str:
        """What would make it fit."""
        return REMEDIES[self.limit]


class CoreLimitError(InputError):
    """Some neurons fit no core: a line for each limit that one neuron alone exceeds."""

    def __init__(self, misfits: tuple[Misfit, ...]) -> None:
        super().__init__("\n".join(str(m) for m in misfits))
        self.misfits = misfits


@dataclass(frozen=True)
class Slice:
    """Consecutive neurons `first` .. first + neurons - 1 of a population, on one core."""

    population: str
    first: int
    neurons: int
    synapses: int
    memory_bytes: int
    state_bytes: int
    axons_in: int
    axons_out: int
    fan_in: int
    plastic: bool


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
    """Neurons and synapses on cores; `on_host` names the populations that take no core."""

    machine: str
    cores: tuple[Core, ...]
    chips: int
    on_host: tuple[str, ...]

    def slice_counts(self) -> dict[str, int]:
        """Number of slices of each placed population."""
        counts: dict[str, int] = {}
        for core in self.cores:
            for s in core.slices:
                counts[s.population] = counts.get(s.population, 0) + 1
        return counts

    def rows(self) -> list[tuple[str, ...]]:
        """Table rows: core, chip, what, neurons, synapses, memory, axons in/out, fan-in, binds."""
        titles = "core|chip|population|neurons|synapses|memory|axons in|axons out|fan-in|binds"
        rows: list[tuple[str, ...]] = [tuple(titles.split("|"))]
        for core in self.cores:
            names = ", ".join(
                f"{s.population}[{s.first}:{s.first + s.neurons}]" for s in core.slices
            )
            fields = ("neurons", "synapses", "memory_bytes", "axons_in", "axons_out")
            numbers = [f"{core.total(f):,}" for f in fields]
            numbers[2] += " B"
            fan_in = max(s.fan_in for s in core.slices)
            binding = f"{core.binds} {core.share:.0%}"
            rows.append((str(core.index), str(core.chip), names, *numbers, f"{fan_in:,}", binding))
        return rows

    def to_json(self) -> dict[str, Any]:
        """Plain data, for `--json`."""
        return asdict(self)


def place(program: Program, target: Target | NeuromorphicMachine) -> Placement:
    """The placement on as many cores and chips as it takes.

    CoreLimitError where one neuron alone exceeds a core; `compiler.checks` says whether the
    machine has that many chips.
    """
    placement, misfits = place_what_fits(program, target)
    if misfits:
        raise CoreLimitError(misfits)
    return placement


def place_what_fits(
    program: Program, target: Target | NeuromorphicMachine
) -> tuple[Placement, tuple[Misfit, ...]]:
    """The placement of all populations that fit, and every limit that the others exceed."""
    machine = target.machine if isinstance(target, Target) else target
    limits = machine.limits
    asked = demands(program)
    alone = {d.name: _exceeded(d, limits) for d in asked}
    # One that fits nowhere counts as a single slice: its sources have at least that many axons.
    parts = {d.name: 1 if alone[d.name] else _fewest_slices(d, limits) for d in asked}
    axons = _split_for_axons_out(asked, parts, limits)
    misfits = tuple(m for d in asked for m in (*alone[d.name], *axons.get(d.name, ())))
    unplaced = {m.node for m in misfits}
    slices = [s for d in asked if d.name not in unplaced for s in _slices(d, parts, limits)]
    apart = machine.capabilities.all_plastic_or_none.value
    cores = _first_fit(slices, limits, apart)
    per_chip = int(limits.usable_cores_per_chip.value)
    placed = []
    for index, core in enumerate(cores):
        binds, share = max(_shares(core, limits).items(), key=lambda item: item[1])
        placed.append(Core(index, index // per_chip, tuple(core), binds, share))
    on_host = tuple(p.name for p in program.populations if p.soma is None)
    chips = -(-len(placed) // per_chip)
    return Placement(machine.name, tuple(placed), chips, on_host), misfits


def _used(core: list[Slice], limits: Limits) -> dict[str, tuple[int, Figure]]:
    """What a core uses of each limit."""
    used = {
        NEURONS: (sum(s.neurons for s in core), limits.neurons_per_core),
        MEMORY: (sum(s.memory_bytes for s in core), limits.synaptic_bytes_per_core),
        AXONS_IN: (sum(s.axons_in for s in core), limits.axons_in_per_core),
        AXONS_OUT: (sum(s.axons_out for s in core), limits.axons_out_per_core),
        FAN_IN: (max(s.fan_in for s in core), limits.fan_in_per_neuron),
    }
    if limits.state_bytes_per_core is not None:
        state = sum(s.state_bytes for s in core)
        used[STATE] = (state, limits.state_bytes_per_core)
    return used


def _shares(core: list[Slice], limits: Limits) -> dict[str, float]:
    """The share of each limit that is used, in 0..1 where the core fits."""
    return {name: used / figure.value for name, (used, figure) in _used(core, limits).items()}


def _largest(fits: Callable[[int], bool], most: int) -> int:
    """The largest n in 0..most that fits, where everything smaller fits too."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _exceeded(demand: Demand, limits: Limits) -> tuple[Misfit, ...]:
    """The limits that one neuron exceeds on a core of its own; axons out come later."""
    used = _used([_slice(demand, 0, 1, {}, limits)], limits)
    return tuple(
        Misfit(demand.name, limit, actual, figure)
        for limit, (actual, figure) in used.items()
        if limit != AXONS_OUT and actual > figure.value
    )


def _fewest_slices(demand: Demand, limits: Limits) -> int:
    """Slices needed by neurons, state, synaptic memory and axons in; one neuron must fit."""

    def fits(neurons: int) -> bool:
        used = _used([_slice(demand, 0, neurons, {}, limits)], limits)
        return all(n <= figure.value for k, (n, figure) in used.items() if k != AXONS_OUT)

    return -(-demand.neurons // _largest(fits, demand.neurons))


def _split_for_axons_out(
    asked: tuple[Demand, ...], parts: dict[str, int], limits: Limits
) -> dict[str, tuple[Misfit]]:
    """Splits further until no slice has too many axons out; more slices mean more axons.

    Returns those where even one neuron has too many; they are split no further.
    """
    most = int(limits.axons_out_per_core.value)
    beyond: dict[str, tuple[Misfit]] = {}
    changed = True
    while changed:
        changed = False
        for d in asked:
            each = sum(parts[t] for t in d.targets)
            if each > most:
                beyond[d.name] = (Misfit(d.name, AXONS_OUT, each, limits.axons_out_per_core),)
                continue
            needed = -(-d.neurons // (most // each)) if each else 1
            if needed > parts[d.name]:
                parts[d.name] = needed
                changed = True
    return beyond


def _slices(demand: Demand, parts: dict[str, int], limits: Limits) -> list[Slice]:
    """Even slices: sizes differ by at most one neuron."""
    n = parts[demand.name]
    small, larger = divmod(demand.neurons, n)
    slices, first = [], 0
    for i in range(n):
        neurons = small + (1 if i < larger else 0)
        slices.append(_slice(demand, first, neurons, parts, limits))
        first += neurons
    return slices


def _slice(
    demand: Demand, first: int, neurons: int, parts: dict[str, int], limits: Limits
) -> Slice:
    return Slice(
        population=demand.name,
        first=first,
        neurons=neurons,
        synapses=neurons * demand.fan_in,
        memory_bytes=memory_bytes(demand, neurons, limits),
        state_bytes=neurons * demand.state_words * STATE_WORD_BYTES,
        axons_in=demand.fan_in,
        axons_out=neurons * sum(parts.get(t, 1) for t in demand.targets),
        fan_in=demand.fan_in,
        plastic=demand.plastic,
    )


def _first_fit(slices: list[Slice], limits: Limits, apart: bool) -> list[list[Slice]]:
    """Each slice goes to the first of the youngest cores that has room in every limit."""
    cores: list[list[Slice]] = []
    room: list[tuple[float, ...]] = []  # what is left of each limit that adds up over slices
    for s in slices:
        used = _used([s], limits)
        needs = tuple(n for name, (n, _) in used.items() if name != FAN_IN)
        for c in range(max(0, len(cores) - OPEN_CORES), len(cores)):
            mixes = apart and cores[c][0].plastic != s.plastic
            if not mixes and all(n <= free for n, free in zip(needs, room[c], strict=True)):
                cores[c].append(s)
                room[c] = tuple(free - n for n, free in zip(needs, room[c], strict=True))
                break
        else:
            cores.append([s])
            room.append(tuple(f.value - n for name, (n, f) in used.items() if name != FAN_IN))
    return cores
