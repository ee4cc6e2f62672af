"""Placement never exceeds a limit, whatever the network, the split and the machine."""

from __future__ import annotations

from collections import Counter

import numpy as np
from conv_network import conv_network
from hypothesis import given, settings
from hypothesis import strategies as st
from split_maps import TARGET, learning, machine, members, placed

from compiler.passes.placing.part import Part
from compiler.passes.placing.place import CoreLimitError, place, place_what_fits
from compiler.passes.placing.placement import Placement, Slice
from compiler.pipeline import compile_network
from compiler.program import Program
from compiler.targets import NeuromorphicMachine
from compiler.targets.figures import Capability


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
