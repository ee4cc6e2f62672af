"""The simulator: kernels against plain integers, one run against many, inference against traces."""

from __future__ import annotations

import numpy as np
import pytest
from compiled_program import compiled
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler import rounding
from compiler.backends.simulator import infer, kernels, simulate, trace
from compiler.program import Program
from compiler.trace import Stimulus

MAX = (1 << 23) - 1


def stimulus(program: Program, fixations: int, seed: int) -> Stimulus:
    random = np.random.default_rng(seed)
    size = program.populations[0].size
    labels = random.choice([-1, 1], fixations).astype(np.int8)
    labels[0] = 0
    seen = random.integers(0, 256, (fixations, size)).astype(np.uint8)
    return Stimulus({"input": seen}, dict.fromkeys(program.modulators, labels))


@given(st.integers(0, 2**63), st.integers(0, 2**17), st.integers(0, 2**40), st.integers(0, 5000))
@settings(max_examples=50, deadline=None)
def test_random_words_are_those_of_numpy(seed: int, stream: int, step: int, index: int) -> None:
    key = kernels.key(seed & 0xFFFFFFFF, stream, step & 0xFFFFFFFF)
    assert kernels.word(key, index) == rounding.words(seed, stream, step, index + 1)[index]


@given(st.integers(1, 9), st.integers(1, 9), st.integers(-7, -3), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_learning_is_the_documented_formula(n_pre: int, n_post: int, e: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    tags = random.integers(-255, 256, (n_pre, n_post)).astype(np.int16)
    x = random.integers(0, 128, n_pre).astype(np.int32)
    y = random.integers(-127, 128, n_post).astype(np.int32)
    bits = rounding.synapse_bits(seed, 3, 11, n_pre, n_post)
    total = (tags.astype(int) << 7) + (((x[:, None].astype(int) * y) >> 3) << (e + 7))
    total = np.clip(total, -(2**15) - 1, 2**15 - 1)
    rounded = (total >> 7) + (bits < (total & 127))
    expected = np.where(x[:, None] == 0, tags, np.clip(rounded, -255, 255))

    found = tags.ravel().copy()
    noise = np.zeros(rounding.words_per_row(n_post), np.uint32)
    key = kernels.key(seed, 3, 11)
    rows, _ = kernels.learn(found, 0, n_post, x, y, e, key, 255, noise)

    assert np.array_equal(found.reshape(n_pre, n_post), expected)
    assert rows == np.count_nonzero(x)


@given(
    st.lists(st.tuples(st.integers(-MAX, MAX), st.integers(-MAX, MAX)), min_size=1, max_size=20),
    st.integers(0, 4096),
    st.integers(1, 2**20),
    st.booleans(),
)
@settings(max_examples=80, deadline=None)
def test_membrane_is_the_documented_formula(
    neurons: list[tuple[int, int]], decay: int, threshold: int, subtract: bool
) -> None:
    spiked = [i % 2 for i in range(len(neurons))]
    expected = []
    for (v, current), s in zip(neurons, spiked, strict=True):
        leaked = (abs(v) * decay >> 12) * (1 if v >= 0 else -1)
        reset = leaked - s * threshold if subtract else (0 if s else leaked)
        expected.append(max(-MAX, min(MAX, reset + current)))
    v = np.array([n[0] for n in neurons], np.int32)
    current = np.array([n[1] for n in neurons], np.int32)
    fired = np.array(spiked, np.int32)
    parameters = (np.int32(decay), np.int32(threshold), np.int32(0), np.int32(subtract))

    kernels.lif_step(v, current, np.zeros_like(v), fired, *parameters)

    assert v.tolist() == expected
    assert fired.tolist() == [int(e > threshold) for e in expected]


@pytest.mark.parametrize("widths", [(12, 8, 6), (5, 1), (7, 9, 3, 4)])
def test_parts_of_a_run_make_the_whole(widths: tuple[int, ...]) -> None:
    program = compiled(widths)
    seen = stimulus(program, 90, seed=4)
    whole = simulate(program, seen)
    first = simulate(program, seen.part(0, 37))
    second = simulate(first.program, seen.part(37, 90), state=first.state)
    assert second.program == whole.program
    assert np.array_equal(np.concatenate([first.scores, second.scores]), whole.scores)
    assert np.array_equal(np.concatenate([first.gates, second.gates]), whole.gates)
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
        key = kernels.key(1, 2, step)
        x1, post = np.array([x], np.int32), np.array([y], np.int32)
        kernels.learn(tags, 0, 1, x1, post, exponent, key, 255, np.zeros(1, np.uint32))
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
