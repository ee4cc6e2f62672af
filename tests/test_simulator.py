"""The simulator: kernels against plain integers, one run against many, inference against traces."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from compiled_program import compiled, network, stimulus
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler import rounding
from compiler.backends.simulator import Result, infer, simulate, trace
from compiler.backends.simulator.kernels import neurons as neuron_kernels
from compiler.backends.simulator.kernels import plasticity
from compiler.backends.simulator.kernels import random as random_kernels
from compiler.ir import Network, Quantity
from compiler.passes.fold import fold
from compiler.pipeline import compile_network
from compiler.program import Program
from compiler.targets import load_target
from compiler.trace import FixationTrace, Stimulus

MAX = (1 << 23) - 1
TARGET = load_target("loihi2-sim")


METHODS = ("clapp", "espp", "lpl")


def random_network(
    widths: tuple[int, ...], steps: int, seed: int, plastic: bool = True, method: str = "clapp"
) -> Network:
    """The small network with weights of its own."""
    random = np.random.default_rng(seed)
    plain = network(widths, steps, plastic, method)
    projections = []
    for p in plain.projections:
        spread = random.uniform(0.3, 3.0) / np.sqrt(p.weights.shape[1])
        projections.append(replace(p, weights=spread * random.normal(0.3, 1.0, p.weights.shape)))
    return replace(plain, projections=tuple(projections))


@st.composite
def programs(draw: Callable[..., int], plastic: bool = True) -> Program:
    """Compiled networks of one to three layers, by the whole pipeline."""
    widths = tuple(draw(st.lists(st.integers(1, 9), min_size=2, max_size=4)))
    steps, weights = draw(st.integers(2, 12)), draw(st.integers(0, 2**32))
    source = random_network(widths, steps, weights, plastic, draw(st.sampled_from(METHODS)))
    return compile_network(source, TARGET, seed=draw(st.integers(0, 2**32))).program


@given(st.integers(0, 2**63), st.integers(0, 2**17), st.integers(0, 2**40), st.integers(0, 5000))
@settings(max_examples=50, deadline=None)
def test_random_words_are_those_of_numpy(seed: int, stream: int, step: int, index: int) -> None:
    key = random_kernels.key(seed & 0xFFFFFFFF, stream, step & 0xFFFFFFFF)
    assert random_kernels.word(key, index) == rounding.words(seed, stream, step, index + 1)[index]


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_the_hash_is_that_of_numpy(h: int) -> None:
    assert random_kernels.mix(np.uint32(h)) == rounding.mix(np.array([h], np.uint32))[0]


@given(st.integers(1, 9), st.integers(1, 9), st.integers(-7, -3), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_learning_is_the_documented_formula(n_pre: int, n_post: int, e: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    tags = random.integers(-255, 256, (n_pre, n_post)).astype(np.int16)
    x = random.integers(0, 128, n_pre).astype(np.int32)
    y = random.integers(-127, 128, n_post).astype(np.int16)
    bits = rounding.synapse_bits(seed, 3, 11, n_pre, n_post)
    total = (tags.astype(int) << 7) + (((x[:, None].astype(int) * y) >> 3) << (e + 7))
    total = np.clip(total, -(2**15) - 1, 2**15 - 1)
    rounded = (total >> 7) + (bits < (total & 127))
    expected = np.where(x[:, None] == 0, tags, np.clip(rounded, -255, 255))

    found = tags.ravel().copy()
    noise = np.zeros(rounding.words_per_row(n_post), np.uint32)
    key = random_kernels.key(seed, 3, 11)
    rows, _ = plasticity.learn(found, 0, n_post, x, y, e, key, 255, noise, False)

    assert np.array_equal(found.reshape(n_pre, n_post), expected)
    assert rows == np.count_nonzero(x)


def plain_membrane(
    v: int, drive: int, spiked: int, decay: int, threshold: int, subtract: bool
) -> tuple[int, int]:
    """(potential before the clip, after it), in integers without a width."""
    leaked = (abs(v) * decay >> 12) * (1 if v >= 0 else -1)
    reset = leaked - spiked * threshold if subtract else (0 if spiked else leaked)
    return reset + drive, max(-MAX, min(MAX, reset + drive))


def check_membrane(
    neurons: list[tuple[int, int, int, int]], decay: int, threshold: int, shift: int, subtract: bool
) -> None:
    """`neurons` holds (v, current, held, spiked); what is held is shifted already."""
    v, current, held, fired = (np.array(column, np.int32) for column in zip(*neurons, strict=True))
    plain = [
        plain_membrane(old, (c << shift) + h, s, decay, threshold, subtract)
        for old, c, h, s in neurons
    ]
    parameters = (
        np.int32(decay),
        np.int32(threshold),
        np.int32(1 << shift),
        np.int32(subtract - 1),
    )
    mask, count = -fired, np.full(len(fired), 5, np.int32)

    active, clipped = neuron_kernels.lif_step(v, current, held, mask, count, *parameters)

    assert v.tolist() == [kept for _, kept in plain]
    assert mask.tolist() == [-int(kept > threshold) for _, kept in plain]
    assert count.tolist() == [5 + int(kept > threshold) for _, kept in plain]
    assert active == sum(old != 0 or (c << shift) + h != 0 for old, c, h, _ in neurons)
    assert clipped == sum(exact != kept for exact, kept in plain)


POTENTIALS = st.one_of(st.sampled_from([-MAX, -1, 0, 1, MAX]), st.integers(-MAX, MAX))


@given(
    st.lists(
        st.tuples(POTENTIALS, POTENTIALS, POTENTIALS, st.integers(0, 1)), min_size=1, max_size=20
    ),
    st.integers(0, 4096),
    st.integers(1, MAX),
    st.integers(0, 6),
    st.booleans(),
)
@settings(max_examples=120, deadline=None)
def test_membrane_is_the_documented_formula(
    neurons: list[tuple[int, int, int, int]],
    decay: int,
    threshold: int,
    shift: int,
    subtract: bool,
) -> None:
    narrow = [(v, c >> shift, h, s) for v, c, h, s in neurons]  # as the quantiser ensures
    check_membrane(narrow, decay, threshold, shift, subtract)


@pytest.mark.parametrize("decay", [0, 1, 4095, 4096])
@pytest.mark.parametrize("threshold", [1, MAX])
@pytest.mark.parametrize("subtract", [True, False])
def test_extreme_potentials_neither_wrap_nor_escape(
    decay: int, threshold: int, subtract: bool
) -> None:
    extremes = (-MAX, 0, MAX)
    neurons = [(v, c, 0, s) for v in extremes for c in extremes for s in (0, 1)]
    check_membrane(neurons, decay, threshold, 0, subtract)


def assert_same(found: Result, expected: Result) -> None:
    """Programs, everything in the state, and events."""
    assert found.program == expected.program
    assert found.events == expected.events
    for name, value in vars(expected.state).items():
        assert np.array_equal(getattr(found.state, name), value), name


@given(programs(), st.integers(2, 80), st.integers(0, 2**32), st.data())
@settings(max_examples=25, deadline=None)
def test_a_run_is_its_parts_and_its_steps(
    program: Program, fixations: int, seed: int, data: st.DataObject
) -> None:
    seen = stimulus(program, fixations, seed)
    cut = data.draw(st.integers(1, fixations - 1))
    whole = simulate(program, seen)
    first = simulate(program, seen.part(0, cut))
    second = simulate(first.program, seen.part(cut, fixations), state=first.state)
    shown = list(trace(program, seen))

    assert_same(second, whole)
    for i, gate in enumerate(program.gates):
        assert [t.scores[gate.name] for t in shown] == whole.scores[:, i].tolist()
        assert [t.gates[gate.name] for t in shown] == whole.gates[:, i].tolist()
    for s in whole.program.synapses:
        assert np.array_equal(shown[-1].weights[s.name][-1], s.weights)
        assert np.array_equal(shown[-1].tags[s.name][-1], s.tags)


@given(programs(plastic=False), st.integers(1, 30), st.integers(0, 2**32), st.integers(1, 6))
@settings(max_examples=25, deadline=None)
def test_inference_of_any_network_counts_what_the_steps_show(
    program: Program, fixations: int, seed: int, threads: int
) -> None:
    seen = stimulus(program, fixations, seed)
    shown = list(trace(program, seen, learn=False))
    counts, events = infer(program, seen, threads=threads)
    _, alone = infer(program, seen, threads=1)
    assert events == alone
    for name, found in counts.items():
        assert np.array_equal(found, [t.counts[name] for t in shown])


@pytest.mark.parametrize("widths", [(12, 8, 6), (5, 1), (7, 9, 3, 4)])
def test_parts_of_a_run_make_the_whole(widths: tuple[int, ...]) -> None:
    program = compiled(widths)
    seen = stimulus(program, 90, seed=4)
    whole = simulate(program, seen)
    first = simulate(program, seen.part(0, 37))
    second = simulate(first.program, seen.part(37, 90), state=first.state)
    assert_same(second, whole)
    assert whole.program != program  # it learned something


@pytest.mark.parametrize("seed", range(4))
def test_steps_show_what_a_run_does(seed: int) -> None:
    program = compiled((10, 7, 5))
    seen = stimulus(program, 70, seed)
    shown = list(trace(program, seen))
    run = simulate(program, seen)
    for i, gate in enumerate(program.gates):
        assert [t.scores[gate.name] for t in shown] == run.scores[:, i].tolist()
        assert [t.gates[gate.name] for t in shown] == run.gates[:, i].tolist()
    for s in run.program.synapses:
        assert np.array_equal(shown[-1].weights[s.name][-1], s.weights)
        assert np.array_equal(shown[-1].tags[s.name][-1], s.tags)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_inference_counts_what_the_steps_show(threads: int) -> None:
    program = compiled((10, 7, 5))
    seen = stimulus(program, 23, seed=9)
    counts, events = infer(program, seen, threads=threads)
    shown = list(trace(program, seen, learn=False))
    for name, found in counts.items():
        assert np.array_equal(found, [t.counts[name] for t in shown])
        spikes = {p.name: p.spikes for p in events.populations}[name]
        assert spikes == sum(int(t.spikes[name].sum()) for t in shown)


def test_rounding_of_tags_is_unbiased() -> None:
    """The mean tag over many keys is the real number that the engine rounds."""
    x, y, exponent, draws = 13, 8, -7, 4000
    found = []
    for step in range(draws):
        tags = np.zeros(1, np.int16)
        key = random_kernels.key(1, 2, step)
        x1, post = np.array([x], np.int32), np.array([y], np.int16)
        plasticity.learn(tags, 0, 1, x1, post, exponent, key, 255, np.zeros(1, np.uint32), False)
        found.append(int(tags[0]))
    exact = x * y * 2.0 ** (exponent - 3)
    assert abs(np.mean(found) - exact) < 4 * np.sqrt(exact * (1 - exact) / draws)


def test_a_silent_network_learns_nothing() -> None:
    program = compiled()
    labels = {name: np.ones(40, np.int8) for name in program.modulators}
    nothing = Stimulus({"input": np.zeros((40, 12), np.uint8)}, labels)
    learned = simulate(program, nothing).program
    for before, after in zip(program.synapses, learned.synapses, strict=True):
        assert before.tags is not None and after.tags is not None
        moved = 64 * after.weights.astype(int) + after.tags - 64 * before.weights.astype(int)
        assert np.array_equal(moved, before.tags)


def nonzero(array: np.ndarray) -> int:
    return int(np.count_nonzero(array))


@pytest.mark.parametrize("seed", range(3))
def test_events_of_inference_are_those_of_the_steps(seed: int) -> None:
    program = compile_network(random_network((11, 8, 5), 8, seed, plastic=False), TARGET).program
    seen = stimulus(program, 20, seed)
    shown = list(trace(program, seen, learn=False))
    _, events = infer(program, seen)
    populations = {p.name: p for p in events.populations}
    for s, counted in zip(program.synapses, events.projections, strict=True):
        target, name = program.population(s.target), s.target
        assert target.soma is not None
        active = messages = 0
        for f, t in enumerate(shown):
            sent = seen.intensities["input"][[f] * 8] if target.soma.latched else t.spikes[s.source]
            drive = sent.astype(int) @ s.weights.T
            before = np.vstack([np.zeros(target.size, int), t.membrane[name][:-1]])
            active += nonzero((before != 0) | (drive != 0))
            messages += nonzero(sent[0] if target.soma.latched else sent)
        found = populations[name]
        assert found.active_updates == active
        assert found.active_updates + found.idle_updates == len(shown) * 8 * target.size
        assert found.spikes == sum(nonzero(t.spikes[name]) for t in shown)
        assert found.silent == sum(nonzero(t.counts[name] == 0) for t in shown)
        assert found.saturated == sum(nonzero(t.counts[name] == 8) for t in shown)
        assert counted.forward_operations == messages * target.size


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(3))
def test_events_of_learning_are_those_of_the_steps(seed: int, method: str) -> None:
    source = random_network((11, 8, 5), 8, seed, method=method)
    program = compile_network(source, TARGET, seed).program
    seen = stimulus(program, 100, seed)
    shown = list(trace(program, seen))
    events = simulate(program, seen).events
    populations = {p.name: p for p in events.populations}
    for p in program.populations[1:]:
        assert populations[p.name].post_writes == sum(nonzero(t.post[p.name]) for t in shown)
        assert populations[p.name].spikes == sum(nonzero(t.spikes[p.name]) for t in shown)
    for gate, counted in zip(program.gates, events.gates, strict=True):
        opened = [t.gates[gate.name] for t in shown]
        assert counted.positive == sum(g > 0 for g in opened)
        assert counted.negative == sum(g < 0 for g in opened)
    for gate, counted in zip(program.gates, events.gates, strict=True):
        if gate.norm is Quantity.PREVIOUS_COUNT:  # one message for each square, one a coincidence
            each = [t.counts[gate.population] for t in shown]
            before = [np.zeros_like(each[0]), *each[:-1]]
            squares = sum(nonzero(c) for c in before)
            both = sum(nonzero(z * c) for z, c in zip(each, before, strict=True))
            assert counted.score_operations == squares + both
    sent = [{**t.counts, "input": x} for t, x in zip(shown, seen.intensities["input"], strict=True)]
    silent = {name: np.zeros_like(array) for name, array in sent[0].items()}
    for s, found in zip(program.synapses, events.projections, strict=True):
        source, target = program.population(s.source), program.population(s.target)
        slots = updates = 0
        for t, now, before in zip(shown, sent, [silent, *sent[:-1]], strict=True):
            for i, value in enumerate(target.post_values):
                y = t.post[s.target][i]
                assert s.rule is not None
                if value.register != s.rule.register or not y.any():
                    continue
                message = source.message(value.step + target.level - source.level)
                counts = now if message.quantity is Quantity.COUNT else before
                slots += 1
                updates += nonzero(counts[s.source] >> message.drop) * target.size
        assert found.learning_slots == slots
        assert found.plastic_updates == updates
        steps = np.concatenate([[s.weights], *(t.weights[s.name] for t in shown)]).astype(int)
        assert found.carries == int(np.abs(np.diff(steps, axis=0)).sum()) + found.weight_clipped


def real_values(
    program: Program, now: FixationTrace, before: FixationTrace, population: str
) -> dict[Quantity, np.ndarray]:
    """What the learning rule reads at a population, in the units of the source network."""
    steps = program.timetable.steps
    units = {s.name.rpartition(".")[2]: s.unit for s in program.synapses if s.target == population}
    z, c = now.counts[population] / steps, before.counts[population] / steps
    return {
        Quantity.COUNT: z,
        Quantity.PREVIOUS_COUNT: c,
        Quantity.APICAL: now.apical[population] * units["prediction"] / steps,
        Quantity.RETRO: now.retro[population] * units["retrodiction"] / steps,
        Quantity.SURROGATE: ((z > 0) & (z < 1)).astype(float),
        Quantity.PREVIOUS_SURROGATE: ((c > 0) & (c < 1)).astype(float),
    }


@pytest.mark.parametrize("label", [1, -1])
def test_tags_change_on_average_as_the_rule_says(label: int) -> None:
    """Over many seeds, every synapse of every projection, against the rule in real numbers."""
    source = random_network((9, 7, 5), 8, seed=2)
    folded, _ = fold(source)
    program = compile_network(source, TARGET).program
    labels = {"saccade": np.array([0, label], np.int8)}
    bright = 16 * np.random.default_rng(5).integers(0, 16, (2, 9))  # traces of multiples are exact
    bright = bright.astype(np.uint8)
    seen = Stimulus({"input": bright}, labels)
    before, now = trace(program, seen)
    assert set(now.gates.values()) == {label}, "a closed gate would make this test empty"
    draws = 1500
    runs = [simulate(replace(program, seed=seed), seen) for seed in range(draws)]
    assert not any(p.post_clipped for p in runs[0].events.populations)

    for i, (s, projection) in enumerate(zip(program.synapses, folded.projections, strict=True)):
        post = real_values(program, now, before, s.target)
        if s.source == "input":
            pre = {Quantity.COUNT: bright[1] / 1.0, Quantity.PREVIOUS_COUNT: bright[0] / 1.0}
        else:
            pre = real_values(program, now, before, s.source)
        assert projection.rule is not None
        terms = [
            t.coefficient
            * label
            * np.outer(math.prod(post[q] for q in t.post), pre[t.pre])
            / (s.unit / 64)
            for t in projection.rule.terms
        ]
        changes = np.array([r.program.synapses[i].tags - s.tags for r in runs])
        error = changes.std(axis=0) / np.sqrt(draws)
        multiplier = 0.004 * sum(abs(t) for t in terms)  # eight bits
        assert any(t.any() for t in terms)
        assert (np.abs(changes.mean(axis=0) - sum(terms)) <= 5 * error + multiplier + 1e-9).all()
