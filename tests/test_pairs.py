"""Pairs of synapses: the low ones learn, the management processor carries, the high ones drive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from compiled_program import network, stimulus
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from narrow_target import loihi2_with
from plain_engine import PlainEngine
from readout_program import images, readout_network

from clapp_neuro.errors import InputError
from compiler.backends import lava, tensor
from compiler.backends.simulator import simulate, trace
from compiler.bundle import read_bundle, write_bundle
from compiler.energy import estimate
from compiler.frontends.checkpoint.readout import READOUT
from compiler.passes.lowering.consolidation import Consolidation
from compiler.passes.placing.place import place
from compiler.pipeline import compile_network
from compiler.program import MEMBRANE_MAX, Product, Program, SumOfProducts, Synapses
from compiler.retune import with_interval
from compiler.soundness import fault
from compiler.targets import load_target
from compiler.terms import Compartment
from compiler.verify import compare
from compiler.worked_examples.held import held

TARGET = load_target("loihi2-sim")
METHODS = ("clapp", "espp", "lpl")


def paired(
    widths: tuple[int, ...] = (12, 8, 6),
    every: int = 3,
    seed: int = 1,
    method: str = "clapp",
    weight_bits: int = 8,
    rate: float = 2**-8,
) -> Program:
    """A network that learns fast, in every fixation with a label."""
    how = Consolidation("pair", every)
    source = network(widths, seed=seed, method=method, rate=rate)
    target = loihi2_with(tag_bits=0, weight_bits=weight_bits)
    program = compile_network(source, target, seed, consolidation=how).program
    gates = tuple(replace(g, margin=MEMBRANE_MAX) for g in program.gates if g.norm is None)
    return replace(program, gates=gates or program.gates)


def low(program: Program) -> list[Synapses]:
    return [s for s in program.synapses if s.paired]


@st.composite
def programs(draw: Callable[..., int], methods: tuple[str, ...] = METHODS) -> Program:
    """Of any shape and width of weights, with weights of any size."""
    widths = draw(st.lists(st.sampled_from([1, 3, 8, 17]), min_size=2, max_size=3))
    every, seed = draw(st.sampled_from([1, 2, 3])), draw(st.integers(0, 9))
    how = draw(st.sampled_from(methods)), draw(st.sampled_from([3, 4, 6, 8]))
    try:
        program = paired(tuple(widths), every, seed, *how, rate=2**-9)
    except InputError:  # steps of some rates and weights are beyond what a product can be
        reject()
    return scrambled(program, program.weight_max, draw(st.integers(0, 2**32)))


def scrambled(program: Program, most: int, seed: int = 0) -> Program:
    """With any weights up to the largest in both halves: carries then move whole units."""
    random = np.random.default_rng(seed)
    return replace(
        program,
        synapses=tuple(
            replace(s, weights=random.integers(-most, most + 1, s.weights.shape).astype(np.int8))
            for s in program.synapses
        ),
    )


@given(programs(("clapp",)), st.integers(2, 7))
@settings(max_examples=25, deadline=None)
def test_the_simulator_does_what_the_docstrings_say(program: Program, fixations: int) -> None:
    assert fault(program) is None
    seen = stimulus(program, fixations)
    plain = PlainEngine(program)
    *_, comparison = compare(program, trace(program, seen), plain.trace(seen))
    assert comparison.equal, comparison.first_difference
    found = simulate(program, seen)
    assert found.program == plain.learned()
    for s in found.events.projections:
        assert s.averaged == plain.counted[s.name].averaged, s.name


@given(programs(), st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_tensors_do_the_same(program: Program, seed: int) -> None:
    seen = stimulus(program, 7, seed)
    *_, comparison = compare(program, tensor.trace(program, seen), trace(program, seen))
    assert comparison.equal, comparison.first_difference
    (found,) = tensor.simulate([program], [seen])
    alone = simulate(program, seen)
    assert (found.program, found.events) == (alone.program, alone.events)


@pytest.mark.parametrize("guarded", [False, True])
def test_lava_does_the_same(guarded: bool) -> None:
    program = scrambled(paired(every=2), 127)
    seen = stimulus(program, 9)
    theirs = lava.trace(program, seen, guarded=guarded)
    *_, comparison = compare(program, trace(program, seen), theirs)
    assert comparison.equal, comparison.first_difference
    learned = simulate(program, seen).program
    assert all(not np.array_equal(a.weights, b.weights)
               for a, b in zip(program.synapses, learned.synapses, strict=True))  # fmt: skip
    assert lava.run(program, seen).program == learned


def test_lava_infers_with_the_high_synapses_alone() -> None:
    program = paired()
    seen = stimulus(program, 4)
    engines = (engine(program, seen, learn=False) for engine in (trace, lava.trace))
    *_, comparison = compare(program, *engines)
    assert comparison.equal


def test_a_pair_is_the_tag_that_a_processor_carries() -> None:
    """The low synapses' weights, with the same random numbers, are tags of another program."""
    program = paired(every=4)
    as_tags = []
    for s in program.synapses:
        half = program.low.get(s.name)
        if half is not None and half.rule is not None:
            rule = SumOfProducts(dw=(), dt=half.rule.dw)
            own = {"rule": rule, "tags": half.weights.astype(np.int16), "slots": half.slots}
            as_tags.append(replace(s, **own, index=half.index))
    other = replace(program, synapses=tuple(as_tags), tag_max=program.weight_max)
    assert fault(other) is None
    seen = stimulus(program, 41)
    mine, theirs = simulate(program, seen).program, simulate(other, seen).program
    for s in theirs.synapses:
        assert s.tags is not None
        assert np.array_equal(s.weights, mine.synapses[mine.synapse_row[s.name]].weights)
        assert np.array_equal(s.tags, mine.low[s.name].weights)


