"""Placement of maps: closed forms against counting one synapse after the other, and VGG-6."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np
import plastic_maps
import pytest
from conv_network import conv_network, dense_connected
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.checks import check
from compiler.events.neurobench import synapses_of
from compiler.figures import Capability
from compiler.ir import Connection
from compiler.passes.demand import demands
from compiler.passes.lists import list_bytes
from compiler.passes.needs import Demand
from compiler.passes.part import Part
from compiler.passes.place import CoreLimitError, place, place_what_fits
from compiler.passes.placement import Placement, Slice
from compiler.passes.split import Grid, best_grid, reached, slices_reached
from compiler.passes.usage import AXONS_IN, AXONS_OUT, FAN_IN, MEMORY, NEURONS
from compiler.pipeline import compile_network
from compiler.program import Program, Synapses
from compiler.targets import NeuromorphicMachine, load_target
from compiler.turns import buffers_of, learners_of

TARGET = load_target("loihi2-sim")
LIMITS = TARGET.machine.limits


def machine(shared: bool = True, **limits: int) -> NeuromorphicMachine:
    """Loihi 2 with other limits, or with every position's own synapses."""
    changed = {
        name: getattr(LIMITS, name).model_copy(update={"value": value, "low": 0})
        for name, value in limits.items()
    }
    capabilities = TARGET.machine.capabilities
    kernels = capabilities.shared_kernels.model_copy(update={"value": shared})
    return TARGET.machine.model_copy(
        update={
            "limits": LIMITS.model_copy(update=changed),
            "capabilities": capabilities.model_copy(update={"shared_kernels": kernels}),
        }
    )


@st.composite
def placed(draw: Callable[..., int]) -> tuple[Program, dict[str, Grid]]:
    """A network of two convolutions and a pool, and any split of its populations."""
    sides = draw(st.integers(2, 7)), draw(st.integers(2, 6))
    channels = tuple(draw(st.integers(1, 5)) for _ in range(3))
    network = conv_network(sides, channels, (1,), kernel=draw(st.sampled_from([1, 3, 5])))
    program = compile_network(network, TARGET).program
    grids = {
        p.name: Grid(p.map, *(draw(st.integers(1, side)) for side in p.map))
        for p in program.populations
    }
    return program, grids


@st.composite
def learning(draw: Callable[..., int]) -> tuple[Program, dict[str, Grid]]:
    """Kernels that learn, means, spreads and unpools, and any split of the populations."""
    layers = tuple(draw(st.integers(1, 4)) for _ in range(draw(st.integers(1, 2))))
    pool = tuple(n for n in range(1, len(layers) + 1) if draw(st.booleans()))
    program = plastic_maps.program(
        layers=layers,
        pool=pool,
        patch=draw(st.integers(2 ** len(pool), 7)),
        rate=2**-12,
        averaged=1,
        sequential=draw(st.booleans()),
    )
    grids = {
        p.name: Grid(p.map, *(draw(st.integers(1, side)) for side in p.map))
        for p in program.populations
    }
    grids |= {g.name: Grid((1, 1, 1), 1) for g in program.gates}
    for s in program.synapses:
        if s.in_turn:
            out, channels, kernel, _ = s.weights.shape
            parts = [draw(st.integers(1, n)) for n in (channels, kernel, kernel)]
            grids[buffers_of(s)] = Grid((channels, kernel, kernel), *parts)
            grids[learners_of(s)] = Grid((out, 1, 1), draw(st.integers(1, out)))
    return program, grids


def members(program: Program, name: str, part: Part) -> np.ndarray:
    """Which neurons of a population lie in a part."""
    inside = np.zeros(program.population(name).map, bool)
    inside[part.box] = True
    return inside.ravel()


def needed_index(program: Program, s: Synapses, part: Part, synapses: np.ndarray) -> int:
    """Bits of the widest index, by the targets of each source, numbered by row, column, channel."""
    shape = part.channels, part.rows, part.columns
    numbers = np.arange(part.neurons).reshape(shape[1], shape[2], shape[0]).transpose(2, 0, 1)
    ends = [np.sort(numbers.ravel()[targets]) for targets in synapses.T if targets.any()]
    lists = [(len(e), int(e[-1] - e[0]) + 1) for e in ends]
    if all(length == span for length, span in lists):
        return 0
    return max(6, int(max(span for _, span in lists) - 1).bit_length())


