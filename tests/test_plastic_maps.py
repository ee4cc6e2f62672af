"""Maps that learn in the simulator, against the plain engine, to the bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import plastic_maps
import pytest
from compiled_program import stimulus
from conv_network import conv_network
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_engine import PlainEngine
from plain_synapses import listed
from varied_maps import driven_by_spikes, with_numbers

from compiler.backends.simulator import infer, simulate, trace
from compiler.backends.simulator.engine import Machine
from compiler.backends.simulator.kernels.copies import average_copies
from compiler.backends.simulator.shown import stimulus_arrays
from compiler.connectivity import on_the_map, synapse_count
from compiler.events.columns import PopulationCount, SynapseCount
from compiler.ir import Connection
from compiler.pipeline import compile_network
from compiler.program import MEMBRANE_MAX, Program, Tally
from compiler.soundness import fault
from compiler.targets import load_target
from compiler.trace import Stimulus
from compiler.verify import compare

TARGET = load_target("loihi2-sim")


@st.composite
def programs(draw: Callable[..., int]) -> Program:
    """One or two convolutional layers, pooled or not, of any side that leaves something to pool."""
    layers = tuple(draw(st.lists(st.sampled_from([1, 2, 3, 5, 17]), min_size=1, max_size=2)))
    pool = tuple(layer for layer in range(1, len(layers) + 1) if draw(st.booleans()))
    sequential = draw(st.booleans())
    # 1x1 kernels in turn: tests/test_turns.py, since unpooled maps may then send twice in a step
    kernel = draw(st.sampled_from([3, 5] if sequential else [1, 3, 5]))
    program = plastic_maps.program(
        layers=layers,
        pool=pool,
        patch=draw(st.integers(2 ** len(pool), 6)),
        steps=draw(st.integers(4, 8)),
        averaged=draw(st.sampled_from([1, 2, 3] if sequential else [0, 1, 2, 3])),
        sequential=sequential,
        kernel=kernel,
        coding=draw(st.sampled_from(["intensity", "on-off"])),
        rate=2.0**-17,
    )
    if draw(st.booleans()):
        program = driven_by_spikes(program)
    return with_numbers(program, draw(st.integers(0, 2**32)), kernel)


def counters(machine: Machine) -> dict[str, dict[str, int]]:
    rows = machine.working.synapse_counts
    return {
        s.name: {c.name: int(n) for c, n in zip(SynapseCount, row, strict=True)}
        for s, row in zip(machine.program.synapses, rows, strict=True)
    }


@given(programs(), st.integers(2, 6), st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_maps_that_learn_are_what_their_docstrings_say(
    program: Program, fixations: int, seed: int
) -> None:
    """Every step, every weight and tag after it, and every count of the simulator."""
    assert fault(program) is None
    seen = stimulus(program, fixations, seed)
    plain = PlainEngine(program)
    *_, comparison = compare(program, trace(program, seen), plain.trace(seen))
    assert comparison.equal, comparison.first_difference

    machine = Machine(program, learn=True)
    machine.run(stimulus_arrays(program, machine.layout, seen))
    assert machine.learned() == plain.learned()
    for s, found in zip(program.synapses, counters(machine).values(), strict=True):
        expected = plain.counted[s.name]
        if s.connection is not Connection.ALL_TO_ALL:
            assert found["OPERATIONS"] == expected.operations, s.name
        assert found["ROWS_LEARNED"] == expected.rows, s.name
        assert found["EPOCHS"] == expected.epochs, s.name
        assert found["CARRIED"] == expected.carried, s.name
        assert found["CARRY_VISITS"] == expected.visits, s.name
        assert found["AVERAGED"] == expected.averaged, s.name


def small(averaged: int = 2, side: int = 5) -> Program:
    """Two layers, the first pooled, that learn in every fixation with a label."""
    made = plastic_maps.program(layers=(4, 3), patch=side, averaged=averaged, rate=2.0**-14)
    program = with_numbers(made, 7, 3)
    gates = tuple(replace(g, margin=MEMBRANE_MAX) for g in program.gates)
    return replace(program, gates=gates)


def test_the_small_program_does_all_there_is_to_do() -> None:
    """Every slot learns, losers forget, copies are averaged; the last odd row learns nothing."""
    program, seen = small(), stimulus(small(), 12)
    machine = Machine(program, learn=True)
    machine.run(stimulus_arrays(program, machine.layout, seen))
    found = counters(machine)
    for layer in ("layer1", "layer2"):
        forward = found[f"{layer}.forward"]
        assert min(forward[c] for c in ("ROWS_LEARNED", "CARRIED", "AVERAGED")) > 0
        assert forward["EPOCHS"] > 11, "both slots"
        assert found[f"{layer}.prediction"]["CARRIED"] > 0
    forgot = 0
    for t in trace(program, seen):
        count = t.counts["layer1"].reshape(4, 5, 5)
        fired = t.spikes["layer1"].sum(0).reshape(4, 5, 5)
        assert not count[:, 4].any() and not count[:, :, 4].any()
        kept = count[:, :4, :4].reshape(4, 2, 2, 2, 2).transpose(0, 1, 3, 2, 4).reshape(4, 4, 4)
        assert ((kept != 0).sum(-1) == (t.counts["layer1.pool"].reshape(4, 4) != 0)).all()
        assert np.array_equal(count[count != 0], fired[count != 0])
        forgot += int((fired[:, :4, :4] != 0).sum() - (kept != 0).sum())
        post = t.post["layer1"].reshape(2, 4, 5, 5)
        assert not post[:, :, 4].any() and not post[:, :, :, 4].any()
    assert forgot > 100


def test_copies_are_averaged_after_every_so_many_fixations() -> None:
    program = small(averaged=3)
    for t in trace(program, stimulus(program, 7)):
        for s in program.synapses:
            if s.connection is not Connection.UNTIED:
                continue
            side = program.population(s.target).map[1:]
            real = np.broadcast_to(on_the_map(s.weights.shape, side), s.weights.shape)
            last = program.timetable.last_tau(program.population(s.target).level)
            whole = 64 * t.weights[s.name].astype(int) + t.tags[s.name]
            copies = [np.ma.masked_array(w, ~real) for w in whole]
            spread = [(w.max(0) - w.min(0)).max() for w in copies]
            assert spread[last - 1] > 0
            assert (spread[last] == 0) == (t.fixation % 3 == 2)
            assert np.all(whole[last:] == whole[last])
            assert not whole[:, ~real].any()


def test_a_run_in_two_parts_is_one_run() -> None:
    """Averages and carries fall where they would have fallen."""
    program, seen = small(averaged=3), stimulus(small(), 11)
    whole = simulate(program, seen)
    begun = simulate(program, seen.part(0, 4))
    rest = simulate(begun.program, seen.part(4, 11), state=begun.state)
    assert rest.program == whole.program and rest.events == whole.events
    assert np.array_equal(rest.scores, whole.scores)
    assert np.array_equal(rest.gates, whole.gates)


@given(programs(), st.integers(1, 4))
@settings(max_examples=10, deadline=None)
def test_without_learning_only_the_forward_pass_is_left(program: Program, fixations: int) -> None:
    """The same operations as of a program that never had means, and no counts of tallies."""
    seen = stimulus(program, fixations)
    tallies = {p.name for p in program.populations if isinstance(p.soma, Tally)}
    kernels = (Connection.UNTIED, Connection.CONVOLUTION, Connection.POOL)
    forward = [s for s in program.synapses if s.connection in kernels]
    bare = replace(
        program,
        populations=tuple(
            replace(p, post_values=()) for p in program.populations if p.name not in tallies
        ),
        synapses=tuple(replace(s, rule=None, tags=None, averaged=0, slots=()) for s in forward),
        gates=(),
    )
    counts, _ = infer(program, seen)
    expected, _ = infer(bare, seen)
    assert counts.keys() == expected.keys()
    assert all(np.array_equal(counts[name], expected[name]) for name in counts)
    ours, theirs = (Machine(p, learn=False).layout.operations for p in (program, bare))
    assert ours[:, 0].tolist() == theirs[:, 0].tolist()
    for f, t in enumerate(trace(program, seen, learn=False)):
        assert t.counts.keys() == counts.keys() and not t.weights and not t.apical
        assert all(np.array_equal(t.counts[name], counts[name][f]) for name in counts)


def test_tallies_count_what_arrives() -> None:
    program, seen = small(side=4), stimulus(small(side=4), 9)
    machine = Machine(program, learn=True)
    machine.run(stimulus_arrays(program, machine.layout, seen))
    expected = dict.fromkeys(PopulationCount, 0)
    previous, sizes = 0, []
    for t in trace(program, seen):
        spikes = t.spikes["layer1.pool"].reshape(len(t.spikes["layer1.pool"]), 4, 4)
        assert np.array_equal(t.counts["layer1.mean"], spikes.sum((0, 2)))
        silent = int((t.counts["layer1.mean"] == 0).sum())
        expected[PopulationCount.ACTIVE_UPDATES] += int(spikes.any(2).sum())
        expected[PopulationCount.SILENT] += silent
        expected[PopulationCount.COUNT_MESSAGES] += 4 - silent
        expected[PopulationCount.PREVIOUS_MESSAGES] += previous
        previous = 4 - silent
        sizes.append(t.counts["layer1.mean"].max())
    names = [p.name for p in program.populations]
    found = machine.working.population_counts[names.index("layer1.mean")]
    for column in (
        PopulationCount.SPIKES,
        PopulationCount.ACTIVE_UPDATES,
        PopulationCount.SILENT,
        PopulationCount.SATURATED,
        PopulationCount.COUNT_MESSAGES,
        PopulationCount.PREVIOUS_MESSAGES,
    ):
        assert found[column] == expected[column], column
    assert max(sizes) > program.timetable.steps, "or any count would do"


@given(
    st.integers(0, 2**32),
    st.sampled_from([1, 3, 5]),
    st.integers(1, 4),
    st.sampled_from([1, 20, 64, 255]),
    st.sampled_from([1, 7, 127]),
)
@settings(max_examples=60, deadline=None)
def test_an_average_is_the_documented_formula(
    seed: int, kernel: int, side: int, tag_max: int, weight_max: int
) -> None:
    """Clipped where a tag cannot hold what is left of the weight; off the map nothing changes."""
    random = np.random.default_rng(seed)
    copies, out, channels = side * (side + 1), int(random.integers(1, 20)), 2
    shape = (copies, out, channels, kernel, kernel)
    low = -weight_max if random.random() < 0.5 else weight_max  # or all at the limit
    weights = random.integers(low, weight_max + 1, shape)
    tags = random.integers(-tag_max if low < 0 else tag_max, tag_max + 1, shape)
    flat = [
        np.ascontiguousarray(a.transpose(0, 3, 4, 2, 1)).astype(kind).ravel()
        for a, kind in ((weights, np.int8), (tags, np.int16))
    ]
    scratch = np.zeros(out, np.int64), np.zeros(out, np.int32), np.zeros(out, np.int32)
    window = channels, side, side + 1, kernel
    clipped = average_copies(*flat, 0, out, *window, weight_max, tag_max, *scratch)

    real = np.broadcast_to(on_the_map(shape, (side, side + 1)), shape)
    n = np.maximum(1, real.sum(0))
    mean = (2 * ((64 * weights + tags) * real).sum(0) + n) // (2 * n)
    new = np.clip((mean + 32) >> 6, -weight_max, weight_max)
    tag = np.clip(mean - 64 * new, -tag_max, tag_max)
    expected = np.where(real, new, weights), np.where(real, tag, tags)
    for a, b in zip(flat, expected, strict=True):
        found = a.reshape(copies, kernel, kernel, channels, out).transpose(0, 4, 3, 1, 2)
        assert np.array_equal(found, b)
    lost = new != (mean + 32) >> 6, tag != mean - 64 * new
    assert clipped == tuple(int((where * real.sum(0)).sum()) for where in lost)


@pytest.mark.parametrize("wide", [1, 16, 64, 81])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_each_position_hears_through_its_own_copy(wide: int, kernel: int) -> None:
    """Layer 2 of a static network: what each copy says as a shared kernel, at its position."""
    shared = compile_network(
        conv_network((4, 3), (5, 40, wide), kernel=kernel, steps=4), TARGET
    ).program
    random = np.random.default_rng(wide)
    s = shared.synapses[-1]
    kernels = random.integers(-127, 128, (12, *s.weights.shape)).astype(np.int8)
    own = kernels * on_the_map(kernels.shape, (4, 3)).astype(np.int8)
    untied = replace(
        shared,
        synapses=(
            shared.synapses[0],
            replace(s, weights=own, connection=Connection.UNTIED),
        ),
    )
    seen = Stimulus({"input": random.integers(0, 256, (5, 60)).astype(np.uint8)}, {})
    found, events = infer(untied, seen)
    for p in range(12):
        alone = replace(shared, synapses=(shared.synapses[0], replace(s, weights=kernels[p])))
        expected, same = infer(alone, seen)
        at = np.s_[:, :, p // 3, p % 3]
        maps = (c["layer2"].reshape(5, wide, 4, 3)[at] for c in (found, expected))
        assert np.array_equal(*maps)
        assert events.projections[1].forward_operations == same.projections[1].forward_operations
    assert found["layer2"].any()


@given(programs())
@settings(max_examples=15, deadline=None)
def test_synapses_are_counted_without_listing_them(program: Program) -> None:
    for s in program.synapses:
        source, target = program.population(s.source).map, program.population(s.target).map
        count = synapse_count(s.connection, s.weights.shape, source, target)
        assert count == listed(program, s).at.size