def test_a_carry_keeps_what_both_hold_together() -> None:
    program = scrambled(paired(every=5), 60)
    seen = stimulus(program, 5)
    before, after = simulate(program, seen.part(0, 4)), simulate(program, seen)
    for s in low(program):
        first, last = (held(run.program, s.into)[0] for run in (before, after))
        moved = last - first  # by the fifth fixation's learning only
        assert np.abs(moved).max() < 64
        assert np.abs(after.program.low[s.into].weights).max() <= 32
        assert np.abs(before.program.low[s.into].weights).max() > 32
    assert not any(p.weight_clipped for p in after.events.projections)


def test_a_run_in_two_parts_is_the_same_run() -> None:
    program = paired(every=4)
    seen = stimulus(program, 22)
    first = simulate(program, seen.part(0, 9))
    second = simulate(first.program, seen.part(9, 22), state=first.state)
    whole = simulate(program, seen)
    assert second.program == whole.program
    assert second.events == whole.events


def test_saturation_of_both_halves_is_counted() -> None:
    program = paired(every=1, rate=2**-7)
    full = replace(
        program,
        synapses=tuple(
            replace(s, weights=np.full(s.weights.shape, 127, np.int8)) for s in program.synapses
        ),
    )
    clipped = {
        p.name: p.weight_clipped for p in simulate(full, stimulus(full, 20)).events.projections
    }
    assert all(clipped[s.into] for s in low(full))
    assert any(clipped[s.name] for s in low(full))


def test_both_halves_are_stored_sent_to_and_paid_for() -> None:
    """Beside the same network with tags: synapses, axons, operations, the processor's work."""
    source, seen = network((40, 24, 16), rate=2**-10), stimulus(paired((40, 24, 16)), 64)
    pair = compile_network(source, TARGET, consolidation=Consolidation("pair", 8))
    tags = compile_network(source, TARGET)
    slices = {
        name: {s.population: s for core in c.placement.cores for s in core.slices}
        for name, c in (("pair", pair), ("tags", tags))
    }
    for layer in ("layer1", "layer2"):
        both, one = slices["pair"][layer], slices["tags"][layer]
        gate = 1  # its broadcast, of which there is one either way
        assert both.axons_in - gate == 2 * (one.axons_in - gate)
        assert both.memory_bytes > one.memory_bytes
    events = simulate(pair.program, seen).events
    by_name = {p.name: p for p in events.projections}
    for s in low(pair.program):
        half, high = by_name[s.name], by_name[s.into]
        assert half.messages == high.messages > 0
        assert half.ignored_operations == half.messages * half.fan_out
        operations = high.forward_operations + high.delivered_operations + high.ignored_operations
        assert operations == half.ignored_operations
        assert half.plastic and not high.plastic and half.plastic_updates > 0
        assert half.averaged == high.averaged == 64 // 8 * s.weights.size
    cost = estimate(events, place(pair.program, TARGET.machine), TARGET.machine)
    items = {item.kind: item for item in cost.learning_events}
    assert items["averaged_synapse"].count == 2 * 8 * sum(s.weights.size for s in low(pair.program))
    assert items["averaged_synapse"].energy.value > 0
    assert "carry" not in items