@given(placed() | learning())
@settings(max_examples=60, deadline=None)
def test_what_a_part_asks_for_is_what_its_synapses_need(
    drawn: tuple[Program, dict[str, Grid]],
) -> None:
    program, grids = drawn
    asked = {d.name: d for d in demands(program)}
    for s in program.synapses:
        (incoming,) = (i for i in asked[s.target].incoming if i.name == s.name)
        connected = dense_connected(program, s.name)
        source = program.population(s.source)
        covered = np.zeros(program.population(s.target).size, int)
        for part in grids[s.target].parts():
            mine = members(program, s.target, part)
            covered += mine
            synapses = connected[mine]
            assert part.neurons == mine.sum()
            assert incoming.synapses(part) == synapses.sum()
            sources = synapses.any(0)
            assert incoming.axons_in(part, shared=False) == sources.sum()
            positions = sources.reshape(source.map).any(0).sum()
            own = s.connection in (Connection.ALL_TO_ALL, Connection.UNTIED)
            assert incoming.axons_in(part, shared=True) == (sources.sum() if own else positions)
            bits = incoming.synapse_bits + needed_index(program, s, part, synapses)
            assert incoming.index_bits(part, LIMITS) == bits - incoming.synapse_bits
            lists = [list_bytes(int(n), bits, LIMITS) for n in synapses.sum(0)]
            assert incoming.memory_bytes(part, False, LIMITS) == sum(lists)
            if own:
                assert incoming.memory_bytes(part, True, LIMITS) == sum(lists)
        assert (covered == 1).all(), "every neuron is in one part"


@given(placed() | learning())
@settings(max_examples=60, deadline=None)
def test_slices_that_a_neuron_reaches_are_counted_by_position(
    drawn: tuple[Program, dict[str, Grid]],
) -> None:
    program, grids = drawn
    for d in demands(program):
        positions = np.zeros(d.map[1:], int)
        sent = [s for s in program.synapses if s.source == d.name]
        for s, out in zip(sent, d.outgoing, strict=False):  # comparators come last
            connected = dense_connected(program, s.name)
            found = np.zeros(d.neurons, int)
            for part in grids[s.target].parts():
                found += connected[members(program, s.target, part)].any(0)
            assert slices_reached(out, d.map, grids[s.target]) == found.sum()
            positions += found.reshape(d.map).max(0)
        if d.name in {g.name for g in program.gates}:
            continue
        for out in d.outgoing[len(sent) :]:  # what hears in turn, and comparators
            parts = list(grids[out.target].parts())
            if out.channelwise:  # all parts that have neurons of the first channel, or of any other
                parts = [p for p in parts if p.first_channel == 0]
            positions += len(parts)
        assert np.array_equal(reached(d, grids), positions)


def only_neurons(most: int) -> Callable[[Part], bool]:
    return lambda part: part.neurons <= most


@pytest.mark.parametrize(
    ("shape", "most", "expected"),
    [
        ((128, 16, 16), 8192, (1, 2, 2)),  # positions first: one neuron then reaches fewer slices
        ((1, 1, 1), 5, (1, 1, 1)),
        ((7, 1, 1), 3, (3, 1, 1)),
        ((10, 3, 4), 12, (5, 1, 2)),  # rows in three parts would be 12 slices
        ((2, 6, 8), 8, (1, 3, 4)),
    ],
)
def test_the_fewest_slices_with_the_fewest_channel_parts(shape, most, expected):
    grid = best_grid(shape, only_neurons(most), np.zeros(shape[1:], int), 1)
    assert all(part.neurons <= most for part in grid.parts())
    assert (grid.channel_parts, grid.row_parts, grid.column_parts) == expected


@given(
    shape=st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 6)),
    most=st.integers(1, 60),
    axons=st.integers(0, 4),
)
@settings(max_examples=100, deadline=None)
def test_no_grid_has_fewer_slices(shape, most, axons):
    sent = np.full(shape[1:], axons)
    room = max(axons, 2 * most)
    found = best_grid(shape, only_neurons(most), sent, room)
    for parts in product(*(range(1, side + 1) for side in shape)):
        grid = Grid(shape, *parts)
        if all(p.neurons <= most and p.neurons * axons <= room for p in grid.parts()):
            assert (found.slices, found.channel_parts) <= (grid.slices, grid.channel_parts)


