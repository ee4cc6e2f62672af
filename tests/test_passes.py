"""Passes: what a timetable must satisfy, rules other than CLAPP, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from compiled_program import compiled, network
from hypothesis import given, settings
from hypothesis import strategies as st

from clapp_neuro.errors import InputError
from compiler.backends.simulator import infer, simulate
from compiler.ir import Compartment, LearningRule, Modulator, Network, Quantity, Term
from compiler.passes.fold import fold
from compiler.passes.lowering.gate import lower_gate
from compiler.passes.lowering.learning import lower_learning
from compiler.passes.lowering.schedule import schedule
from compiler.passes.quantizing.quantize import quantize
from compiler.pipeline import compile_network
from compiler.program import TAG_UNITS
from compiler.targets import load_target
from compiler.trace import Stimulus

Z, C = Quantity.COUNT, Quantity.PREVIOUS_COUNT


def test_every_term_of_clapp_has_its_trace_and_its_gate() -> None:
    source = network((12, 8, 6, 4))
    plan = schedule(source)
    program = compiled((12, 8, 6, 4))
    steps = source.schedule.steps
    levels = {p.name: p.level for p in source.populations}
    for p in source.projections:
        assert p.rule is not None
        assert len(set(plan.slots[p.name])) == len(p.rule.terms)
        for term, tau in zip(p.rule.terms, plan.slots[p.name], strict=True):
            sent_at = tau + levels[p.target] - levels[p.source]
            assert program.population(p.source).message(sent_at).quantity is term.pre
            assert tau >= steps + 2  # the gate is decided at steps + 1
            if Quantity.RETRO in term.post:
                assert tau > plan.timetable.retro
            if p.compartment is Compartment.APICAL:
                assert tau < plan.timetable.predict  # the prediction uses the updated weights
    assert plan.timetable.period >= plan.timetable.predict + 1 + max(levels.values())
    assert 2**plan.carry_exponent % plan.timetable.period == 0


def with_rule(rule: LearningRule) -> Network:
    plain = network((9, 6), plastic=False)
    (projection,) = plain.projections
    return replace(
        plain, projections=(replace(projection, rule=rule),), modulators=(Modulator("reward"),)
    )


@pytest.mark.parametrize(
    "rule",
    [
        LearningRule("hebb", (Term(2**-8, Z, (Z,)),)),
        LearningRule("rewarded", (Term(2**-8, Z, (Z,), "reward"),)),
        LearningRule("two terms", (Term(2**-8, Z, (Z,), "reward"), Term(-(2**-9), C, (C,)))),
    ],
)
def test_another_local_rule_needs_no_compiler_code(rule: LearningRule) -> None:
    program = compile_network(with_rule(rule), load_target("loihi2-sim")).program
    random = np.random.default_rng(0)
    seen = random.integers(100, 256, (200, 9)).astype(np.uint8)
    reward = random.choice([0, 1], 200).astype(np.int8)
    learned = simulate(program, Stimulus({"input": seen}, {"reward": reward})).program
    before, after = program.synapses[0], learned.synapses[0]
    assert before.tags is not None and after.tags is not None
    change = TAG_UNITS * (after.weights.astype(int) - before.weights) + after.tags - before.tags
    assert change.any()
    if all(t.coefficient > 0 for t in rule.terms):
        assert (change >= 0).all()


def test_what_cannot_be_lowered_is_refused() -> None:
    target = load_target("loihi2-sim")
    too_many = Term(2**-8, Quantity.APICAL, (Z,))
    with pytest.raises(InputError, match="no order of at most"):
        compile_network(with_rule(LearningRule("x", (too_many,))), target)
    with pytest.raises(InputError, match="learning rate"):
        compile_network(with_rule(LearningRule("x", (Term(1e6, Z, (Z,)),))), target)
    with pytest.raises(InputError, match="nothing ends there"):
        rule = LearningRule("x", (Term(2**-8, Z, (Quantity.APICAL,)),))
        compile_network(with_rule(rule), target)
    with pytest.raises(InputError, match="127"):
        compile_network(network((5, 4), steps=128), target)


def test_a_fourth_plastic_projection_has_no_register() -> None:
    source = network((6, 5))
    (extra,) = (p for p in source.projections if p.compartment is Compartment.APICAL)
    more = (*source.projections, replace(extra, name="layer1.second_prediction"))
    with pytest.raises(InputError, match="post registers"):
        compile_network(replace(source, projections=more), load_target("loihi2-sim"))
    quantized, _ = quantize(replace(source, projections=more), 127)
    with pytest.raises(InputError, match="more than 3 plastic projections"):
        lower_learning(
            quantized,
            schedule(quantized.network),
            target="x",
            seed=0,
            weight_max=127,
            tag_max=255,
        )


def test_a_projection_onto_the_wrong_level_is_refused() -> None:
    source = network((6, 5, 4), plastic=False)
    jump = replace(
        source.projections[0], name="jump", target="layer2", weights=np.zeros((4, 6), float)
    )
    with pytest.raises(InputError, match="jump goes from level 0 to level 2"):
        schedule(replace(source, projections=(*source.projections, jump)))


@given(st.floats(2**-14, 2**-9), st.integers(2, 64), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_learning_rates_are_lowered_within_0_4_percent(rate: float, steps: int, size: int) -> None:
    """What the integers compute, put together again, is the coefficient within 0.4 %."""
    plain = network((size, 6), steps, plastic=False)
    rule = LearningRule("hebb", (Term(rate, Z, (Z,)), Term(-rate / 3, C, (Z,))))
    (projection,) = plain.projections
    source = replace(plain, projections=(replace(projection, rule=rule),))
    lowered = compile_network(source, load_target("loihi2-sim"))
    (synapses,) = lowered.program.synapses
    assert synapses.rule is not None
    values = {v.step: v for v in lowered.program.populations[1].post_values}
    folded, _ = fold(source)
    folded_rule = folded.projections[0].rule
    assert folded_rule is not None
    for term, slot in zip(folded_rule.terms, synapses.slots, strict=True):
        value = values[slot]
        message = lowered.program.population("input").message(slot + 1)
        # tag units for one spike and one unit of intensity: x1 holds intensity / 4 * 2
        trace = 2.0 ** (message.lift - 1 - message.drop)
        post = value.granularity * value.multiplier / 2**value.shift
        tag = trace * post * 2.0 ** (synapses.rule.exponent - 3)
        exact = term.coefficient / steps / (synapses.unit / TAG_UNITS)
        assert abs(tag / exact - 1) < 0.004
    noted = [n.cost for n in lowered.notes if n.stage == "learning"]
    assert len(noted) == len(rule.terms)
    assert all(cost is not None and cost < 0.004 for cost in noted)


def test_folding_keeps_the_current_and_the_update() -> None:
    source = network()
    folded, notes = fold(source)
    x = np.linspace(0, 1, 12)
    scale = source.populations[0].scale
    before, after = source.projections[0], folded.projections[0]
    assert np.allclose(after.weights @ (x / scale), before.weights @ x, rtol=1e-12)
    assert before.rule is not None and after.rule is not None
    for old, new in zip(before.rule.terms, after.rule.terms, strict=True):
        # a change of W' by coefficient' * i is a change of W by coefficient * x
        assert np.isclose(new.coefficient / scale / scale, old.coefficient, rtol=1e-12)
    assert notes


def test_rounding_stays_within_half_a_unit_and_waits_in_the_tags() -> None:
    source = network()
    quantized, _ = quantize(source, 127)
    for p in source.projections:
        integer = quantized.integers[p.name]
        assert integer.tags is not None
        exact = p.weights / integer.unit
        assert np.abs(exact - integer.weights).max() <= 0.5
        assert np.abs(exact - integer.weights - integer.tags / TAG_UNITS).max() <= 0.5 / TAG_UNITS


@given(
    st.integers(1, 9),
    st.integers(1, 9),
    st.sampled_from([3, 7, 15, 31, 63, 127]),
    st.floats(1e-6, 1e6),
    st.integers(0, 2**32),
)
@settings(max_examples=60, deadline=None)
def test_weights_of_any_size_round_within_half_a_unit(
    n_pre: int, n_post: int, weight_max: int, size: float, seed: int
) -> None:
    plain = network((n_pre, n_post), plastic=False)
    weights = size * np.random.default_rng(seed).normal(size=(n_post, n_pre))
    static = replace(plain.projections[0], weights=weights)
    plastic = replace(static, rule=LearningRule("hebb", (Term(2**-8, Z, (Z,)),)))
    for projection in (static, plastic):
        quantized, notes = quantize(replace(plain, projections=(projection,)), weight_max)
        integer = quantized.integers[projection.name]
        rest = weights / integer.unit - integer.weights
        assert np.abs(integer.weights.astype(int)).max() <= weight_max
        assert np.abs(rest).max() <= 0.5 + 1e-9
        (lost,) = (n.cost for n in notes if n.subject == projection.name)
        assert lost is not None and np.isclose(
            lost, np.linalg.norm(rest * integer.unit) / np.linalg.norm(weights)
        )
        if projection is plastic:
            assert integer.tags is not None
            left = rest - integer.tags / TAG_UNITS
            assert np.abs(left).max() <= 0.5 / TAG_UNITS + 1e-9
            room = weight_max * integer.unit / np.abs(weights).max()
            assert room >= 2 - 1e-9  # weights may double before they are clipped
        else:
            assert integer.tags is None
            # the range is used in full, unless the threshold then were beyond 24 bits
            soma = quantized.somas["layer1"]
            full = np.abs(integer.weights.astype(int)).max() == weight_max
            assert full or soma.threshold >= 2**22
            assert soma.threshold < 2**23


def test_zero_weights_of_a_static_network_stay_zero() -> None:
    plain = network((5, 4), plastic=False)
    zero = replace(plain.projections[0], weights=np.zeros((4, 5)))
    program = compile_network(
        replace(plain, projections=(zero,)), load_target("loihi2-sim")
    ).program
    counts, _ = infer(program, Stimulus({"input": np.full((3, 5), 255, np.uint8)}, {}))
    assert not program.synapses[0].weights.any()
    assert not counts["layer1"].any()


def test_zero_weights_compile_and_learn_from_zero() -> None:
    source = network()
    zero = tuple(
        replace(p, weights=np.zeros_like(p.weights)) if p.compartment is not Compartment.SOMA else p
        for p in source.projections
    )
    program = compile_network(replace(source, projections=zero), load_target("loihi2-sim")).program
    random = np.random.default_rng(3)
    seen = random.integers(0, 256, (300, 12)).astype(np.uint8)
    labels = {"saccade": random.choice([-1, 1], 300).astype(np.int8)}
    learned = simulate(program, Stimulus({"input": seen}, labels)).program
    prediction = next(s for s in learned.synapses if s.name == "layer1.prediction")
    assert prediction.tags is not None and prediction.tags.any()


def test_loihi1_is_refused_with_all_limits_at_once() -> None:
    with pytest.raises(InputError) as refused:
        compile_network(network(), load_target("loihi1-sim"))
    text = str(refused.value)
    assert "graded spikes" in text and "third factor" in text and "loihi2-sim" in text


def test_a_margin_beyond_the_scores_bits_shifts_the_score_or_is_refused():
    source = network((6, 2), steps=8)
    quantized, _ = quantize(source, 127)
    (comparator,) = source.comparators
    timetable = schedule(source).timetable
    ordinary = lower_gate(quantized, comparator, timetable, [])
    large = lower_gate(quantized, replace(comparator, margin=1e5), timetable, [])
    assert ordinary.score_shift == 0 < large.score_shift
    exact = 1e5 * ordinary.margin / 2**large.score_shift
    assert abs(large.margin - exact) < 1e-3 * exact and large.margin <= 2**23 - 1
    with pytest.raises(InputError, match=r"layer1.gate: the margin is .* make the margin smaller"):
        lower_gate(quantized, replace(comparator, margin=1e20), timetable, [])
