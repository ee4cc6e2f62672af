"""Placement of maps: closed forms against counting one synapse after the other, and VGG-6."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from conv_network import conv_network, dense_connected
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.checks import check
from compiler.passes.demand import Demand, Part, demands, list_bytes
from compiler.passes.place import AXONS_OUT, NEURONS, CoreLimitError, place
from compiler.passes.split import Grid, best_grid, reached, slices_reached
from compiler.pipeline import compile_network
from compiler.program import Program
from compiler.targets import NeuromorphicMachine, load_target

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
        p.name: Grid(p.map, draw(st.integers(1, p.map[0])), draw(st.integers(1, p.map[1])))
        for p in program.populations
    }
    return program, grids


def members(program: Program, name: str, part: Part) -> np.ndarray:
    """Which neurons of a population lie in a part."""
    inside = np.zeros(program.population(name).map, bool)
    channels = slice(part.first_channel, part.first_channel + part.channels)
    inside[channels, part.first_row : part.first_row + part.rows] = True
    return inside.ravel()


@given(placed())
@settings(max_examples=60, deadline=None)
def test_what_a_part_asks_for_is_what_its_synapses_need(
    drawn: tuple[Program, dict[str, Grid]],
) -> None:
    program, grids = drawn
    asked = {d.name: d for d in demands(program)}
    for s in program.synapses:
        (incoming,) = asked[s.target].incoming
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
            assert incoming.axons_in(part, shared=True) == positions
            lists = [list_bytes(int(n), incoming.synapse_bits, LIMITS) for n in synapses.sum(0)]
            assert incoming.memory_bytes(part, False, LIMITS) == sum(lists)
        assert (covered == 1).all(), "every neuron is in one part"


@given(placed())
@settings(max_examples=60, deadline=None)
def test_slices_that_a_neuron_reaches_are_counted_by_row(
    drawn: tuple[Program, dict[str, Grid]],
) -> None:
    program, grids = drawn
    for d in demands(program):
        for s, out in zip(
            (s for s in program.synapses if s.source == d.name), d.outgoing, strict=True
        ):
            connected = dense_connected(program, s.name)
            found = np.zeros(d.neurons, int)
            for part in grids[s.target].parts():
                found += connected[members(program, s.target, part)].any(0)
            assert slices_reached(out, d.map, grids[s.target]) == found.sum()
            rows = found.reshape(d.map).max((0, 2))
            assert np.array_equal(reached(d, grids), rows)


def only_neurons(most: int) -> Callable[[Part], bool]:
    return lambda part: part.neurons <= most


@pytest.mark.parametrize(
    ("shape", "most", "expected"),
    [
        ((128, 16, 16), 8192, (1, 4)),  # rows first: one neuron then reaches fewer slices
        ((1, 1, 1), 5, (1, 1)),
        ((7, 1, 1), 3, (3, 1)),
        ((10, 3, 4), 12, (10, 1)),  # 4 parts of the channels, one a row, would be 12
    ],
)
def test_the_fewest_slices_with_the_fewest_channel_parts(shape, most, expected):
    grid = best_grid(shape, only_neurons(most), np.zeros(shape[1], int), 1)
    assert all(part.neurons <= most for part in grid.parts())
    assert (grid.across, grid.down) == expected


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
    small = machine(
        shared, neurons_per_core=neurons, axons_out_per_core=axons, synaptic_bytes_per_core=memory
    )
    try:
        placement = place(program, small)
    except CoreLimitError:
        return  # one neuron alone exceeds such a core
    assert all(0 < core.share <= 1 for core in placement.cores)
    for p in program.populations[1:]:
        seen = np.zeros(p.size, int)
        for core in placement.cores:
            for s in core.slices:
                if s.population == p.name:
                    part = Part(s.first_channel, s.channels, s.first_row, s.rows, p.map[2])
                    seen += members(program, p.name, part)
        assert (seen == 1).all()


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