@given(
    neurons=st.integers(8, 200),
    axons=st.integers(60, 600),
    memory=st.integers(2_000, 60_000),
    shared=st.booleans(),
    sides=st.tuples(st.integers(2, 9), st.integers(2, 6)),
    kernel=st.sampled_from([1, 3, 5, 7]),
)
@settings(max_examples=80, deadline=None)
def test_no_limit_is_exceeded_and_no_neuron_is_lost(neurons, axons, memory, shared, sides, kernel):
    network = conv_network(sides, (2, 6, 4), (1,), kernel=kernel)
    program = compile_network(network, TARGET).program
    nothing_is_exceeded(program, neurons, axons, memory, shared)


@given(
    neurons=st.integers(8, 100),
    axons=st.integers(200, 1200),
    memory=st.integers(4_000, 60_000),
    shared=st.booleans(),
    drawn=learning(),
)
@settings(max_examples=40, deadline=None)
def test_the_same_where_kernels_learn(neurons, axons, memory, shared, drawn):
    nothing_is_exceeded(drawn[0], neurons, axons, memory, shared)


def part_of(s: Slice) -> Part:
    return Part(s.first_channel, s.channels, s.first_row, s.rows, s.first_column, s.columns)


def nothing_is_exceeded(program: Program, neurons: int, axons: int, memory: int, shared: bool):
    small = machine(
        shared, neurons_per_core=neurons, axons_out_per_core=axons, synaptic_bytes_per_core=memory
    )
    try:
        placement = place(program, small)
    except CoreLimitError:
        return  # one neuron alone exceeds such a core
    fits_the_machine(program, placement, small)


def fits_the_machine(program: Program, placement: Placement, machine: NeuromorphicMachine):
    """Every neuron lies on one core, and no core or router has more than it can."""
    limits, most = machine.limits, Counter((c.column, c.row) for c in placement.cores)
    assert max(most.values()) <= 4 and len({c.chip for c in placement.cores}) == placement.chips
    for core in placement.cores:
        assert 0 < core.share <= 1
        for field, limit in {
            "neurons": limits.neurons_per_core,
            "memory_bytes": limits.synaptic_bytes_per_core,
            "state_bytes": limits.state_bytes_per_core,
            "axons_in": limits.axons_in_per_core,
            "axons_out": limits.axons_out_per_core,
        }.items():
            assert core.total(field) <= limit.value
        for field, limit in {
            "kinds": limits.compartment_configurations,
            "thresholds": limits.threshold_configurations,
            "formats": limits.synapse_formats,
        }.items():
            assert len({e for s in core.slices for e in getattr(s, field)}) <= limit.value
        for s in core.slices:
            assert s.axon_fan_in <= limits.fan_in_per_neuron.value
            assert s.index_bits <= limits.index_bits.value
        if machine.capabilities.all_plastic_or_none.value:
            assert len({s.plastic for s in core.slices}) == 1
    for p in program.populations[1:]:
        seen = np.zeros(p.size, int)
        for core in placement.cores:
            for s in core.slices:
                if s.population == p.name:
                    seen += members(program, p.name, part_of(s))
        assert (seen == 1).all()


@given(drawn=placed() | learning(), data=st.data())
@settings(max_examples=60, deadline=None)
def test_no_machine_is_given_more_than_it_has(drawn, data):
    low_high = {
        "usable_cores_per_chip": (1, 9),
        "neurons_per_core": (1, 200),
        "state_bytes_per_core": (40, 4_000),
        "synaptic_bytes_per_core": (1_000, 60_000),
        "axons_in_per_core": (10, 500),
        "axons_out_per_core": (10, 800),
        "fan_in_per_neuron": (9, 400),
        "index_bits": (0, 9),
        "compartment_configurations": (1, 4),
        "threshold_configurations": (1, 3),
        "synapse_formats": (2, 6),
    }
    limits = {name: data.draw(st.integers(*ends), label=name) for name, ends in low_high.items()}
    small = machine(data.draw(st.booleans()), **limits)
    apart = {"all_plastic_or_none": Capability(value=True, grade="C", source="drawn")}
    if data.draw(st.booleans()):
        capabilities = small.capabilities.model_copy(update=apart)
        small = small.model_copy(update={"capabilities": capabilities})
    placement, misfits = place_what_fits(drawn[0], small)
    if misfits:
        assert all(m.actual > m.figure.value for m in misfits)
    else:
        fits_the_machine(drawn[0], placement, small)


