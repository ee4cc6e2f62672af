"""Placement: the memory formula, every limit held, everything placed once, and speed."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from compiled_program import compiled
from hypothesis import given, settings
from hypothesis import strategies as st

from clapp_neuro.errors import InputError
from compiler.ir import Compartment
from compiler.passes.placing.demand import demands
from compiler.passes.placing.lists import list_bytes
from compiler.passes.placing.place import CoreLimitError, place
from compiler.passes.placing.usage import AXONS_IN, FAN_IN, STATE
from compiler.program import ProgramPopulation, Soma, Synapses
from compiler.targets import load_target

TARGET = load_target("loihi2-sim")
LIMITS = TARGET.machine.limits


def with_limits(**values):
    """Loihi 2 with other values of some limits."""
    changed = {
        name: getattr(LIMITS, name).model_copy(update={"value": value, "low": 0})
        for name, value in values.items()
    }
    return TARGET.machine.model_copy(update={"limits": LIMITS.model_copy(update=changed)})


def wide_layer(neurons, sources):
    """A static layer; the weight matrix is a view, so that its size costs nothing."""
    program = compiled((4, 3), 8, plastic=False)
    weights = np.broadcast_to(np.int8(1), (neurons, sources))
    soma = Soma(4000, 100, "subtract", 0, True)
    populations = (
        replace(program.populations[0], size=sources),
        ProgramPopulation("wide", neurons, 1, soma),
    )
    synapses = Synapses(
        "wide.forward", 0, "input", "wide", Compartment.SOMA, weights, None, 1.0, (0,), 0
    )
    return replace(program, populations=populations, synapses=(synapses,))


@pytest.mark.parametrize(
    ("synapses", "bits", "expected"),
    [
        (0, 8, 0),
        (1, 8, 8),  # 8 + 10 bits: one word
        (6, 8, 8),  # 58 bits
        (7, 8, 16),  # 66 bits: two words
        (64, 8, 72),  # 522 bits: nine words
        (65, 8, 80),  # a second block
        (64, 17, 144),  # with a tag: 1,098 bits, 18 words
    ],
)
def test_the_memory_of_an_axon_list_follows_the_formula(synapses, bits, expected):
    assert list_bytes(synapses, bits, LIMITS) == expected


def test_plastic_synapses_store_their_tag():
    plastic, static = compiled((12, 8)), compiled((12, 8), plastic=False)
    assert demands(plastic)[0].incoming[0].synapse_bits == 8 + 9
    assert demands(static)[0].incoming[0].synapse_bits == 8


def test_the_network_of_the_demo_binds_on_synaptic_memory():
    placement = place(compiled((196, 256, 256)), TARGET)
    assert placement.chips == 1 and placement.on_host == ("input",)
    assert {core.binds for core in placement.cores} == {"bytes of synaptic memory"}
    rows = placement.rows()
    assert rows[0][:2] == ("cores", "chips")
    assert sum(int(row[0]) for row in rows[1:]) == len(placement.cores)
    assert len({len(row) for row in rows}) == 1


def test_comparators_are_neurons_with_a_place():
    placement = place(compiled((12, 8, 6)), TARGET)
    placed = {s.population for core in placement.cores for s in core.slices}
    assert placed == {"layer1", "layer2", "layer1.gate", "layer2.gate"}


def test_plastic_and_static_synapses_keep_apart_where_the_machine_wants_it():
    capabilities = TARGET.machine.capabilities
    apart = capabilities.all_plastic_or_none.model_copy(update={"value": True})
    machine = TARGET.machine.model_copy(
        update={"capabilities": capabilities.model_copy(update={"all_plastic_or_none": apart})}
    )
    for core in place(compiled((12, 8, 6)), machine).cores:
        assert len({s.plastic for s in core.slices}) == 1


@settings(max_examples=40, deadline=None)
@given(
    widths=st.tuples(*[st.integers(1, 60)] * 3),
    neurons=st.integers(4, 80),
    memory=st.integers(4_000, 40_000),
    axons_out=st.integers(300, 2_000),
)
def test_every_neuron_is_placed_once_and_no_limit_is_exceeded(widths, neurons, memory, axons_out):
    program = compiled(widths)
    machine = with_limits(
        neurons_per_core=neurons, synaptic_bytes_per_core=memory, axons_out_per_core=axons_out
    )
    try:
        placement = place(program, machine)
    except InputError:
        return  # one neuron alone exceeds such a core
    assert all(0 < core.share <= 1 for core in placement.cores)
    for p in program.populations[1:]:
        slices = [s for core in placement.cores for s in core.slices if s.population == p.name]
        spans = sorted((s.first_channel, s.first_channel + s.channels) for s in slices)
        assert spans[0][0] == 0 and spans[-1][1] == p.size
        assert all(a[1] == b[0] for a, b in pairwise(spans))
    counts = placement.slice_counts()
    for core in placement.cores:
        for s in core.slices:
            demand = next(d for d in demands(program) if d.name == s.population)
            assert s.axons_out == s.neurons * sum(counts[o.target] for o in demand.outgoing)


def test_a_neuron_too_large_for_a_core_is_named_with_the_limit():
    with pytest.raises(InputError, match=r"wide: one neuron alone needs 5,000 .*4,096"):
        place(wide_layer(10, 5_000), TARGET)


def test_all_limits_that_fit_no_core_come_with_their_own_remedy():
    machine = with_limits(state_bytes_per_core=4, fan_in_per_neuron=9, axons_in_per_core=9)
    with pytest.raises(CoreLimitError) as caught:
        place(wide_layer(10, 12), machine)
    remedies = {m.limit: m.remedy for m in caught.value.misfits}
    assert set(remedies) == {STATE, FAN_IN, AXONS_IN}
    assert remedies[STATE] != remedies[FAN_IN]
    assert str(caught.value).count("wide: one neuron alone needs") == 3


def test_chips_are_filled_up_to_their_usable_cores():
    placement = place(wide_layer(100_000, 1_000), TARGET)
    assert placement.chips == -(-len(placement.cores) // 120)
    assert max(core.chip for core in placement.cores) == placement.chips - 1


def test_a_large_network_is_placed_without_a_loop_over_its_neurons():
    program, calls = wide_layer(200_000, 8), Counter()
    sys.setprofile(lambda frame, event, argument: calls.update([event]))
    try:
        placement = place(program, TARGET)
    finally:
        sys.setprofile(None)
    assert calls["call"] + calls["c_call"] < 50_000
    assert sum(core.total("neurons") for core in placement.cores) == 200_000
