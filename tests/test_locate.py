"""Cores that talk are put close: never worse than one after the other, and a place for each."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import plastic_maps
import pytest
from compiled_program import compiled
from conv_network import conv_network, dense_connected
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.passes.placing.locate import hops, locate, slots_of
from compiler.passes.placing.place import place
from compiler.passes.placing.wires import Wires
from compiler.pipeline import compile_network
from compiler.program import Program
from compiler.targets import NeuromorphicMachine, load_target

LOIHI2 = load_target("loihi2-sim").machine


def small(**limits: int) -> NeuromorphicMachine:
    """Loihi 2 with smaller cores or chips."""
    changed = {
        name: getattr(LOIHI2.limits, name).model_copy(update={"value": value, "low": 0})
        for name, value in limits.items()
    }
    return LOIHI2.model_copy(update={"limits": LOIHI2.limits.model_copy(update=changed)})


@st.composite
def wired(draw) -> tuple[Wires, int]:
    """Any cores, and any wires between them."""
    cores = draw(st.integers(1, 40))
    pairs = draw(st.sets(st.tuples(*[st.integers(0, cores - 1)] * 2), max_size=80))
    apart = sorted(p for p in pairs if p[0] != p[1])
    axons = draw(st.lists(st.integers(1, 500), min_size=len(apart), max_size=len(apart)))
    ends = np.array(apart, np.int64).reshape(-1, 2)
    return Wires(ends[:, 0], ends[:, 1], np.array(axons, np.int64)), cores


@given(wired(), st.integers(1, 40))
@settings(max_examples=100, deadline=None)
def test_every_core_has_a_place_of_its_own_and_hops_are_not_more(drawn, usable):
    wires, cores = drawn
    slots = slots_of(small(usable_cores_per_chip=usable), cores)
    places = locate(wires, slots, cores)
    assert len(set(places.tolist())) == cores and places.max() < len(slots.chip)
    assert slots.chips == -(-cores // usable)
    assert hops(wires, slots, places) <= hops(wires, slots, np.arange(cores))


def test_routers_have_four_cores_and_the_last_two_are_not_used():
    slots = slots_of(LOIHI2, 300)
    assert slots.chips == 3 and len(slots.chip) == 360
    routers = Counter(zip(slots.column.tolist(), slots.row.tolist(), strict=True))
    assert set(routers.values()) == {4} and len(routers) == 90
    first = {(c, r) for k, c, r in zip(slots.chip, slots.column, slots.row, strict=True) if k == 0}
    assert first == {(c, r) for c in range(8) for r in range(4)} - {(6, 3), (7, 3)}


def counted(program: Program, machine: NeuromorphicMachine) -> int:
    """Hops of one message of every neuron, synapse by synapse, signals of comparators apart."""
    placement = place(program, machine)
    total = 0
    for s in program.synapses:
        if s.source in placement.on_host:
            continue
        connected = dense_connected(program, s.name)
        ends = {}
        for name in (s.source, s.target):
            where = np.full(program.population(name).map, -1)
            for core in placement.cores:
                for part in core.slices:
                    if part.population == name:
                        box = (
                            slice(part.first_channel, part.first_channel + part.channels),
                            slice(part.first_row, part.first_row + part.rows),
                            slice(part.first_column, part.first_column + part.columns),
                        )
                        where[box] = core.index
            ends[name] = where.ravel()
        spots = np.array([(c.column, c.row) for c in placement.cores])
        for neuron, home in enumerate(ends[s.source]):
            for core in set(ends[s.target][connected[:, neuron]].tolist()):
                total += int(np.abs(spots[home] - spots[core]).sum())
    return total


@pytest.mark.parametrize("kind", ["static maps", "maps that learn"])
def test_wires_are_what_synapses_need(kind):
    if kind == "static maps":
        network = conv_network((6, 8), (2, 6, 5, 4), (1,))
        program = compile_network(network, load_target("loihi2-sim")).program
    else:
        program = plastic_maps.program(layers=(3, 4), pool=(1,), patch=6, rate=2**-12)
        program = without_comparators(program)
    machine = small(neurons_per_core=20)
    placement = place(program, machine)
    assert placement.hops == counted(program, machine) > 0
    assert placement.hops <= placement.hops_in_a_row
    assert placement.hops < placement.hops_in_a_row or kind != "static maps"


def without_comparators(program: Program) -> Program:
    """The same, with nobody who compares or is gated."""
    populations = tuple(replace(p, post_values=()) for p in program.populations)
    return replace(program, gates=(), populations=populations)


def test_layers_over_many_cores_are_closer_than_in_a_row():
    placement = place(compiled((30, 90, 90, 60)), small(synaptic_bytes_per_core=6_000))
    assert placement.hops < placement.hops_in_a_row
