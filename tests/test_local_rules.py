"""Local rules other than CLAPP: plain integers, both engines, the float reference, the command."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from compiled_program import compiled, network, stimulus
from hypothesis import given, settings
from hypothesis import strategies as st
from test_lava import carrying_often, differences

from compiler.backends import lava
from compiler.backends.simulator import simulate, trace
from compiler.backends.simulator.adapt import root
from compiler.ir import Quantity
from compiler.pipeline import compile_network
from compiler.program import Gate, Program, Synapses
from compiler.rounding import round_stochastically, synapse_bits
from compiler.targets import load_target
from compiler.trace import FixationTrace, Stimulus

METHODS = ("espp", "lpl")
RATE = {"espp": 2**-6, "lpl": 2**-9}  # so that many post values are not 0
Counts = tuple[np.ndarray, np.ndarray]  # of this fixation and of the one before
Kept = dict[str, list[list[int]]]  # mean and variance of each neuron, by population
TARGET = load_target("loihi2-sim")


def plain_gate(gate: Gate, z: np.ndarray, c: np.ndarray, y: int) -> tuple[int, int]:
    """(score, gate) of ESPP, in integers without a width: z and c are counts."""
    norm = math.isqrt(int((c * c).sum()) * 2**16)
    if norm == 0:
        return 0, 0
    u = int((z * c).sum()) * 2**16 // norm
    opened = u < gate.margins[0] if y > 0 else u > -gate.margins[1]
    return u, y * (2**28 // norm) if opened else 0


def plain_post(program: Program, value, product: np.ndarray, time_step: int) -> np.ndarray:
    rounded = round_stochastically(
        product.astype(np.int64) * value.multiplier,
        value.shift,
        program.seed,
        value.stream,
        time_step,
    )
    return np.clip(value.granularity * rounded, -127, 127)


def plain_learning(
    program: Program, s: Synapses, tags: np.ndarray, x1: np.ndarray, y: np.ndarray, step: int
) -> np.ndarray:
    """t <- round((t << 7) + (((x1 * y) >> 3) << (e + 7))), clipped; (N_target, N_source)."""
    assert s.rule is not None
    product = (np.outer(y, x1) >> 3) << (s.rule.exponent + 7)
    total = (tags.astype(np.int64) << 7) + product
    bits = synapse_bits(program.seed, s.index, step, len(x1), len(y)).T
    moved = (total >> 7) + (bits < (total & 127))
    return np.where(x1 == 0, tags, np.clip(moved, -program.tag_max, program.tag_max))


def espp_products(
    program: Program, population: str, counts: Counts, y: int, shown: FixationTrace, kept: Kept
) -> list[np.ndarray]:
    """What the soma multiplies and rounds; the score and the gate are checked on the way."""
    (gate,) = (g for g in program.gates if g.population == population)
    z, c = counts
    u, g = plain_gate(gate, z, c, y)
    assert (shown.scores[gate.name], shown.gates[gate.name]) == (u, g)
    return [g * c * ((z > 0) & (z < program.timetable.steps))]


def lpl_products(
    program: Program, population: str, counts: Counts, y: int, shown: FixationTrace, kept: Kept
) -> list[np.ndarray]:
    """The same; the averages in `kept` are moved in integers without a width, and checked."""
    averages = program.population(population).averages
    assert averages is not None
    one, a, b = 1 << averages.fraction, averages.multiplier, averages.shift
    mean, variance = kept.setdefault(
        population, [[int(v) for v in averages.mean], [int(v) for v in averages.variance]]
    )
    z, c = counts
    deviation = []
    for j, (now, before) in enumerate(zip(z.tolist(), c.tolist(), strict=True)):
        if y != 0:
            mean[j] += ((now + before) * one // 2 - mean[j]) * a + 2 ** (b - 1) >> b
            spread = (now * one - mean[j]) ** 2 + (before * one - mean[j]) ** 2 >> (
                averages.fraction + 1
            )
            variance[j] += (spread - variance[j]) * a + 2 ** (b - 1) >> b
        exact = (now * one - mean[j]) * 2**16 // (variance[j] + averages.epsilon)
        deviation.append(max(-(2**23) + 1, min(2**23 - 1, exact)))
    assert shown.averages[population].tolist() == [mean, variance]
    active = (z > 0) & (z < program.timetable.steps)
    return [max(0, y) * (z - c) * active, abs(y) * np.array(deviation) * active]


PRODUCTS = {"espp": espp_products, "lpl": lpl_products}


def check(method: str, program: Program, seen: Stimulus) -> int:
    """Every fixation of the simulator against plain integers; how many post values were written."""
    timetable, written = program.timetable, 0
    kept: Kept = {}
    previous = {p.name: np.zeros(p.size, np.int64) for p in program.populations}
    tags = {s.name: s.tags for s in program.synapses}
    weights = {s.name: s.weights.astype(np.int64) for s in program.synapses}
    for f, shown in enumerate(trace(program, seen)):
        inputs = seen.intensities["input"][f].astype(np.int64)
        counts = {"input": inputs} | {n: z.astype(np.int64) for n, z in shown.counts.items()}
        label = int(seen.signals["saccade"][f])
        for s in program.synapses:
            assert s.rule is not None and s.tags is not None
            target, source = program.population(s.target), program.population(s.source)
            now = counts[s.target], previous[s.target]
            products = PRODUCTS[method](program, s.target, now, label, shown, kept)
            values = {v.step: v for v in target.post_values}
            for product, slot in zip(products, s.slots, strict=True):
                step = f * timetable.period + 1 + target.level + slot
                y = plain_post(program, values[slot], product, step)
                index = target.post_values.index(values[slot])
                assert np.array_equal(shown.post[s.target][index], y)
                written += int(np.count_nonzero(y))
                message = source.message(slot + target.level - source.level)
                assert message.quantity is Quantity.COUNT
                x1 = (counts[s.source] >> message.drop) << message.lift >> 1
                tags[s.name] = plain_learning(program, s, tags[s.name], x1, y, step)
            if (f + 1) * timetable.period % 2**s.rule.carry_exponent == 0:
                sign = np.sign(tags[s.name])
                weights[s.name] = np.clip(weights[s.name] + sign, -127, 127)
                tags[s.name] = tags[s.name] - 64 * sign
            assert np.array_equal(shown.tags[s.name][-1], tags[s.name])
            assert np.array_equal(shown.weights[s.name][-1], weights[s.name])
        previous = counts
    return written


@pytest.mark.parametrize("method", METHODS)
@given(
    st.lists(st.integers(1, 9), min_size=2, max_size=4).map(tuple),
    st.sampled_from([2, 3, 8, 16, 33, 127]),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=20, deadline=None)
def test_a_rule_is_its_formula_in_plain_integers(
    method: str, widths: tuple[int, ...], steps: int, seed: int
) -> None:
    source = network(widths, steps, method=method, seed=seed, rate=RATE[method] / 4)
    program = carrying_often(compile_network(source, TARGET, seed=seed).program)
    check(method, program, stimulus(program, 12, seed))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(3))
def test_and_it_learns(method: str, seed: int) -> None:
    """The same on networks of which it is known that they write post values."""
    program = carrying_often(compiled((12, 8, 6), method=method, seed=seed, rate=RATE[method]))
    assert check(method, program, stimulus(program, 60, seed)) > 20


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(2))
def test_parts_of_a_run_make_the_whole(method: str, seed: int) -> None:
    program = carrying_often(compiled((11, 7, 5), method=method, seed=seed, rate=RATE[method]))
    seen = stimulus(program, 60, seed)
    whole = simulate(program, seen)
    first = simulate(program, seen.part(0, 23))
    second = simulate(first.program, seen.part(23, 60), state=first.state)
    assert second.program == whole.program != program
    assert second.events == whole.events
    assert np.array_equal(second.state.fields, whole.state.fields)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("seed", "steps", "guarded"), [(0, 8, False), (1, 3, True), (2, 16, True)])
def test_lava_equals_the_simulator_at_every_step(
    method: str, seed: int, steps: int, guarded: bool
) -> None:
    widths = [(9, 7, 5), (6, 4), (5, 4, 3, 3)][seed]
    program = carrying_often(compiled(widths, steps, method=method, seed=seed, rate=RATE[method]))
    seen = stimulus(program, 12, seed)
    ours = list(trace(program, seen))
    theirs = list(lava.trace(program, seen, timeout=60, guarded=guarded))
    assert [list(differences(a, b)) for a, b in zip(theirs, ours, strict=True)] == [[]] * 12
    assert any(moved(program, t) for t in ours), "nothing was learned, so nothing was compared"


def moved(program: Program, shown: FixationTrace) -> bool:
    return any(
        not np.array_equal(shown.tags[s.name][-1], s.tags)
        for s in program.synapses
        if s.rule is not None
    )


@pytest.mark.parametrize("method", METHODS)
def test_lava_learns_the_same_program(method: str) -> None:
    program = carrying_often(compiled((10, 8, 6), method=method, rate=RATE[method]))
    seen = stimulus(program, 60, 3)
    outcome, expected = lava.run(program, seen, timeout=60), simulate(program, seen)
    assert outcome.program == expected.program != program
    assert np.array_equal(outcome.scores, expected.scores)
    assert np.array_equal(outcome.gates, expected.gates)


@given(st.integers(0, 2**62 - 1))
@settings(max_examples=200, deadline=None)
def test_the_root_is_exact(square: int) -> None:
    for near in (square, math.isqrt(square) ** 2, math.isqrt(square) ** 2 - 1):
        if near >= 0:
            assert root(near) == math.isqrt(near)


def test_clapp_may_divide_by_a_norm_too() -> None:
    """Predictions have a sign, and so have scores: quotients round down in both engines."""
    plain = network((9, 7, 5), 8, rate=2**-12, seed=2)
    comparators = tuple(
        replace(c, norm=Quantity.COUNT, left=-c.margin / 3) for c in plain.comparators
    )
    program = compile_network(replace(plain, comparators=comparators), TARGET).program
    flipped = tuple(
        replace(s, weights=-s.weights) if "prediction" in s.name else s for s in program.synapses
    )
    for p in (carrying_often(program), carrying_often(replace(program, synapses=flipped))):
        seen = stimulus(p, 15, 5)
        ours, theirs = list(trace(p, seen)), list(lava.trace(p, seen, timeout=60))
        assert [list(differences(a, b)) for a, b in zip(theirs, ours, strict=True)] == [[]] * 15
        assert any(moved(p, t) for t in ours)
    assert min(t.scores["layer1.gate"] for t in ours) < 0


@pytest.mark.parametrize("margins", [(0, -1), (5000, 3)])
def test_a_layer_that_was_silent_before_closes_a_normed_gate(margins: tuple[int, int]) -> None:
    program = compiled((12, 8), method="espp")
    gate = replace(program.gates[0], margin=margins[0], left=margins[1])
    program = replace(program, gates=(gate,))
    dark = np.zeros((2, 12), np.uint8)
    dark[1] = 255
    for label in (-1, 1):
        seen = Stimulus({"input": dark}, {"saccade": np.array([0, label], np.int8)})
        shown = list(trace(program, seen))
        assert shown[1].counts["layer1"].any()
        assert shown[1].gates == {"layer1.gate": 0}
