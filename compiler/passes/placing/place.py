"""Places neurons and their synapses on cores, in closed form: no loop over neurons.

Synapses live on the core of their target neuron; `compiler.passes.placing.demand` says what they
take. A population is split evenly over as few cores as its limits allow
(`compiler.passes.placing.split`); slices of several populations share a core where they fit (first
fit). Then the cores get their places on the mesh (`compiler.passes.placing.locate`). Inputs are
injected by the host and take no core.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from clapp_neuro.errors import InputError
from compiler.ir import Map
from compiler.passes.placing.demand import demands, outgoing_of
from compiler.passes.placing.locate import hops, locate, slots_of
from compiler.passes.placing.needs import Demand, Outgoing, memory_bytes
from compiler.passes.placing.part import Part
from compiler.passes.placing.placement import Core, Placement, Slice
from compiler.passes.placing.split import (
    Grid,
    best_grid,
    each_kind,
    reached,
    sends_at_most,
    slices_reached,
)
from compiler.passes.placing.usage import AXONS_OUT, Misfit, Room, binding, fits, used
from compiler.passes.placing.wires import between_cores
from compiler.program import Program
from compiler.targets import Limits, NeuromorphicMachine, Target
from compiler.turns import heard_in_turn, learners_of, traces_of

STATE_WORD_BYTES = 4  # one 32-bit word of neuron state
FREE_ROUNDS = 4  # of splitting; from then on grids are only refined
Heard = list[tuple[Map, Outgoing]]
OPEN_CORES = 32  # first fit looks at so many cores; keeps placing linear


class CoreLimitError(InputError):
    """Some neurons fit no core: a line for each limit that one of them exceeds."""

    def __init__(self, misfits: tuple[Misfit, ...]) -> None:
        super().__init__("\n".join(str(m) for m in misfits))
        self.misfits = misfits


def place(program: Program, target: Target | NeuromorphicMachine) -> Placement:
    """The placement on as many cores and chips as it takes.

    CoreLimitError where one neuron exceeds a core; `compiler.design_rules.checks` says whether the
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
    asked = demands(program)
    alone = {d.name: _exceeded(d, machine) for d in asked}
    grids, axons = _split(asked, alone, machine)
    misfits = tuple(m for d in asked for m in (*alone[d.name], *axons.get(d.name, ())))
    unplaced = {m.node for m in misfits}
    placed = [d for d in asked if d.name not in unplaced]
    slices = [
        _slice(d, part, sent, machine)
        for d in placed
        for sent in [reached(d, grids)]
        for part in grids[d.name].parts()
    ]
    apart = machine.capabilities.all_plastic_or_none.value
    shared, home = _first_fit(slices, machine.limits, apart)
    slots = slots_of(machine, len(shared))
    wires = between_cores(placed, grids, home)
    spots = locate(wires, slots, len(shared))
    cores = tuple(
        Core(
            index=index,
            chip=int(slots.chip[slot]),
            column=int(slots.column[slot]),
            row=int(slots.row[slot]),
            slices=tuple(core),
            binds=limit,
            share=share,
        )
        for index, (core, slot) in enumerate(zip(shared, spots, strict=True))
        for limit, share in [binding(core, machine.limits)]
    )
    on_host = tuple(p.name for p in program.populations if p.soma is None)
    placement = Placement(
        machine=machine.name,
        cores=cores,
        chips=slots.chips,
        on_host=on_host,
        receiving=_receiving(program, grids),
        copies=_copies(program, asked, grids, machine),
        hops=hops(wires, slots, spots),
        hops_in_a_row=hops(wires, slots, np.arange(len(shared))),
    )
    return placement, misfits


def _receiving(program: Program, grids: dict[str, Grid]) -> dict[str, float]:
    """Slices of its target that a message of each projection reaches on average.

    Those that end on buffers and learners, and begin there, are among them.
    """
    means = {
        traces_of(s): float(grids[learners_of(s)].slices) for s in program.synapses if s.in_turn
    }
    for p in program.populations:
        ends = [s.name for s in program.leaving[p.name]]
        ends += [name for name, _ in heard_in_turn(program, p.name)]
        for name, out in zip(ends, outgoing_of(program, p.name), strict=False):
            means[name] = slices_reached(out, p.map, grids[out.target]) / p.size
    return means


def _copies(
    program: Program,
    asked: tuple[Demand, ...],
    grids: dict[str, Grid],
    machine: NeuromorphicMachine,
) -> dict[str, float]:
    """How often a weight of kernels that learn in turn is stored for inference."""
    shared = machine.capabilities.shared_kernels.value
    incoming = {i.name: i for d in asked for i in d.incoming}
    return {
        s.name: sum(incoming[s.name].stored(part, shared) for part in grids[s.target].parts())
        / s.weights.size
        for s in program.synapses
        if s.in_turn
    }


