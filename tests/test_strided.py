"""Kernels of any stride, padding, dilation and groups: every engine, placement and counts."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import snntorch as snn
import torch
from conv_network import dense_connected, dense_matrix
from hypothesis import given, settings
from hypothesis import strategies as st
from real_network import through
from strided_network import convolved, kernels, strided
from torch import nn

import compiler
from clapp_neuro.errors import InputError
from compiler.backends import lava, simulator, tensor
from compiler.bundle import read_bundle, write_bundle
from compiler.connectivity import (
    axon_fan_in,
    fan_in,
    largest_fan_out,
    synapse_count,
    weights_shape,
)
from compiler.design_rules.checks import check
from compiler.events.fan_out import fan_out
from compiler.exports.raised import raised
from compiler.frontends.lower import lower
from compiler.ir import (
    Compartment,
    Connection,
    Geometry,
    Network,
    Neuron,
    Population,
    Projection,
    Schedule,
)
from compiler.passes.placing.demand import demands
from compiler.passes.placing.place import place_what_fits
from compiler.passes.placing.split import Grid, reached
from compiler.pipeline import compile_network
from compiler.program import Program
from compiler.soundness import fault
from compiler.targets import load_target
from compiler.trace import Stimulus
from compiler.verify import compare

TARGET = load_target("loihi2-sim")
LAVA = load_target("loihi2-lava")
TIMEOUT = 120.0


def stimulus(program: Program, fixations: int, seed: int) -> Stimulus:
    random = np.random.default_rng(seed)
    (source,) = (p for p in program.populations if p.soma is None)
    steps = (program.timetable.steps,) if source.sequence else ()
    shape = (fixations, *steps, source.size)
    low = 0 if source.sequence <= 1 else -source.sequence
    high = source.sequence or 255
    shown = random.integers(low, high + 1, shape) * (random.random(shape) < 0.6)
    return Stimulus({source.name: shown.astype(np.int32 if steps else np.uint8)}, {})


@given(strided(), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_engines_agree_with_each_other_and_with_torch(network: Network, seed: int) -> None:
    program = compile_network(network, TARGET).program
    shown = stimulus(program, 2, seed)
    ours = list(simulator.trace(program, shown, learn=False))
    (*_, total) = compare(program, ours, tensor.trace(program, shown, learn=False))
    assert total.equal, total.first_difference
    second = next(s for s in program.synapses if s.name == "second")
    layer, readout = (program.population(name) for name in ("layer", "readout"))
    for seen in ours:  # what spikes arrived is the potential of a readout that forgets at once
        expected = convolved(second, seen.spikes["layer"], layer.map, readout.map)
        assert np.array_equal(seen.membrane["readout"], expected << readout.soma.input_shift)
    first, source = program.synapses[0], program.population("input")
    if source.sequence and len(network.projections) == 2:
        current = [
            convolved(first, given, source.map, layer.map) for given in shown.intensities["input"]
        ]
        plain = replace(program, populations=tuple(map(forgetful, program.populations)))
        for seen, expected in zip(simulator.trace(plain, shown, learn=False), current, strict=True):
            assert np.array_equal(seen.membrane["layer"], expected << layer.soma.input_shift)


def forgetful(p):
    """The layer as a readout of what arrives."""
    if p.name != "layer":
        return p
    return replace(p, soma=replace(p.soma, decay=0, threshold=(1 << 23) - 1))


@given(strided(), st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_operations_are_the_synapses_that_messages_reach(network: Network, seed: int) -> None:
    program = compile_network(network, TARGET).program
    shown = stimulus(program, 2, seed)
    seen = list(simulator.trace(program, shown, learn=False))
    _, events = simulator.infer(program, shown)
    for s, counted in zip(program.synapses, events.projections, strict=True):
        every = fan_out(program, s, zeros=True)
        connected = dense_connected(program, s.name)
        assert np.array_equal(every, connected.sum(0))
        there = fan_out(program, s)
        assert np.array_equal(there, (dense_matrix(program, s) != 0).sum(0))
        assert connected.sum(1).max() <= fan_in(s.connection, s.weights.shape)
        assert every.max() <= largest_fan_out(s.connection, s.weights.shape, s.geometry)
        maps = (program.population(name).map for name in (s.source, s.target))
        whole = synapse_count(s.connection, s.weights.shape, *maps, s.geometry)
        assert whole == connected.sum()
        if s.source == "layer":
            late = s.delay
            spikes = sum(
                t.spikes["layer"][: program.timetable.steps - late].sum(0, dtype=int) for t in seen
            )
            assert counted.forward_operations == spikes @ every
        assert counted.fan_in == fan_in(s.connection, s.weights.shape)


@pytest.mark.parametrize(
    ("source", "weights", "geometry", "onto"),
    [
        ((2, 9, 7), (4, 2, 3, 3), Geometry((2, 2), (1, 1)), (5, 4)),
        ((2, 8, 6), (4, 1, 3, 2), Geometry((2, 1), (0, 1), groups=2), (3, 7)),  # a column more
        ((3, 9, 9), (3, 1, 2, 2), Geometry((2, 2), (0, 0), groups=3), (4, 4)),  # pools
        ((1, 9, 8), (2, 1, 3, 2), Geometry((1, 3), (2, 0), (2, 3)), (9, 2)),
        ((1, 9, 8), (2, 1, 3, 3), Geometry((1, 2), (0, 3), (2, 2)), (5, 3)),  # a column less
        ((2, 1, 12), (3, 2, 1, 4), Geometry((1, 3), (0, 1)), (1, 4)),
    ],
)
@pytest.mark.parametrize("sequence", [1, 15])
def test_lava_executes_them(source, weights, geometry, onto, sequence) -> None:
    random = np.random.default_rng(7)
    maps = (source, (weights[0], *onto))
    network = two_layers(maps, random.normal(0, 1, weights), geometry, sequence)
    program = compile_network(network, LAVA).program
    shown = stimulus(program, 2, 3)
    ours = list(simulator.trace(program, shown, learn=False))
    (*_, total) = compare(program, ours, lava.trace(program, shown, False, TIMEOUT))
    assert total.equal and total.fixations == 2, total.first_difference
    assert any(t.membrane["layer"].any() for t in ours)


def two_layers(maps, weights, geometry, sequence: int = 1) -> Network:
    below, above = maps
    return Network(
        (
            Population(
                "input", int(np.prod(below)), 0, scale=1 / sequence, shape=below, sequence=sequence
            ),
            Population("layer", int(np.prod(above)), 1, Neuron(0.9, 0.7), shape=above),
        ),
        (
            Projection(
                "first", "input", "layer", Compartment.SOMA, weights,
                connection=Connection.CONVOLUTION, geometry=geometry,
            ),
        ),
        Schedule(4),
    )  # fmt: skip


@st.composite
def placed(draw) -> tuple[Program, dict[str, Grid]]:
    network = draw(strided(("binary",)))
    program = compile_network(network, TARGET).program
    grids = {
        p.name: Grid(p.map, *(draw(st.integers(1, side)) for side in p.map))
        for p in program.populations
    }
    return program, grids


@given(placed())
@settings(max_examples=60, deadline=None)
def test_what_a_part_asks_for_is_what_its_synapses_need(drawn) -> None:
    program, grids = drawn
    asked = {d.name: d for d in demands(program)}
    for s in program.synapses:
        (incoming,) = (i for i in asked[s.target].incoming if i.name == s.name)
        connected = dense_connected(program, s.name)
        source = program.population(s.source)
        channels = np.unravel_index(
            np.arange(program.population(s.target).size), program.population(s.target).map
        )
        whole = s.geometry.groups in (1, len(s.weights)) or grids[s.target].channel_parts == 1
        for part in grids[s.target].parts():
            inside = [
                (first <= axis) & (axis < first + number)
                for axis, first, number in zip(
                    channels,
                    (part.first_channel, part.first_row, part.first_column),
                    (part.channels, part.rows, part.columns),
                    strict=True,
                )
            ]
            synapses = connected[np.logical_and.reduce(inside)]
            assert incoming.synapses(part) == synapses.sum()
            sources = synapses.any(0)
            positions = sources.reshape(source.map).any(0).sum()
            assert incoming.axons_in(part, shared=True) == positions
            alone = incoming.axons_in(part, shared=False)
            assert alone == sources.sum() if whole else alone >= sources.sum()
            most = s.weights.size // len(s.weights) * part.channels
            assert incoming.stored(part, True) == most
        assert incoming.axon_fan_in(True) == axon_fan_in(s.connection, s.weights.shape, True)
    for name in ("layer",):
        sent = reached(asked[name], grids)
        expected = np.zeros(program.population(name).map[1:], int)
        for s in program.leaving[name]:
            connected = dense_connected(program, s.name)
            alone = s.geometry.groups == program.population(name).map[0] == len(s.weights)
            owner = owners(program.population(s.target).map, grids[s.target], alone)
            for part in range(owner.max() + 1):
                hears = connected[owner == part].any(0).reshape(program.population(name).map)
                times = 1 if alone else grids[s.target].channel_parts
                expected += hears.any(0) * times
        assert np.array_equal(sent, expected)


def owners(shape, grid: Grid, alone: bool) -> np.ndarray:
    """The part of rows and columns that each neuron lies in, whatever its channel."""
    found = np.zeros(shape, int)
    numbers = ((r, c) for r in grid.rows() for c in grid.columns())
    for number, ((row, rows), (column, columns)) in enumerate(numbers):
        found[:, row : row + rows, column : column + columns] = number
    return found.ravel()


@given(strided(("binary",)), st.integers(20, 300), st.integers(8, 200))
@settings(max_examples=40, deadline=None)
def test_no_core_exceeds_a_limit(network: Network, memory: int, axons: int) -> None:
    program = compile_network(network, TARGET).program
    limits = TARGET.machine.limits
    changed = {
        "neurons_per_core": 16,
        "synaptic_bytes_per_core": memory,
        "axons_in_per_core": axons,
        "axons_out_per_core": axons,
    }
    figures = {
        name: getattr(limits, name).model_copy(update={"value": value, "low": 0})
        for name, value in changed.items()
    }
    machine = TARGET.machine.model_copy(update={"limits": limits.model_copy(update=figures)})
    placement, misfits = place_what_fits(program, machine)
    for core in placement.cores:
        assert core.total("neurons") <= 16
        assert core.total("memory_bytes") <= memory
        assert core.total("axons_in") <= axons
        assert core.total("axons_out") <= axons
    unplaced = {m.node for m in misfits}
    kept = {s.population for core in placement.cores for s in core.slices}
    assert kept | unplaced == {"layer", "readout"}
    if not unplaced:
        counted = sum(core.total("synapses") for core in placement.cores)
        assert counted == sum(dense_connected(program, s.name).sum() for s in program.synapses)


@given(strided())
@settings(max_examples=10, deadline=None)
def test_a_file_keeps_them(network: Network) -> None:
    program = compile_network(network, TARGET).program
    with tempfile.TemporaryDirectory() as folder:
        read, _ = read_bundle(write_bundle(Path(folder) / "strided.clapp", program))
    assert read == program


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_what_does_not_fit_the_maps_is_refused(data: st.DataObject) -> None:
    source = Population("input", 96, 0, shape=(6, 4, 4), sequence=1)
    projection, onto = data.draw(kernels("first", source, "layer"))
    network = two_layers((source.map, onto), projection.weights, projection.geometry)
    program = compile_network(network, TARGET).program
    (s,) = program.synapses
    how = s.geometry
    wrong = [
        replace(how, groups=how.groups * 5),
        replace(how, groups=0),
        replace(how, stride=(0, 1)),
        replace(how, dilation=(1, 0)),
        replace(how, padding=None),
        replace(how, padding=(-1, how.padding[1])),
        replace(how, padding=(how.padding[0], 40)),  # a window that begins off the map
        replace(how, stride=(40, 40)) if max(onto[1:]) > 1 else replace(how, groups=7),
    ]
    for geometry in wrong:
        shape = weights_shape(s.connection, source.map, onto, s.weights.shape[2:], geometry)
        broken = replace(program, synapses=(replace(s, geometry=geometry),))
        if shape != s.weights.shape:
            assert "first" in str(fault(broken))
            with pytest.raises(InputError, match="do not fit with Geometry"):
                compile_network(two_layers((source.map, onto), s.weights, geometry), TARGET)
    flat = replace(s, connection=Connection.ALL_TO_ALL)
    assert "has the geometry of a convolution" in str(fault(replace(program, synapses=(flat,))))


def test_a_check_counts_them() -> None:
    network = two_layers(
        ((2, 64, 64), (16, 31, 31)), np.ones((16, 2, 3, 3)), Geometry((2, 2), (0, 0))
    )
    assert check(network, TARGET) == ()


@given(strided(("binary",)))
@settings(max_examples=30, deadline=None)
def test_a_graph_for_other_tools_and_back(network: Network) -> None:
    again = lower(raised(network, "test"), network.schedule.steps)
    for p in network.projections:
        title = f"{p.source} to {p.target}"
        (q,) = (q for q in again.projections if q.name == title)
        source, target = (network.population(name) for name in (p.source, p.target))
        sent = np.random.default_rng(0).random(source.size)
        found, wanted = (through(a, sent, source, target) for a in (q, p))
        assert np.allclose(found, wanted, atol=1e-12)


@pytest.mark.parametrize("side", [32, 128])
def test_a_network_for_a_camera_of_events_stays_small(side: int) -> None:
    """Stored weights are those of the layers, whatever the number of pixels."""
    torch.manual_seed(0)
    kernels = (
        nn.Conv2d(2, 8, 5, stride=2, padding=2),
        nn.Conv2d(8, 16, 3, stride=2, bias=False),
        nn.AvgPool2d(3, 2),
        nn.Conv2d(16, 16, 3, stride=2, groups=4),
    )
    layers = [module for layer in kernels for module in (layer, snn.Leaky(0.9, init_hidden=True))]
    sample = torch.rand(1, 2, side, side)
    compiled = compiler.compile_network(
        compiler.from_snntorch(nn.Sequential(*layers), sample), TARGET, steps=2
    )
    stored = sum(s.weights.size for s in compiled.program.synapses)
    assert stored == 8 * 2 * 25 + 16 * 8 * 9 + 16 * 9 + 16 * 4 * 9
    assert {s.connection for s in compiled.program.synapses} == {Connection.CONVOLUTION}
