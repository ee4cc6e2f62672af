"""Kernels that learn: copies, their rules, and when everything is sent and known."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plastic_maps import network, program

from clapp_neuro.errors import InputError
from compiler.connectivity import on_the_map, synapse_count
from compiler.ir import Connection, Quantity
from compiler.passes.quantizing.quantize import quantize
from compiler.passes.untie import untie
from compiler.program import Tally

SHAPES = st.fixed_dictionaries(
    {
        "layers": st.sampled_from([(1,), (3,), (2, 3), (2, 1, 2)]),
        "patch": st.integers(4, 9),
        "steps": st.integers(2, 9),
        "coding": st.sampled_from(["intensity", "on-off"]),
    }
)


def pools(layers: tuple[int, ...]) -> list[tuple[int, ...]]:
    return [(), (1,), tuple(range(1, len(layers) + 1))]


@settings(max_examples=25, deadline=None)
@given(SHAPES, st.integers(0, 2), st.sampled_from([0, 4]))
def test_every_copy_is_the_shared_kernel_where_it_is_on_the_map(how, pooled, averaged):
    pool = pools(how["layers"])[pooled]
    if how["patch"] >> len(pool) < 1:
        return
    shared, _ = quantize(network(pool=pool, **how), 127)
    lowered = program(averaged=averaged, pool=pool, **how)
    untied = [s for s in lowered.synapses if s.connection is Connection.UNTIED]
    assert len(untied) == len(how["layers"])
    for s in untied:
        source, target = lowered.population(s.source), lowered.population(s.target)
        real = on_the_map(s.weights.shape, target.map[1:])
        kernels = shared.integers[s.name]
        assert (s.weights == kernels.weights * real).all()
        assert (s.tags == kernels.tags * real).all()
        assert s.weights.dtype == np.int8 and s.tags.dtype == np.int16
        exist = np.broadcast_to(real, s.weights.shape).sum()
        assert exist == synapse_count(s.connection, s.weights.shape, source.map, target.map)
        assert s.averaged == averaged


@settings(max_examples=25, deadline=None)
@given(SHAPES, st.integers(0, 2))
def test_what_is_read_has_arrived(how, pooled):
    """Restated from the docstring of `compiler.program`: delivery is one step after sending."""
    pool = pools(how["layers"])[pooled]
    if how["patch"] >> len(pool) < 1:
        return
    lowered = program(pool=pool, **how)
    level = {p.name: p.level for p in lowered.populations}
    top, table = max(level.values()), lowered.timetable
    assert table.period >= table.predict + 1 + top
    assert table.period & (table.period - 1) == 0
    for s in lowered.synapses:
        if s.connection not in (Connection.SPREAD, Connection.UNPOOL):
            continue
        (sent,) = s.listens
        message = lowered.population(s.source).message(sent)
        assert (message.drop, message.lift) == (0, 0)
        arrives = sent + 1 + level[s.source] - level[s.target]
        values = lowered.population(s.target).post_values
        read = {"apical": Quantity.APICAL, "retro": Quantity.RETRO}.get(s.compartment.value)
        late = [v for v in values if read in (*v.factors, None) and v.step < arrives]
        assert not late
        if message.quantity is Quantity.RETRO:
            retro = next(t for t in lowered.synapses if t.name == f"{s.target}.retrodiction")
            assert sent > retro.listens[0]
    gates = {g.name: g for g in lowered.gates}
    for p in lowered.populations:
        for value in p.post_values:
            gate = gates[value.gate]
            assert value.step + p.level >= gate.decided(table.steps) + 1 + level[gate.population]


def test_means_add_up_what_the_layer_above_hears():
    lowered = program(layers=(4, 3), pool=(1,), patch=6)
    sums = {s.target: s.source for s in lowered.synapses if s.connection is Connection.SUM}
    assert sums == {"layer1.mean": "layer1.pool", "layer2.mean": "layer2"}
    for name, source in sums.items():
        positions = prod(lowered.population(source).map[1:])
        assert lowered.population(name).soma == Tally(positions)
        assert {g.population for g in lowered.gates} >= {name}


@pytest.mark.parametrize(("averaged", "power"), [(32, 1), (0, 0.75)])
def test_copies_that_are_averaged_learn_as_the_shared_kernel_others_less_fast(averaged, power):
    quantized, _ = quantize(network(layers=(4, 3), pool=(1,), patch=6), 127)
    untied, notes = untie(quantized, averaged)
    rules = {p.name: p.rule for p in quantized.network.projections}
    for p in untied.network.projections:
        if p.connection is Connection.UNTIED:
            positions = prod(untied.network.population(p.target).map[1:])
            for copy, shared in zip(p.rule.terms, rules[p.name].terms, strict=True):
                assert copy.coefficient == shared.coefficient * positions**power
    assert [n.subject for n in notes] == ["layer1.forward", "layer2.forward"]


def test_a_negative_interval_is_refused():
    quantized, _ = quantize(network(), 127)
    with pytest.raises(InputError, match="copies averaged every -1 fixations"):
        untie(quantized, -1)