def test_a_file_keeps_pairs(tmp_path) -> None:
    program = simulate(paired(), stimulus(paired(), 7)).program
    again, _ = read_bundle(write_bundle(tmp_path / "pair.clapp", program))
    assert again == program


def test_the_interval_can_be_another() -> None:
    often = with_interval(paired(every=3), 7, longest=9)
    assert {s.averaged for s in often.synapses} == {7}
    assert fault(often) is None
    with pytest.raises(InputError, match="carried every 0 fixations: give at least 1"):
        with_interval(paired(), 0, longest=9)


def changed(name: str, **values: object) -> Program:
    program = paired()
    return replace(
        program,
        synapses=tuple(replace(s, **values) if s.name == name else s for s in program.synapses),  # type: ignore[arg-type]
    )


HIGH, LOW = "layer1.forward", "layer1.forward.low"
RETRO = "layer1.retrodiction"
RETRO_UNIT = paired().low[RETRO].unit
CARRIED = SumOfProducts((), (Product(-5, ("x0", "x1", "y1")),))


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (changed(LOW, into="layer9.forward"), "carried into 'layer9.forward', which does not"),
        (changed(LOW, into="layer1.prediction"), "do not connect the same neurons"),
        (changed(LOW, into=LOW), "not the low ones alone learn"),
        (changed(LOW, into="", fine=0), "averages copies of kernels, but has none"),
        (changed(LOW, compartment=Compartment.RETRO), "ends where nobody reads, or is one"),
        (changed(HIGH, compartment=Compartment.UNREAD), "ends where nobody reads, or is one"),
        (changed(LOW, slots=()), "not the low ones alone learn, in slots"),
        (changed(LOW, rule=CARRIED), "not the low ones alone learn, in slots, in a weight"),
        (changed(LOW, averaged=2), "not carried after the same number"),
        (changed(LOW, averaged=0), "not carried after the same number"),
        (changed(HIGH, averaged=0), "not carried after the same number"),
        (changed(LOW, fine=5), "is not 2^-5 of that"),
        (changed(LOW, fine=7), "fine is 7, not between 0 and 6"),
        (changed(LOW, fine=-1), "fine is -1"),
        (changed(LOW, listens=(3,)), "listens or has a delay, but ends where nobody reads"),
        (changed(LOW, delay=1), "listens or has a delay, but ends where nobody reads"),
        (changed("layer1.prediction.low", into=RETRO, unit=RETRO_UNIT), "two sets of low synapses"),
        (replace(paired(), synapses=tuple(s for s in paired().synapses if s.name != LOW)),
         "changes, and no low synapses"),
    ],
)  # fmt: skip
def test_what_is_no_pair_is_refused(program: Program, words: str) -> None:
    assert words in (fault(program) or "")


def test_inference_does_not_hear_the_low_synapses() -> None:
    program = paired()
    seen = stimulus(program, 6)
    loud = replace(
        program,
        synapses=tuple(
            replace(s, weights=np.full(s.weights.shape, 99, np.int8)) if s.paired else s
            for s in program.synapses
        ),
    )
    for engine in (trace, tensor.trace):
        one, other = (list(engine(p, seen, learn=False)) for p in (program, loud))
        assert all(np.array_equal(a.counts["layer2"], b.counts["layer2"])
                   for a, b in zip(one, other, strict=True))  # fmt: skip


def test_a_readout_on_the_chip_learns_in_pairs_too() -> None:
    how = Consolidation("pair", 4)
    program = compile_network(readout_network(), TARGET, consolidation=how).program
    assert fault(program) is None
    assert all(program.low[s.name] for s in program.arriving[READOUT] if not s.paired)
    seen = images(program, 24)
    *_, comparison = compare(program, tensor.trace(program, seen), trace(program, seen))
    assert comparison.equal, comparison.first_difference
    learned = simulate(program, seen).program
    assert any(not np.array_equal(program.low[s.name].weights, learned.low[s.name].weights)
               for s in program.arriving[READOUT] if not s.paired)  # fmt: skip