def _exceeded(demand: Demand, machine: NeuromorphicMachine) -> tuple[Misfit, ...]:
    """The limits that one neuron exceeds on a core; axons out come later."""
    _, height, width = demand.map
    tried = [Part(0, 1, height // 2, 1, width // 2, 1)]
    if not all(i.centred for i in demand.incoming):
        tried = list(each_kind(demand, Grid(demand.map, 1, height, width)))
    found: dict[str, Misfit] = {}
    for part in tried:
        alone = _slice(demand, part, None, machine)
        for limit, (actual, figure) in used([alone], machine.limits).items():
            most = found[limit].actual if limit in found else figure.value
            if limit != AXONS_OUT and actual > most:
                found[limit] = Misfit(demand.name, limit, actual, figure)
    return tuple(found.values())


def _split(
    asked: tuple[Demand, ...],
    alone: dict[str, tuple[Misfit, ...]],
    machine: NeuromorphicMachine,
) -> tuple[dict[str, Grid], dict[str, tuple[Misfit]]]:
    """The split of every population, and those of which even one neuron has too many axons out.

    Axons out depend on how the targets are split, and more slices of one population are more axons
    of those below it: split again until every grid holds, from the top down, so that two rounds
    serve for layers of any number. After some rounds a grid may only be refined, so that this
    ends. One that fits nowhere counts as a single slice: its sources have at least that many axons.
    """
    limits = machine.limits
    most = int(limits.axons_out_per_core.value)
    sources = _sources(asked)
    grids = {d.name: Grid(d.map, 1) for d in asked}
    split_for: dict[str, np.ndarray] = {}
    beyond: dict[str, tuple[Misfit]] = {}
    changed, rounds = True, 0
    while changed:
        changed, rounds = False, rounds + 1
        for d in reversed(asked):
            sent = reached(d, grids)
            if d.name in split_for and np.array_equal(split_for[d.name], sent):
                continue
            first = d.name not in split_for
            split_for[d.name] = sent
            each = int(sent.max())
            beyond.pop(d.name, None)
            if each > most:
                figure = limits.axons_out_per_core
                beyond[d.name] = (Misfit(d.name, AXONS_OUT, each, figure),)
                sent = np.zeros_like(sent)
            if alone[d.name] or (not first and sends_at_most(grids[d.name], sent) <= most):
                continue

            def fit(part: Part, d: Demand = d) -> bool:
                return fits(_slice(d, part, None, machine), limits)

            def burden(grid: Grid, heard: Heard = sources[d.name]) -> float:
                axons = sum(slices_reached(out, source, grid) for source, out in heard)
                return axons / most

            coarsest = grids[d.name] if rounds > FREE_ROUNDS else None
            tried = None if all(i.centred for i in d.incoming) else partial(each_kind, d)
            grids[d.name] = best_grid(d.map, fit, sent, most, burden, coarsest, tried)
            changed = True
    return grids, beyond


def _sources(asked: tuple[Demand, ...]) -> dict[str, Heard]:
    """The populations on cores that send to each one: their maps, and how."""
    heard: dict[str, list[tuple[Map, Outgoing]]] = {d.name: [] for d in asked}
    for d in asked:
        for out in d.outgoing:
            heard[out.target].append((d.map, out))
    return heard


def _slice(
    demand: Demand, part: Part, sent: np.ndarray | None, machine: NeuromorphicMachine
) -> Slice:
    """What a part uses; its neurons at each position send to `sent` (H, W) slices, or to none."""
    shared, limits = machine.capabilities.shared_kernels.value, machine.limits
    axons = 0 if sent is None else int(sent[part.box[1:]].sum()) * part.channels
    formats = {i.format(part, limits) for i in demand.incoming}
    return Slice(
        population=demand.name,
        first_channel=part.first_channel,
        channels=part.channels,
        first_row=part.first_row,
        rows=part.rows,
        first_column=part.first_column,
        columns=part.columns,
        neurons=part.neurons,
        synapses=sum(i.synapses(part) for i in demand.incoming),
        memory_bytes=memory_bytes(demand, part, machine),
        state_bytes=part.neurons * demand.state_words * STATE_WORD_BYTES,
        axons_in=sum(i.axons_in(part, shared) for i in demand.incoming),
        axons_out=axons,
        fan_in=demand.fan_in,
        axon_fan_in=sum(i.axon_fan_in(shared) for i in demand.incoming),
        index_bits=max((index for _, index, _, _ in formats), default=0),
        kinds=demand.kinds.of(part),
        thresholds=demand.thresholds.of(part),
        formats=tuple(sorted(formats)),
        plastic=demand.plastic,
    )


def _first_fit(
    slices: list[Slice], limits: Limits, apart: bool
) -> tuple[list[list[Slice]], np.ndarray]:
    """Each slice goes to the first of the youngest cores that has room in every limit.

    The cores, and (slices,) the core of each slice.
    """
    cores: list[Room] = []
    home = np.zeros(len(slices), np.int64)
    for number, s in enumerate(slices):
        for c in range(max(0, len(cores) - OPEN_CORES), len(cores)):
            mixes = apart and cores[c].slices[0].plastic != s.plastic
            if not mixes and cores[c].takes(s):
                break
        else:
            c = len(cores)
            cores.append(Room(limits))
        cores[c].add(s)
        home[number] = c
    return [core.slices for core in cores], home
