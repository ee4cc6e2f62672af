"""Places neurons and their synapses on cores, in closed form: no loop over neurons.

Synapses live on the core of their target neuron; `compiler.passes.demand` says what they take. A
population is split evenly over as few cores as its limits allow (`compiler.passes.split`); slices
of several populations share a core where they fit (first fit). Inputs are injected by the host and
take no core.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clapp_neuro.errors import InputError
from compiler.figures import Figure
from compiler.passes.demand import Demand, Part, demands, memory_bytes, outgoing_of
from compiler.passes.placement import Core, Placement, Slice
from compiler.passes.split import Grid, best_grid, reached, slices_reached
from compiler.program import Program
from compiler.targets import Limits, NeuromorphicMachine, Target

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
    """`part`, the least of `node` that a core can have, exceeds a limit; no splitting helps."""

    node: str
    limit: str
    actual: int
    figure: Figure
    part: str

    def __str__(self) -> str:
        return (
            f"{self.node}: {self.part} alone needs {self.actual:,} {self.limit}, "
            f"a core has {self.figure.value:,.10g}; {self.remedy}"
        )

    @property
    def remedy(self) -> str:
        """What would make it fit."""
        return REMEDIES[self.limit]


class CoreLimitError(InputError):
    """Some neurons fit no core: a line for each limit that the least part of them exceeds."""

    def __init__(self, misfits: tuple[Misfit, ...]) -> None:
        super().__init__("\n".join(str(m) for m in misfits))
        self.misfits = misfits


def place(program: Program, target: Target | NeuromorphicMachine) -> Placement:
    """The placement on as many cores and chips as it takes.

    CoreLimitError where one neuron, or one row of a map, exceeds a core; `compiler.checks` says
    whether the machine has that many chips.
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
    alone = {d.name: _exceeded(d, machine) for d in asked}
    grids, axons = _split(asked, alone, machine)
    misfits = tuple(m for d in asked for m in (*alone[d.name], *axons.get(d.name, ())))
    unplaced = {m.node for m in misfits}
    slices = [
        _slice(d, part, sent, machine)
        for d in asked
        if d.name not in unplaced
        for sent in [reached(d, grids)]
        for part in grids[d.name].parts()
    ]
    apart = machine.capabilities.all_plastic_or_none.value
    cores = _first_fit(slices, limits, apart)
    per_chip = int(limits.usable_cores_per_chip.value)
    placed = []
    for index, core in enumerate(cores):
        binds, share = max(_shares(core, limits).items(), key=lambda item: item[1])
        placed.append(Core(index, index // per_chip, tuple(core), binds, share))
    on_host = tuple(p.name for p in program.populations if p.soma is None)
    chips = -(-len(placed) // per_chip)
    receiving = _receiving(program, grids)
    return Placement(machine.name, tuple(placed), chips, on_host, receiving), misfits


def _receiving(program: Program, grids: dict[str, Grid]) -> dict[str, float]:
    """Slices of its target that a message of each projection reaches on average."""
    means = {}
    for p in program.populations:
        ends = [s.name for s in program.leaving[p.name]]
        for name, out in zip(ends, outgoing_of(program, p.name), strict=False):
            means[name] = slices_reached(out, p.map, grids[out.target]) / p.size
    return means


def _used(core: list[Slice], limits: Limits) -> dict[str, tuple[int, Figure]]:
    """What a core uses of each limit."""
    used = {
        NEURONS: (sum(s.neurons for s in core), limits.neurons_per_core),
        MEMORY: (sum(s.memory_bytes for s in core), limits.synaptic_bytes_per_core),
        AXONS_IN: (sum(s.axons_in for s in core), limits.axons_in_per_core),
        AXONS_OUT: (sum(s.axons_out for s in core), limits.axons_out_per_core),
        FAN_IN: (max(s.axon_fan_in for s in core), limits.fan_in_per_neuron),
    }
    if limits.state_bytes_per_core is not None:
        state = sum(s.state_bytes for s in core)
        used[STATE] = (state, limits.state_bytes_per_core)
    return used


def _shares(core: list[Slice], limits: Limits) -> dict[str, float]:
    """The share of each limit that is used, in 0..1 where the core fits."""
    return {name: used / figure.value for name, (used, figure) in _used(core, limits).items()}


def _exceeded(demand: Demand, machine: NeuromorphicMachine) -> tuple[Misfit, ...]:
    """The limits that one row of one channel exceeds on a core; axons out come later."""
    middle = Part(0, 1, demand.map[1] // 2, 1, demand.map[2])
    used = _used([_slice(demand, middle, None, machine)], machine.limits)
    return tuple(
        Misfit(demand.name, limit, actual, figure, _least(demand, limit))
        for limit, (actual, figure) in used.items()
        if limit != AXONS_OUT and actual > figure.value
    )


def _least(demand: Demand, limit: str) -> str:
    """What exceeds a limit, in words: a core has whole rows of a map."""
    whole = demand.map[2] > 1 and limit != FAN_IN
    return "one row of a channel" if whole else "one neuron"


def _split(
    asked: tuple[Demand, ...],
    alone: dict[str, tuple[Misfit, ...]],
    machine: NeuromorphicMachine,
) -> tuple[dict[str, Grid], dict[str, tuple[Misfit]]]:
    """The split of every population, and those of which even one neuron has too many axons out.

    Axons out depend on how the targets are split, and more slices of one population are more axons
    of those below it: split further until nothing changes, from the top down, so that two rounds
    serve for layers of any number. One that fits nowhere counts as a single slice: its sources
    have at least that many axons.
    """
    limits = machine.limits
    most = int(limits.axons_out_per_core.value)
    grids = {d.name: Grid(d.map, 1, 1) for d in asked}
    beyond: dict[str, tuple[Misfit]] = {}
    changed = True
    while changed:
        changed = False
        for d in reversed(asked):
            sent = reached(d, grids)
            each = int(sent.max())
            if each > most:
                figure = limits.axons_out_per_core
                beyond[d.name] = (Misfit(d.name, AXONS_OUT, each, figure, _least(d, AXONS_OUT)),)
                sent = np.zeros_like(sent)
            if alone[d.name]:
                continue

            def fits(part: Part, d: Demand = d) -> bool:
                used = _used([_slice(d, part, None, machine)], limits)
                return all(n <= figure.value for n, figure in used.values())

            grid = best_grid(d.map, fits, sent, most)
            if grid.slices > grids[d.name].slices:
                grids[d.name] = grid
                changed = True
    return grids, beyond


def _slice(
    demand: Demand, part: Part, sent: np.ndarray | None, machine: NeuromorphicMachine
) -> Slice:
    """What a part uses; its neurons in each row send to `sent` (H,) slices, or to none."""
    shared = machine.capabilities.shared_kernels.value
    rows = slice(part.first_row, part.first_row + part.rows)
    axons = 0 if sent is None else int(sent[rows].sum()) * part.channels * part.width
    return Slice(
        population=demand.name,
        first_channel=part.first_channel,
        channels=part.channels,
        first_row=part.first_row,
        rows=part.rows,
        neurons=part.neurons,
        synapses=sum(i.synapses(part) for i in demand.incoming),
        memory_bytes=memory_bytes(demand, part, machine),
        state_bytes=part.neurons * demand.state_words * STATE_WORD_BYTES,
        axons_in=sum(i.axons_in(part, shared) for i in demand.incoming),
        axons_out=axons,
        fan_in=demand.fan_in,
        axon_fan_in=sum(i.axon_fan_in(shared) for i in demand.incoming),
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
