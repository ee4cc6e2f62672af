"""What parts of maps ask for: closed forms against counting one synapse after the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import plastic_maps
import pytest
from conv_network import conv_network, dense_connected
from hypothesis import given, settings
from split_maps import LIMITS, TARGET, learning, machine, members, of, placed

from compiler.design_rules.checks import check
from compiler.events.neurobench import synapses_of
from compiler.ir import Connection
from compiler.passes.placing.demand import demands
from compiler.passes.placing.lists import list_bytes
from compiler.passes.placing.part import Part
from compiler.passes.placing.place import place
from compiler.passes.placing.split import Grid, reached, slices_reached
from compiler.pipeline import compile_network
from compiler.program import Program, Synapses
from compiler.targets import NeuromorphicMachine


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
    (forward,) = (i for i in of(demands(program), "layer1").incoming if i.along and i.taps == 9)
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