def vgg(channels: tuple[int, ...]) -> Program:
    """VGG-6 on 16x16 patches, with so many channels: weights are zero, which costs no time."""
    network = conv_network((16, 16), (2, *channels), (2, 4, 5, 6), gain=0.0)
    return compile_network(network, TARGET).program


def of(asked: tuple[Demand, ...], name: str) -> Demand:
    return next(d for d in asked if d.name == name)


def test_vgg_6_needs_what_its_shapes_say():
    program = vgg((128, 256, 256, 512, 1024, 1024))
    asked = demands(program)
    layers = [of(asked, f"layer{n}").neurons for n in range(1, 7)]
    assert layers == [32_768, 65_536, 16_384, 32_768, 16_384, 4_096]
    kernels = sum(s.weights.size for s in program.synapses if s.weights.ndim == 4)
    assert kernels == 16_221_312 - 128 * 9 + 128 * 9 * 2  # one channel of input there, two here
    placement = place(program, TARGET)
    assert placement.chips == -(-len(placement.cores) // 120)
    counts = placement.slice_counts()
    # more than kernels and neurons alone would need: blocks have a head, axons out have a limit
    for name, least in zip(range(1, 7), (4, 8, 5, 9, 36, 72), strict=True):
        assert counts[f"layer{name}"] >= least
    binding = {core.binds for core in placement.cores}
    assert AXONS_OUT in binding and NEURONS not in binding


def test_without_shared_kernels_every_position_has_its_own_memory():
    program = compile_network(conv_network((8, 8), (2, 8), seed=1), TARGET).program
    shared, own = (
        sum(core.total("memory_bytes") for core in place(program, machine(kind)).cores)
        for kind in (True, False)
    )
    assert own > 10 * shared


def test_a_program_for_a_machine_file_that_does_not_say_so_shares_nothing():
    described = TARGET.machine.model_dump()
    del described["capabilities"]["shared_kernels"]
    read = NeuromorphicMachine.model_validate(described)
    assert not read.capabilities.shared_kernels.value


def test_widths_are_checked_for_maps_too():
    program = compile_network(conv_network((6, 6), (4, 8, 8), (1,)), TARGET).program
    narrow = machine(accumulator_bits=16)
    exceeded = {
        v.node for v in check(program, narrow) if v.limit.startswith("largest possible sum")
    }
    # 4 channels of 9 intensities of 8 bits need more than 15 bits, 8 channels of 9 spikes do not
    assert exceeded == {"layer1.soma"}
    few = replace(program, weight_max=7)
    bits = [v for v in check(few, TARGET) if v.limit == "a neighbour's bit"]
    assert [v.node for v in bits] == ["layer1.pool"] and bits[0].excess == 1


def test_kernels_that_learn_are_shared_by_nobody():
    program = plastic_maps.program(layers=(4,), pool=(), patch=8, rate=2**-12)
    part = Part(0, 4, 2, 4, 0, 8)
    (forward,) = (i for i in of(demands(program), "layer1").incoming if i.taps == 9)
    assert forward.memory_bytes(part, True, LIMITS) == forward.memory_bytes(part, False, LIMITS)
    weight_and_tag = program.weight_max.bit_length() + 1 + program.tag_max.bit_length() + 1
    assert forward.synapse_bits == weight_and_tag
    static = replace(forward, connection=Connection.CONVOLUTION)
    assert forward.memory_bytes(part, True, LIMITS) > 10 * static.memory_bytes(part, True, LIMITS)
    assert forward.axon_fan_in(True) == forward.fan_in == 9


@pytest.mark.parametrize("shared", [True, False])
def test_kernels_that_learn_in_turn_have_one_set_of_synapses_beside_them(shared):
    program = plastic_maps.program(layers=(4, 3), patch=6, averaged=1, sequential=True)
    asked = demands(program)
    (forward,) = (i for i in of(asked, "layer2").incoming if i.name == "layer2.forward")
    assert not forward.plastic and forward.synapse_bits == 8, "shared kernels are static"
    learners, buffers = of(asked, "layer2.forward learners"), of(asked, "layer2.forward buffers")
    assert (learners.map, buffers.map) == ((3, 1, 1), (4, 3, 3))
    assert learners.plastic and not buffers.plastic
    # a buffer keeps 2 * (3 + 1 + 1) + 1 payloads, four in a word
    assert buffers.state_words == 1 + 3
    whole = Part(0, 3, 0, 1, 0, 1)
    traces, told = learners.incoming
    assert traces.synapses(whole) == 3 * 36 and told.synapses(whole) == 3 * 9
    weight_and_tag, weight = 8 + 9, 8
    expected = 36 * list_bytes(3, weight_and_tag, LIMITS)
    assert traces.memory_bytes(whole, shared, LIMITS) == expected
    assert told.axons_in(whole, shared) == 27, "all positions, each onto its own channel"
    alone = weight + told.index_bits(whole, LIMITS)
    assert told.memory_bytes(whole, shared, LIMITS) == 27 * list_bytes(1, alone, LIMITS)
    (heard,) = buffers.incoming
    part = Part(1, 2, 0, 2, 0, 3)  # two rows of the windows of two channels
    assert heard.fan_in == 9, "3 x 3 positions after pooling"
    assert heard.axons_in(part, shared) == 2 * 9
    assert heard.synapses(part) == part.neurons * 9 == 108
    index = heard.index_bits(part, LIMITS)  # of a channel's neurons, between those of the others
    assert heard.memory_bytes(part, shared, LIMITS) == 18 * list_bytes(6, weight + index, LIMITS)
    copies = place(program, machine(shared)).copies
    seen = synapses_of(program, next(s for s in program.synapses if s.name == "layer2.forward"))
    assert copies["layer2.forward"] == (1 if shared else seen / (3 * 36))


def vgg_that_learns() -> Program:
    """VGG-6 with a kernel of its own at each position, of zeros that take no memory."""
    program = vgg((128, 256, 256, 512, 1024, 1024))
    rule = plastic_maps.program(layers=(1,), pool=(), patch=2).synapses[0].rule

    def untied(s: Synapses) -> Synapses:
        if s.connection is not Connection.CONVOLUTION:
            return s
        height, width = program.population(s.target).map[1:]
        shape = (height * width, *s.weights.shape)
        weights = np.broadcast_to(np.zeros(1, np.int8), shape)
        tags = np.broadcast_to(np.zeros(1, np.int16), shape)
        return replace(s, weights=weights, tags=tags, connection=Connection.UNTIED, rule=rule)

    return replace(program, synapses=tuple(map(untied, program.synapses)))


def test_vgg_6_that_learns_says_which_limits_bind():
    program = vgg_that_learns()
    with pytest.raises(CoreLimitError) as refused:
        place(program, TARGET)
    # kernels that learn cannot be shared, so an axon brings one channel of a position only
    beyond = {(m.node, m.limit): m.actual for m in refused.value.misfits}
    assert beyond == {
        ("layer5", AXONS_IN): 9 * 512,
        ("layer5", FAN_IN): 9 * 512,
        ("layer6", FAN_IN): 9 * 1024,
    }
    wide = machine(fan_in_per_neuron=2**14, axons_in_per_core=2**14, axons_out_per_core=2**20)
    placement = place(program, wide)
    placed = sum(s.synapses for core in placement.cores for s in core.slices)
    assert placed == sum(synapses_of(program, s) for s in program.synapses) > 230_000_000
    bits = sum(core.total("memory_bytes") for core in placement.cores) * 8 / placed
    assert 17 < bits < 24, "weight and tag have 17 bits, and lists have a head and whole words"
    assert MEMORY in {core.binds for core in placement.cores if "layer2" in str(core.slices[0])}
